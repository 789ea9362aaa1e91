"""`cohear augment`: what is asked for is measured in the file that comes out."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.pitch_quality import tone, tone_quality
from cohear.dsp.rooms import reverberation_time

RATE = 22050


def write(path: Path, *channels: np.ndarray, rate: int = RATE) -> Path:
    samples = np.stack(channels, axis=1)
    soundfile.write(path, np.rint(samples * 32768).astype(np.int16), rate, subtype="PCM_16")
    return path


def read(path: Path) -> np.ndarray:
    """The only channel, float64."""
    samples, rate = soundfile.read(path)
    assert rate == RATE
    assert samples.ndim == 1
    return samples


def rms_db(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(samples**2))


def white(n: int = 2 * RATE, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    return write(tmp_path / "noise.wav", white())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.wav"


def test_a_tone_comes_out_at_its_new_pitch_with_its_level(cohear, tmp_path, out):
    semitones = 1.5
    source = write(tmp_path / "tone.wav", tone(440, RATE))
    said = cohear("augment", source, out, "--pitch", semitones)
    assert (said.status, said.out) == (0, "")
    quality = tone_quality(read(out), 440 * 2 ** (semitones / 12), RATE)
    assert abs(quality.error_cents) < 0.1
    assert abs(quality.level_db) < 0.1


def test_an_impulse_comes_out_as_a_room_of_the_reverberation_time_asked_for(cohear, tmp_path, out):
    impulse = np.zeros(2 * RATE)
    impulse[1000] = 0.9
    source = write(tmp_path / "impulse.wav", impulse)
    rooms = []
    for seed in (0, 1):
        assert cohear("augment", source, out, "--reverb", 0.6, "--seed", seed).status == 0
        rooms.append(read(out))
        assert np.abs(rooms[-1]).argmax() == 1000
        assert reverberation_time(rooms[-1], RATE) == pytest.approx(0.6, rel=0.05)
    assert np.abs(rooms[0] - rooms[1]).max() > 0.05


def test_a_measured_response_is_convolved_from_its_largest_sample_on(cohear, tmp_path, noise, out):
    response = np.zeros(2000)
    response[[50, 550]] = 0.8, 0.4
    cohear("augment", noise, out, "--response", write(tmp_path / "hall.wav", response))
    clean, heard = read(noise), read(out)
    expected = clean + 0.5 * np.concatenate([np.zeros(500), clean[:-500]])
    scale = np.sqrt(np.mean(clean**2) / np.mean(expected**2))  # it leaves with the energy with which it came
    assert np.abs(heard - scale * expected).max() < 1e-3


def test_levels_shifts_filters_and_noise_are_what_was_asked_for(cohear, tmp_path, noise, out):
    before = read(noise)

    def heard(*options) -> np.ndarray:
        assert cohear("augment", noise, out, *options).status == 0
        return read(out)

    assert rms_db(heard("--gain", -7.5)) - rms_db(before) == pytest.approx(-7.5, abs=0.01)
    assert np.array_equal(heard("--gain", 0), before)
    threshold = np.abs(before).max() / 10
    assert np.abs(heard("--clip", -20) - before.clip(-threshold, threshold)).max() <= 2**-15
    assert np.array_equal(heard("--shift", 0.5), np.concatenate([np.zeros(11025), before[:-11025]]))
    assert np.array_equal(heard("--shift", -0.25)[:-5512], before[5512:])
    assert rms_db(heard("--noise", 12, "--noise-color", "pink") - before) - rms_db(before) == pytest.approx(
        -12, abs=0.1
    )
    tones = write(tmp_path / "tones.wav", sum(tone(hz, RATE, amplitude=0.2) for hz in (250, 1000, 4000)))
    for option, lost_hz in (("--low-pass", 4000), ("--high-pass", 250)):
        cohear("augment", tones, out, option, 1000)
        assert tone_quality(read(out), 1000, RATE, 0.1).level_db == pytest.approx(0, abs=0.1)
        assert tone_quality(read(out), lost_hz, RATE, 0.2).level_db < -45


def test_each_step_hears_what_the_one_before_made_however_the_options_are_given(cohear, tmp_path, noise, out):
    options = [("--pitch", 2), ("--shift", 0.1), ("--reverb", 0.3), ("--noise", 10), ("--high-pass", 200)]
    options += [("--low-pass", 5000), ("--gain", -3), ("--clip", -6)]
    source = noise
    for number, option in enumerate(options):
        step = tmp_path / f"step{number}.wav"
        assert cohear("augment", source, step, *option).status == 0
        source = step
    assert cohear("augment", noise, out, *sum(options[::-1], ())).status == 0
    assert np.abs(read(out) - read(source)).max() < 1e-3  # each step alone rounds to 16 bits


def test_a_peak_over_full_scale_is_kept_or_turned_down_and_said(cohear, tmp_path, noise, out):
    assert "over full scale" in cohear("augment", noise, out, "--gain", 20).err
    assert np.abs(read(out) - 10 * read(noise)).max() < 1e-6
    assert "turned down" in cohear("augment", noise, tmp_path / "out.flac", "--gain", 20).err
    assert np.abs(read(tmp_path / "out.flac") - read(noise) / np.abs(read(noise)).max()).max() <= 2**-15


def test_an_input_is_never_overwritten_whatever_it_is_called(cohear, tmp_path, noise, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink(noise, tmp_path / "link.wav")
    before = noise.read_bytes()
    for name in (noise, "noise.wav", "link.wav"):
        assert cohear("augment", noise, name, "--gain", 1).refuses("OUT", "IN itself", "another name")
    assert cohear("augment", noise, write(tmp_path / "hall.wav", white(100)), "--response", "hall.wav").refuses(
        "OUT", "--response itself"
    )
    assert noise.read_bytes() == before
