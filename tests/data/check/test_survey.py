from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.data.audio_files import decode
from cohear.data.check.survey import listen, survey
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.errors import UserError

RATE = 8000


def noise(n: int = 4000, seed: int = 0) -> np.ndarray:
    return np.round(0.1 * np.random.default_rng(seed).standard_normal(n) * 32768) / 32768


def not_there(path: Path) -> None:
    pass


def no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def no_sound(path: Path) -> None:
    path.write_text("these are not samples")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def not_finite(path: Path) -> None:
    wave = noise().astype(np.float32)
    wave[1234] = np.inf
    soundfile.write(path, wave, RATE, subtype="FLOAT")


def far_too_loud(path: Path) -> None:
    waveform = np.stack([noise(), noise()], axis=1)
    waveform[1000] = (1e38, -1e38)
    soundfile.write(path, waveform, RATE, subtype="FLOAT")


def cut_short(path: Path) -> None:
    soundfile.write(path, noise(40_000), RATE)
    path.write_bytes(path.read_bytes()[:30_000])


@pytest.mark.parametrize("spoil", [not_there, no_bytes, no_sound, no_samples, not_finite, far_too_loud, cut_short])
@pytest.mark.parametrize("segment", [(None, None), (0.1, 4.0)], ids=["file", "segment"])
def test_what_training_refuses_is_refused_in_the_same_words(tmp_path, spoil, segment):
    path = tmp_path / "a.wav"
    spoil(path)
    with pytest.raises(UserError) as refused_there:
        decode(path, *segment)
    with pytest.raises(UserError) as refused_here:
        listen(path, *segment)
    assert str(refused_here.value) == str(refused_there.value)


def test_a_file_is_measured_block_by_block_as_if_whole(tmp_path):
    n = (1 << 18) + 5000  # more than a block
    stereo = np.stack([noise(n), np.clip(8 * noise(n, 1), -0.5, 0.5)], axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, 44100)
    sound = listen(tmp_path / "a.flac")
    assert (sound.duration_s, sound.sample_rate, sound.n_channels) == (n / 44100, 44100, 2)
    assert sound.measures.peak == 0.5
    assert sound.measures.flat_share > 0.01
    soundfile.write(tmp_path / "mono.wav", stereo.mean(axis=1), 44100, subtype="FLOAT")
    assert listen(tmp_path / "mono.wav").measures.content == sound.measures.content


def test_a_segment_is_measured_alone_and_known_again_as_a_file(tmp_path):
    soundfile.write(tmp_path / "whole.wav", np.concatenate([noise(), noise(seed=1)]), RATE)
    soundfile.write(tmp_path / "part.flac", noise(seed=1), RATE)
    part = listen(tmp_path / "whole.wav", 0.5, 1.0)
    assert part.duration_s == 0.5
    assert part.measures.content == listen(tmp_path / "part.flac").measures.content


def test_a_survey_keeps_the_order_of_the_data_and_names_files_relative_to_it(tmp_path):
    for index in range(5):
        soundfile.write(tmp_path / f"{index}.wav", noise(seed=index), RATE)
    (tmp_path / "2.wav").write_text("no sound")
    clips = tuple(Clip(f"{index}.wav", "dog") for index in (4, 2, 0, 9, 1, 3))
    heard_of: list[tuple[int, int]] = []
    found = survey(Dataset("d", tmp_path, clips, "table"), lambda *progress: heard_of.append(progress))
    assert [one.clip.path for one in found.heard] == ["4.wav", "0.wav", "1.wav", "3.wav"]
    broken, missing = found.unusable
    assert broken.reason.startswith("2.wav cannot be read as sound")
    assert (broken.is_missing, missing.is_missing, missing.clip.path) == (False, True, "9.wav")
    assert heard_of == [(n, 6) for n in range(1, 7)]
