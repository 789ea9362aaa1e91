import numpy as np
import pytest
import torch

from benchmarks import pitch_quality as quality
from cohear.transforms import pitch_shift

SAMPLE_RATE = 44100
SHIFTS = (*quality.PAPER_SHIFTS[::3], *np.random.default_rng(0).uniform(-2.5, 2.5, 3).round(3))


def shifted(signals: list[np.ndarray], semitones: float, sample_rate: int = SAMPLE_RATE) -> list[np.ndarray]:
    waveforms = torch.from_numpy(np.stack(signals)).float()
    outputs = pitch_shift(waveforms, [semitones] * len(signals), sample_rate)
    assert outputs.shape == waveforms.shape
    assert outputs.isfinite().all()
    return list(outputs.double().numpy())


@pytest.mark.parametrize("semitones", [pytest.param(s, marks=pytest.mark.slow) for s in SHIFTS if s != 2.5] + [2.5])
def test_every_shift_is_in_tune_clean_level_sharp_and_free_of_aliases(semitones: float):
    tones = [quality.tone(hz, SAMPLE_RATE, phase=0.7 * i) for i, hz in enumerate(quality.TONES_HZ)]
    noise = quality.white_noise(SAMPLE_RATE)
    aliases = [quality.tone(hz, SAMPLE_RATE) for hz in quality.alias_tones_hz(semitones, SAMPLE_RATE)]
    others = [noise, quality.low_pair(SAMPLE_RATE), quality.harmonics(SAMPLE_RATE), quality.click_train(SAMPLE_RATE)]
    outputs = shifted([*tones, *others, *aliases], semitones)

    for hz, output in zip(quality.TONES_HZ, outputs, strict=False):
        found = quality.tone_quality(output, hz * 2 ** (semitones / 12), SAMPLE_RATE)
        assert abs(found.error_cents) <= 0.1
        assert abs(found.level_db) <= 0.1
        assert found.residual_db <= -75
    noise_output, pair_output, harmonics_output, click_output, *alias_outputs = outputs[len(tones) :]
    assert abs(quality.noise_level_db(noise_output, noise, semitones, SAMPLE_RATE)) <= 0.5
    assert quality.low_pair_residual_db(pair_output, semitones, SAMPLE_RATE) <= -50
    assert quality.harmonics_residual_db(harmonics_output, semitones, SAMPLE_RATE) <= -60
    assert quality.click_share(click_output, SAMPLE_RATE) >= 0.95
    assert abs(quality.click_level_db(click_output, others[3], semitones)) <= 0.5
    for hz in quality.LOW_PAIR_HZ:
        note = quality.tone_quality(pair_output, hz * 2 ** (semitones / 12), SAMPLE_RATE, amplitude=0.3)
        assert abs(note.level_db) <= 0.1
    for alias, output in zip(aliases, alias_outputs, strict=True):
        assert quality.alias_db(output, alias, SAMPLE_RATE) <= -80


@pytest.mark.parametrize(
    ("sample_rate", "semitones"),
    [
        (22_050, 7.31),
        *(
            pytest.param(rate, semitones, marks=pytest.mark.slow)
            for rate in (8_000, 16_000, 48_000)
            for semitones in (-12.0, -3.3, 12.0)
        ),
    ],
)
def test_wide_shifts_at_any_rate_keep_pitch_level_and_length(sample_rate: int, semitones: float):
    tones_hz = [hz for hz in quality.TONES_HZ[::2] if hz < sample_rate / 5]
    tones = [quality.tone(hz, sample_rate, phase=i) for i, hz in enumerate(tones_hz)]
    for hz, output in zip(tones_hz, shifted(tones, semitones, sample_rate), strict=True):
        found = quality.tone_quality(output, hz * 2 ** (semitones / 12), sample_rate)
        assert abs(found.error_cents) <= 0.5
        assert abs(found.level_db) <= 0.5


def test_a_click_stays_a_click_beside_a_tone():
    clicks, tone = quality.click_train(SAMPLE_RATE), quality.tone(440.0, SAMPLE_RATE, amplitude=0.2)
    (output,) = shifted([clicks + tone], 2.5)
    # Above 5 kHz there is the click alone.
    spectrum = np.fft.rfft(output)
    spectrum[np.fft.rfftfreq(len(output), 1 / SAMPLE_RATE) < 5_000] = 0.0
    assert quality.click_share(np.fft.irfft(spectrum), SAMPLE_RATE) >= 0.9  # the worst of nineteen


@pytest.mark.parametrize("semitones", [-2.5, pytest.param(2.5, marks=pytest.mark.slow)])
def test_a_gliding_note_is_no_onset(semitones: float):
    # Up and down by half an octave twice a second: faster than any vibrato. A partial that were cut anew whenever it
    # comes to another bin would lose level where its pieces meet.
    time_s = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    frequencies_hz = 880 * 2 ** (0.25 * np.sin(2 * np.pi * 2 * time_s))
    (output,) = shifted([0.5 * np.sin(2 * np.pi * np.cumsum(frequencies_hz) / SAMPLE_RATE)], semitones)
    levels_db = 10 * np.log10(np.square(output[SAMPLE_RATE : 4 * SAMPLE_RATE]).reshape(-1, 441).mean(axis=1) / 0.125)
    assert np.abs(levels_db).max() < 0.5


def test_no_shift_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(2, 10_000, generator=generator)
    assert torch.equal(pitch_shift(waveforms, [0.0, -0.0]), waveforms)


@pytest.mark.parametrize("n_samples", [1, 2, 100, 2047, 2049])
def test_the_length_is_kept_however_short(n_samples: int):
    shifted = pitch_shift(torch.ones(2, n_samples), [-12.0, 12.0])
    assert shifted.shape == (2, n_samples)
    assert shifted.isfinite().all()


def test_the_gradient_is_that_of_the_linear_map_with_its_phases_fixed():
    generator = torch.Generator().manual_seed(0)
    waveforms = torch.randn(1, 3_000, generator=generator, dtype=torch.float64, requires_grad=True)
    shifted = pitch_shift(waveforms, [1.7], 8000)
    weights = torch.randn(shifted.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((shifted * weights).sum(), waveforms)
    # With fixed phases y = A x, so <y, w> = <x, A* w>, and the gradient is A* w.
    torch.testing.assert_close((shifted * weights).sum(), (waveforms * gradient).sum())
