import jaxtyping
import numpy as np
import pytest
import torch

from cohear.transforms import PitchShift, pitch_shift
from cohear.transforms.pitch_shift import PitchShiftParameters

SAMPLE_RATE = 44100
PAPER_SHIFTS = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5)


def tones(frequencies_hz: list[float], duration_s: float, sample_rate: int) -> torch.Tensor:
    time_s = torch.arange(round(duration_s * sample_rate), dtype=torch.float64) / sample_rate
    phases = torch.arange(len(frequencies_hz))[:, None] + 2 * torch.pi * torch.tensor(frequencies_hz)[:, None] * time_s
    return (0.5 * torch.sin(phases)).float()


def measured(tone: torch.Tensor, expected_hz: float, sample_rate: int) -> tuple[float, float, float]:
    """Error of the frequency in cents, level in dB over 0.5, and energy outside +-50 cents +-8 Hz in dB."""
    middle = tone.double().numpy()[sample_rate : 4 * sample_rate]
    half = len(middle) // 2
    # The phase by which the first half's Fourier coefficient at the expected frequency differs from the second's.
    carrier = np.exp(-2j * np.pi * expected_hz / sample_rate * np.arange(2 * half)) * middle[: 2 * half]
    first, second = (carrier.reshape(2, half) * np.blackman(half)).sum(axis=1)
    error_hz = np.angle(second * first.conj()) * sample_rate / (2 * np.pi * half)
    amplitude = np.abs(first) * 2 / np.blackman(half).sum()
    power = np.abs(np.fft.rfft(middle * np.blackman(len(middle)))) ** 2
    frequencies_hz = np.fft.rfftfreq(len(middle), 1 / sample_rate)
    outside = np.abs(frequencies_hz - expected_hz) > expected_hz * (2 ** (50 / 1200) - 1) + 8
    residual_db = 10 * np.log10(power[outside].sum() / power.sum())
    return 1200 * np.log2(1 + error_hz / expected_hz), 20 * np.log10(amplitude / 0.5), residual_db


@pytest.mark.parametrize("frequency_hz", [110.0, 440.0, 5_000.0])
def test_a_tone_lands_within_a_tenth_of_a_cent_for_all_ten_shifts(frequency_hz: float):
    shifted = pitch_shift(tones([frequency_hz] * 10, 5, SAMPLE_RATE), np.array(PAPER_SHIFTS))
    for tone, semitones in zip(shifted, PAPER_SHIFTS, strict=True):
        error_cents, level_db, residual_db = measured(tone, frequency_hz * 2 ** (semitones / 12), SAMPLE_RATE)
        assert abs(error_cents) < 0.1
        assert abs(level_db) < 0.1
        assert residual_db < -55


@pytest.mark.parametrize(
    ("sample_rate", "semitones"), [(8_000, -12.0), (16_000, 12.0), (22_050, 7.31), (48_000, -0.03), (96_000, 11.0)]
)
def test_other_shifts_and_rates_keep_pitch_level_and_length(sample_rate: int, semitones: float):
    waveform = tones([0.07 * sample_rate], 5, sample_rate)
    shifted = pitch_shift(waveform, [semitones], sample_rate)
    assert shifted.shape == waveform.shape
    error_cents, level_db, _ = measured(shifted[0], 0.07 * sample_rate * 2 ** (semitones / 12), sample_rate)
    assert abs(error_cents) < 0.1
    assert abs(level_db) < 0.1


def test_what_lies_above_the_new_nyquist_frequency_is_gone():
    highest_hz = SAMPLE_RATE / 2 / 2 ** (2 / 12)
    waveform = tones([1.05 * highest_hz], 2, SAMPLE_RATE)
    # Fade in and out: a tone that is cut off has all frequencies.
    waveform *= torch.hann_window(waveform.shape[1])
    shifted = pitch_shift(waveform, [2.0])
    assert 10 * torch.log10(shifted.square().sum() / waveform.square().sum()) < -80


