"""`cohear augment`: what is asked for is measured in the file that comes out."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from cohear import transforms
from cohear.benchmarks.pitch_quality import tone, tone_quality
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


@pytest.mark.parametrize("semitones", [1.5, -2.5, 12])
def test_a_tone_comes_out_at_its_new_pitch_with_its_level(cohear, tmp_path, out, semitones):
    source = write(tmp_path / "tone.wav", tone(440, RATE))
    said = cohear("augment", source, out, "--pitch", semitones)
    assert said.err == f"pitch {semitones:+g} semitones -> {out} (5.00 s, 22050 Hz)\n"
    assert said.out == ""
    quality = tone_quality(read(out), 440 * 2 ** (semitones / 12), RATE)
    assert abs(quality.error_cents) < 0.1
    assert abs(quality.level_db) < 0.1


def test_an_impulse_comes_out_as_a_room_of_the_reverberation_time_asked_for(cohear, tmp_path, out):
    impulse = np.zeros(2 * RATE)
    impulse[1000] = 0.9
    source = write(tmp_path / "impulse.wav", impulse)
    said = cohear("augment", source, out, "--reverb", 0.6)
    assert f"room RT60 0.60 s -> {out}" in said.err
    response = read(out)
    assert np.abs(response).argmax() == 1000
    assert reverberation_time(response, RATE) == pytest.approx(0.6, rel=0.05)
    assert np.sum(response**2) == pytest.approx(0.9**2, rel=0.01)
    cohear("augment", source, tmp_path / "other.wav", "--reverb", 0.6, "--seed", 1)
    other = read(tmp_path / "other.wav")
    assert reverberation_time(other, RATE) == pytest.approx(0.6, rel=0.05)
    assert np.abs(other - response).max() > 0.05


def test_a_measured_response_is_convolved_at_its_own_rate_from_its_largest_sample_on(cohear, tmp_path, noise, out):
    response = np.zeros(4000)
    response[[100, 1100]] = 0.8, 0.4
    file = write(tmp_path / "hall.wav", response, rate=2 * RATE)
    said = cohear("augment", noise, out, "--response", file)
    assert said.err.startswith("response hall.wav")
    clean = read(noise)
    expected = clean + 0.5 * np.concatenate([np.zeros(500), clean[:-500]])
    # The resampled response is band-limited: what is near half the sample rate is gone, so the level differs a little.
    low = scipy.signal.butter(8, 0.8, output="sos")
    heard, expected = (scipy.signal.sosfiltfilt(low, samples) for samples in (read(out), expected))
    scale = heard @ expected / (expected @ expected)
    assert 20 * np.log10(scale) == pytest.approx(-10 * np.log10(1 + 0.5**2), abs=0.5)
    assert rms_db(heard - scale * expected) < rms_db(heard) - 50


@pytest.mark.parametrize(("color", "slope_db"), [("white", 0), ("pink", -3), ("brown", -6)])
def test_noise_has_its_ratio_and_color_and_depends_on_the_seed(cohear, tmp_path, out, color, slope_db):
    source = write(tmp_path / "tone.wav", tone(440, RATE))
    said = cohear("augment", source, out, "--noise", 12, "--noise-color", color)
    assert said.err.startswith(f"noise at 12.0 dB SNR ({color}) -> ")
    added = read(out) - read(source)
    assert rms_db(read(source)) - rms_db(added) == pytest.approx(12, abs=0.01)
    hz, power = scipy.signal.welch(added, RATE, nperseg=2048)
    levels_db = [10 * np.log10(power[(hz > low) & (hz < 2 * low)].mean()) for low in (500, 4000)]
    assert (levels_db[1] - levels_db[0]) / 3 == pytest.approx(slope_db, abs=0.4)
    cohear("augment", source, out, "--noise", 12, "--noise-color", color, "--seed", 5)
    assert abs(np.corrcoef(read(out) - read(source), added)[0, 1]) < 0.1


def test_gain_is_in_decibels_and_zero_changes_no_bit(cohear, noise, out):
    assert cohear("augment", noise, out, "--gain", -7.5).err.startswith("gain -7.5 dB -> ")
    assert rms_db(read(out)) - rms_db(read(noise)) == pytest.approx(-7.5, abs=0.01)
    assert cohear("augment", noise, out, "--gain", 0).status == 0
    assert out.read_bytes() == noise.read_bytes()


def test_a_shift_moves_by_whole_samples_and_lets_silence_in(cohear, noise, out):
    before = read(noise)
    assert cohear("augment", noise, out, "--shift", 0.5).err.startswith("0.500 s later")
    assert np.array_equal(read(out), np.concatenate([np.zeros(11025), before[:-11025]]))
    assert cohear("augment", noise, out, "--shift", -0.25).err.startswith("0.250 s earlier")
    assert np.array_equal(read(out)[:-5512], before[5512:])
    assert not read(out)[-5512:].any()


@pytest.mark.parametrize(("option", "lost_hz"), [("--low-pass", 4000), ("--high-pass", 250)])
def test_filters_halve_at_the_cutoff_and_are_24_db_down_an_octave_beyond(cohear, tmp_path, out, option, lost_hz):
    source = write(tmp_path / "tones.wav", tone(1000, RATE, amplitude=0.3) + tone(lost_hz, RATE, amplitude=0.3))
    cohear("augment", source, out, option, 1000)
    assert tone_quality(read(out), 1000, RATE, 0.15).level_db == pytest.approx(0, abs=0.05)
    assert tone_quality(read(out), lost_hz, RATE, 0.3).level_db < -45


def test_clipping_cuts_at_the_threshold_against_the_peak(cohear, noise, out):
    assert cohear("augment", noise, out, "--clip", -20).err.startswith("clipped 20.0 dB below the peak")
    before = read(noise)
    threshold = np.abs(before).max() / 10
    assert np.abs(read(out) - before.clip(-threshold, threshold)).max() <= 2**-15


def test_the_order_is_the_same_however_the_options_are_given(cohear, tmp_path, noise, out):
    options = [
        *(("--clip", -6), ("--gain", 3), ("--low-pass", 5000), ("--high-pass", 200), ("--noise", 10)),
        *(("--reverb", 0.3), ("--shift", 0.1), ("--pitch", 2)),
    ]
    said = cohear("augment", noise, out, *(word for option in options for word in option))
    texts = (
        *("pitch +2 semitones", "0.100 s later", "room RT60 0.30 s", "noise at 10.0 dB SNR (white)"),
        *("high-pass at 200 Hz", "low-pass at 5000 Hz", "gain +3.0 dB", "clipped 6.0 dB below the peak"),
    )
    assert said.err.startswith(", ".join(texts) + " -> ")
    cohear("augment", noise, tmp_path / "turned.wav", *(word for option in options[::-1] for word in option))
    assert (tmp_path / "turned.wav").read_bytes() == out.read_bytes()


def test_each_step_hears_what_the_one_before_made(cohear, tmp_path, noise, out):
    options = (("--pitch", 2), ("--shift", 0.1), ("--reverb", 0.3), ("--noise", 10), ("--high-pass", 200))
    options += (("--low-pass", 5000), ("--gain", -3), ("--clip", -6))
    source = noise
    for number, option in enumerate(options):
        step = tmp_path / f"step{number}.wav"
        assert cohear("augment", source, step, *option).status == 0
        source = step
    assert cohear("augment", noise, out, *sum(options, ())).status == 0
    assert np.abs(read(out) - read(source)).max() < 1e-3  # each step alone rounds to 16 bits


def test_the_transforms_are_those_of_the_library(cohear, noise, out):
    cohear("augment", noise, out, "--pitch", 1, "--gain", -3)
    clip = torch.from_numpy(read(noise)).float()[None]
    expected = transforms.pitch_shift(clip, [1.0], RATE) * 10 ** (-3 / 20)
    assert np.abs(read(out) - expected[0].numpy()).max() <= 2**-16 + 1e-7


def test_both_channels_are_kept_and_get_the_same_change(cohear, tmp_path, out):
    left, right = white(seed=1), 0.5 * white(seed=2)
    source = write(tmp_path / "stereo.wav", left, right)
    options = ("--pitch", 1, "--shift", 0.1, "--reverb", 0.4, "--noise", 20)
    said = cohear("augment", source, out, *options)
    assert said.err.endswith("(2.00 s, 22050 Hz, 2 channels)\n")
    heard, rate = soundfile.read(out)
    assert (heard.shape, rate) == ((2 * RATE, 2), RATE)
    for channel, samples in enumerate((left, right)):
        alone = write(tmp_path / "mono.wav", samples)
        cohear("augment", alone, tmp_path / "alone.wav", *options)
        assert np.array_equal(read(tmp_path / "alone.wav"), heard[:, channel])


def test_a_peak_over_full_scale_is_kept_in_a_wav_file(cohear, noise, out):
    said = cohear("augment", noise, out, "--gain", 20)
    peak_db = 20 + 20 * np.log10(np.abs(read(noise)).max())
    note, _ = said.err.splitlines()
    assert note == f"the peak is {peak_db:.1f} dB over full scale: {out} has 32-bit floats, which keep it"
    assert soundfile.info(out).subtype == "FLOAT"
    assert np.abs(read(out) - 10 * read(noise)).max() < 1e-6


@pytest.mark.parametrize(("ending", "subtype"), [(".flac", "PCM_16"), (".OGG", "VORBIS")])
def test_other_formats_are_turned_down_as_a_whole_and_say_so(cohear, tmp_path, noise, ending, subtype):
    out = tmp_path / f"out{ending}"
    assert cohear("augment", noise, out, "--gain", 0).err.startswith("gain")
    assert soundfile.info(out).subtype == subtype
    loud = cohear("augment", noise, out, "--gain", 20)
    assert "over full scale" in loud.err
    assert "turned down by as much" in loud.err
    if ending == ".flac":
        assert np.abs(read(out) - read(noise) / np.abs(read(noise)).max()).max() <= 2**-15


def test_what_was_there_is_replaced_and_nothing_else_is_left(cohear, tmp_path, noise, out):
    out.write_text("an older file")
    assert cohear("augment", noise, out, "--gain", -1).status == 0
    assert soundfile.info(out).frames == 2 * RATE
    assert {path.name for path in tmp_path.iterdir()} == {"noise.wav", "out.wav"}


REFUSED = [
    ((), ("nothing to do", "--pitch")),
    (("--pitch", 13), ("--pitch 13", "-12 to 12 semitones")),
    (("--pitch", "nan"), ("--pitch nan", "-12 to 12")),
    (("--pitch", "high"), ("--pitch", "number")),
    (("--reverb", 0.05), ("--reverb 0.05", "0.1 to 10 s")),
    (("--reverb", 1, "--response", "hall.wav"), ("--reverb", "--response", "leave one of them out")),
    (("--response", "nowhere.wav"), ("nowhere.wav does not exist",)),
    (("--noise", "inf"), ("--noise inf", "-100 to 100 dB")),
    (("--noise", 10, "--noise-color", "blue"), ("blue", "pink")),
    (("--noise-color", "pink"), ("--noise-color pink", "--noise 20")),
    (("--gain", 101), ("--gain 101", "-100 to 100 dB")),
    (("--clip", 6), ("--clip 6", "-100 to 0 dB")),
    (("--shift", 2), ("--shift 2 s", "2.00 s")),
    (("--low-pass", 11025), ("--low-pass 11025 Hz", "less than 11025 Hz")),
    (("--high-pass", 0), ("--high-pass 0 Hz", "1 Hz")),
    (("--gain", 1, "--seed", -1), ("--seed",)),
]


@pytest.mark.parametrize(("options", "culprits"), REFUSED, ids=[" ".join(map(str, options)) for options, _ in REFUSED])
def test_options_out_of_range_are_refused_and_nothing_is_written(cohear, noise, out, options, culprits):
    assert cohear("augment", noise, out, *options).refuses(*culprits)
    assert not out.exists()


@pytest.mark.parametrize("ending", [".mp3", "", ".wave"])
def test_a_name_that_says_no_format_is_refused(cohear, tmp_path, noise, ending):
    said = cohear("augment", noise, tmp_path / f"out{ending}", "--gain", 1)
    assert said.refuses(f"out{ending}' does not end in .wav, .flac or .ogg")


def test_sounds_that_cannot_be_used_are_refused(cohear, tmp_path, out):
    (tmp_path / "text.wav").write_text("these are not samples")
    write(tmp_path / "nothing.wav", np.zeros(0))
    write(tmp_path / "low.wav", white(), rate=7000)
    write(tmp_path / "silence.wav", np.zeros(100))
    write(tmp_path / "many.wav", *[white()] * 9)
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan]), RATE, subtype="FLOAT")
    for name, culprit in (
        ("nowhere.wav", "does not exist"),
        ("text.wav", "cannot be read as sound"),
        ("nothing.wav", "holds no samples"),
        ("nan.wav", "holds NaN"),
    ):
        assert cohear("augment", tmp_path / name, out, "--gain", 1).refuses(name, culprit)
    assert cohear("augment", tmp_path / "low.wav", out, "--reverb", 1).refuses("8000 Hz", "7000 Hz", "--response")
    said = cohear("augment", tmp_path / "low.wav", out, "--response", tmp_path / "silence.wav")
    assert said.refuses("silence.wav", "silent")
    assert cohear("augment", tmp_path / "many.wav", tmp_path / "many.flac", "--gain", 1).refuses("9 channels", ".wav")
    assert not out.exists()


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


def test_a_place_that_cannot_be_written_is_named(cohear, tmp_path, noise):
    assert cohear("augment", noise, tmp_path / "no" / "out.wav", "--gain", 1).refuses("out.wav", "does not exist")
    (tmp_path / "folder.wav").mkdir()
    assert cohear("augment", noise, tmp_path / "folder.wav", "--gain", 1).refuses("folder.wav", "folder stands there")
