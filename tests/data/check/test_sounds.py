"""What a check hears: level, clipping and content of every clip, and what training would refuse."""

import numpy as np
import pytest
import soundfile

from cohear.data.audio_decoding import decode
from cohear.data.check.survey import listen, survey
from cohear.data.clips import Clip, Clips
from cohear.data.datasets import Dataset
from cohear.errors import UserError
from made_stores import write_m4a

RATE = 8000


def noise(n: int = 4000, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(n)


def steps(n: int = 4000, seed: int = 0) -> np.ndarray:
    """Return noise of whole 16-bit steps."""
    return np.round(noise(n, seed=seed) * 32768) / 32768


@pytest.mark.parametrize(("waveform", "is_silent"), [
    (np.zeros(100), True),
    (np.full(100, 0.2), True),  # a constant is not heard
    (noise(level=1e-5), True),
    (noise(level=1e-3), False),
    (np.stack([np.zeros(4000), noise()], axis=1), False),
], ids=["zeros", "constant", "-100 dB", "-60 dB", "one channel"])  # fmt: skip
def test_silence_is_what_hardly_moves(tmp_path, waveform, is_silent):
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    sound = listen(tmp_path / "a.wav")
    assert (sound.is_silent, sound.content is None) == (is_silent, is_silent)


@pytest.mark.parametrize("segment", [(None, None), (0.1, 0.4)], ids=["file", "segment"])
def test_channels_that_cancel_are_no_silence(tmp_path, segment):
    soundfile.write(tmp_path / "a.wav", np.stack([steps(), -steps()], axis=1), RATE, subtype="FLOAT")
    clips = Clips.of([Clip("a.wav", ("dog",), None, None, *segment)])
    (heard,) = survey(Dataset("d", tmp_path, clips, "table")).heard
    assert (heard.sound.cancels, heard.sound.is_silent) == (True, False)


def infinite() -> np.ndarray:
    waveform = np.stack([steps(), steps()], axis=1)
    waveform[1000] = (1e38, -1e38)
    return waveform


@pytest.mark.parametrize("content", [None, b"", b"these are no samples", np.zeros(0), infinite(), steps(40_000)])
@pytest.mark.parametrize("segment", [(None, None), (0.1, 4.0)], ids=["file", "segment"])
def test_what_training_refuses_is_refused_in_the_same_words(tmp_path, content, segment):
    path = tmp_path / "a.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        soundfile.write(path, content, RATE, subtype="FLOAT")
        path.write_bytes(path.read_bytes()[:60_000])  # of the last, which is longer, less than half
    with pytest.raises(UserError) as refused:
        decode(path, *segment)
    clip = Clip("a.wav", ("dog",), None, None, *segment)
    (unusable,) = survey(Dataset("d", tmp_path, Clips.of([clip]), "table")).unusable
    assert unusable.reason == str(refused.value).replace(f"{tmp_path}/", "")


def test_a_file_is_measured_block_by_block_as_if_whole(tmp_path):
    n = (1 << 18) + 5000  # more than a block
    stereo = np.stack([steps(n), np.clip(16 * steps(n, 1), -1, 32767 / 32768)], axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, 44100)
    sound = listen(tmp_path / "a.flac")
    assert (sound.duration_s, sound.sample_rate, sound.n_channels) == (n / 44100, 44100, 2)
    assert sound.peak == 1
    assert sound.clipped_share == (np.abs(stereo) >= 32767 / 32768).any(axis=1).mean() > 0.01

    def content(rate: int) -> str | None:
        soundfile.write(tmp_path / "mono.wav", stereo.mean(axis=1), rate, subtype="FLOAT")
        return listen(tmp_path / "mono.wav").content

    assert content(44100) == sound.content != content(48000)
    stereo[n - 3] += 1e-3
    assert content(44100) != sound.content


@pytest.mark.parametrize("name", ["whole.wav", "whole.m4a"])
def test_segments_are_measured_alone_and_known_again_as_files(tmp_path, name):
    if name == "whole.m4a":
        write_m4a(tmp_path / name, np.random.default_rng(0).normal(0, 0.1, (2, 2 * 44100)))
    else:
        soundfile.write(tmp_path / name, np.concatenate([steps(), steps(seed=1)]), RATE)
    clips = tuple(Clip(name, ("x",), start_s=s, end_s=e) for s, e in ((None, None), (0.5, 1.0), (9.0, 9.5), (0, 0.25)))
    found = survey(Dataset("d", tmp_path, Clips.of(clips), "table"))
    assert [one.clip for one in found.heard] == [clips[0], clips[1], clips[3]]
    assert "no segment can begin at 9 s" in found.unusable[0].reason
    part = decode(tmp_path / name, 0.5, 1.0)
    soundfile.write(tmp_path / "part.wav", part.waveform, part.sample_rate, subtype="FLOAT")
    assert found.heard[1].sound.duration_s == 0.5
    assert found.heard[1].sound.content == listen(tmp_path / "part.wav").content


def test_a_survey_keeps_the_order_of_the_data_and_names_files_relative_to_it(tmp_path):
    for index in range(5):
        soundfile.write(tmp_path / f"{index}.wav", steps(seed=index), RATE)
    (tmp_path / "2.wav").write_text("no sound")
    clips = tuple(Clip(f"{index}.wav", ("dog",)) for index in (4, 2, 0, 9, 1, 3))
    heard_of: list[tuple[int, int]] = []
    found = survey(Dataset("d", tmp_path, Clips.of(clips), "table"), lambda *progress: heard_of.append(progress))
    assert [one.clip.path for one in found.heard] == ["4.wav", "0.wav", "1.wav", "3.wav"]
    broken, missing = found.unusable
    assert broken.reason.startswith("2.wav cannot be read as sound")
    assert (broken.is_missing, missing.is_missing, missing.clip.path) == (False, True, "9.wav")
    assert heard_of == [(n, 6) for n in range(1, 7)]