def test_white_noise_keeps_its_level_within_a_decibel_of_the_ideal():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4, 2 * SAMPLE_RATE, generator=generator)
    shifts = np.array([-2.5, -1.0, 1.0, 2.5])
    levels_db = 10 * np.log10(pitch_shift(noise, shifts).square().mean(1).numpy() / noise.square().mean(1).numpy())
    # A shift up loses what leaves the band at its top.
    ideal_db = -10 * np.log10(2 ** (np.maximum(shifts, 0) / 12))
    assert np.abs(levels_db - ideal_db).max() < 1.0


def test_a_click_stays_in_its_place():
    clicks = torch.zeros(1, SAMPLE_RATE)
    clicks[0, 11025::11025] = 1.0
    for semitones in (-2.5, 2.5):
        energy = pitch_shift(clicks, [semitones])[0].square()
        near = sum(energy[at - 220 : at + 221].sum() for at in range(11025, SAMPLE_RATE, 11025))
        assert near > 0.7 * energy.sum()


def test_no_shift_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(2, 10_000, generator=generator)
    torch.testing.assert_close(pitch_shift(waveforms, [0.0, -0.0]), waveforms, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_samples", [1, 2, 100, 2047, 2049])
def test_the_length_is_kept_however_short(n_samples: int):
    shifted = pitch_shift(torch.ones(2, n_samples), [-12.0, 12.0])
    assert shifted.shape == (2, n_samples)
    assert shifted.isfinite().all()


def test_a_clip_does_not_depend_on_its_neighbors_at_all():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(4, 5_000, generator=generator)
    shifts = np.array([1.0, -2.5, 1.0, 0.5])
    together = pitch_shift(waveforms, shifts, 8000)
    for clip in range(4):
        assert torch.equal(together[clip], pitch_shift(waveforms[clip : clip + 1], shifts[clip : clip + 1], 8000)[0])


def test_the_gradient_is_that_of_the_linear_map_with_its_phases_fixed():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(1, 3_000, generator=generator, dtype=torch.float64, requires_grad=True)
    shifted = pitch_shift(waveforms, [1.7], 8000)
    weights = torch.randn(shifted.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((shifted * weights).sum(), waveforms)
    # With fixed phases y = A x, so <y, w> = <x, A* w>, and the gradient is A* w.
    torch.testing.assert_close((shifted * weights).sum(), (waveforms * gradient).sum())


def test_all_ten_shifts_are_drawn_equally_often():
    drawn = PitchShift().draw(np.arange(10_000, dtype=np.uint64)).semitones
    values, counts = np.unique(drawn, return_counts=True)
    assert tuple(values) == PAPER_SHIFTS
    assert counts.min() > 880  # 1000 with a standard deviation of 30


def test_parameters_are_told_with_their_sign():
    told = PitchShiftParameters(np.array([1.5, -2.0])).describe()
    assert told == ["pitch +1.5 semitones", "pitch -2 semitones"]


@pytest.mark.parametrize(
    ("waveforms", "semitones", "sample_rate", "message"),
    [
        (torch.zeros(100), [1.0], 44100, r"shape \(100,\) with semitones of shape \(1,\): give waveforms \[B, T\]"),
        (torch.zeros(2, 100), [1.0], 44100, r"shape \(2, 100\) with semitones of shape \(1,\)"),
        (torch.zeros(1, 0), [1.0], 44100, "with T at least 1"),
        (torch.zeros(1, 100, dtype=torch.int16), [1.0], 44100, "torch.int16: give floating-point samples"),
        (torch.zeros(1, 100), [12.5], 44100, "12.5 semitones: give numbers from -12 to 12"),
        (torch.zeros(1, 100), [float("nan")], 44100, "nan semitones"),
        (torch.zeros(1, 100), [1.0], 0, "0 Hz: give a positive number"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    waveforms: torch.Tensor,
    semitones: list[float],
    sample_rate: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        pitch_shift(waveforms, semitones, sample_rate)


def test_a_configuration_without_a_valid_shift_is_refused():
    with pytest.raises(ValueError, match="no pitch shift to choose from"):
        PitchShift(semitones=())
    with pytest.raises(ValueError, match="-13 semitones"):
        PitchShift(semitones=(1.0, -13.0))
