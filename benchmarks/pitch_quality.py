"""How good a pitch shift is, measured on signals of which the shifted version is known.

Everything is measured between seconds 1 and 4, away from the ends of the clip, except clicks. A tone has to be found
at its new frequency with its old level and nothing beside it; of a click the energy has to stay in its place; what
would lie above half the sample rate has to be gone. Levels compare with the ideal: a shift down loses nothing, a shift
up by a factor r moves the share 1 - 1 / r of a white spectrum out of the band.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

PAPER_SHIFTS = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5)
"""Semitones; Iqbal et al. 2021, section 3.1."""
TONES_HZ = tuple(60.0 * 2 ** (third / 3) for third in range(23))
"""Every third of an octave from 60 Hz to 10 kHz."""
LOW_PAIR_HZ = (110.0, 165.0)
"""A fifth that a short window cannot tell apart."""
HARMONICS_HZ = tuple(220.0 * k for k in range(1, 11))
"""A note with ten partials."""

_DURATION_S = 5.0
_FIRST_S, _LAST_S = 1, 4  # what is measured
_CLICK_PERIOD_S = 0.25
_CLICK_HALF_WIDTH_S = 0.005
_PAIR_HALF_WIDTH_HZ = 6.0
_NOTHING = 1e-30  # keeps the logarithm of nothing finite: -300 dB


def tone(
    frequency_hz: float,
    sample_rate: int,
    duration_s: float = _DURATION_S,
    phase: float = 0.0,
    amplitude: float = 0.5,
) -> Float[np.ndarray, " time"]:
    """Return a sine.

    Args:
        frequency_hz: below half the sample rate.
        sample_rate: Hz.
        duration_s: seconds; what is to be measured needs at least 4.
        phase: radians.
        amplitude: of full scale.
    """
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return amplitude * np.sin(2 * np.pi * frequency_hz * time_s + phase)


def low_pair(sample_rate: int, duration_s: float = _DURATION_S) -> Float[np.ndarray, " time"]:
    """Return the sum of two low notes, `LOW_PAIR_HZ`."""
    return sum(
        (tone(hz, sample_rate, duration_s, phase=i, amplitude=0.3) for i, hz in enumerate(LOW_PAIR_HZ)),
        start=np.zeros(()),
    )


def harmonics(sample_rate: int, duration_s: float = _DURATION_S) -> Float[np.ndarray, " time"]:
    """Return a note of ten partials, `HARMONICS_HZ`, partial k at 1 / k of the first."""
    return sum(
        (tone(hz, sample_rate, duration_s, phase=k * k, amplitude=0.3 / k) for k, hz in enumerate(HARMONICS_HZ, 1)),
        start=np.zeros(()),
    )


def white_noise(sample_rate: int, duration_s: float = _DURATION_S, seed: int = 1) -> Float[np.ndarray, " time"]:
    """Return Gaussian noise at -20 dB of full scale."""
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * sample_rate))


def click_train(sample_rate: int, duration_s: float = _DURATION_S) -> Float[np.ndarray, " time"]:
    """Return unit impulses 0.25 s apart, none at either end."""
    clicks = np.zeros(round(duration_s * sample_rate))
    clicks[_click_samples(len(clicks), sample_rate)] = 1.0
    return clicks


def alias_tones_hz(semitones: float, sample_rate: int) -> tuple[float, ...]:
    """Return frequencies at least 5 % above the highest that still fits after the shift; none where it is below it.

    Args:
        semitones: the shift; a shift down makes everything fit.
        sample_rate: Hz.

    Example:
        >>> [round(hz) for hz in alias_tones_hz(2.0, 44100)]
        [20627, 21338]
    """
    lowest_hz = 1.05 * sample_rate / 2 / 2 ** (semitones / 12)
    if semitones <= 0 or lowest_hz >= sample_rate / 2:
        return ()
    return lowest_hz, (lowest_hz + sample_rate / 2) / 2


@dataclass(frozen=True)
class ToneQuality:
    """What became of a tone."""

    error_cents: float
    """Frequency over the expected one, cents."""
    level_db: float
    """Level over the expected one, dB."""
    residual_db: float
    """Energy outside +-50 cents and +-8 Hz of the expected frequency over all energy, dB."""


def tone_quality(
    output: Float[np.ndarray, " time"], expected_hz: float, sample_rate: int, amplitude: float = 0.5
) -> ToneQuality:
    """Measure a shifted tone.

    The frequency is that of the strongest line within a semitone and 8 Hz of the expected one, from the phase by which
    its Fourier coefficient advances between two halves of what is measured; for a steady tone exact to 1e-6 cents.

    Args:
        output: the shifted tone, at least 4 s.
        expected_hz: where it should lie.
        sample_rate: Hz.
        amplitude: it should have.

    Raises:
        ValueError: if the output is shorter than 4 s.
    """
    middle = _middle(output, sample_rate)
    half = len(middle) // 2
    middle, window = middle[: 2 * half], np.blackman(half)
    near_hz = _strongest_line_hz(middle, expected_hz, sample_rate)
    carrier = np.exp(-2j * np.pi * near_hz / sample_rate * np.arange(2 * half))
    first, second = ((carrier * middle).reshape(2, half) * window).sum(axis=1)
    # The phase tells the frequency up to multiples of the inverse of half the duration: near_hz is far closer.
    measured_hz = near_hz + np.angle(second * first.conj()) * sample_rate / (2 * np.pi * half)
    measured_amplitude = (np.abs(first) + np.abs(second)) / window.sum()
    return ToneQuality(
        error_cents=float(1200 * np.log2(measured_hz / expected_hz)),
        level_db=float(20 * np.log10(max(measured_amplitude / amplitude, _NOTHING))),
        residual_db=residual_db(output, [expected_hz], half_width_hz(expected_hz), sample_rate),
    )


def half_width_hz(frequency_hz: float) -> float:
    """Return the width of what counts as the tone itself, to either side: 50 cents and 8 Hz."""
    return frequency_hz * (2 ** (50 / 1200) - 1) + 8


def residual_db(
    output: Float[np.ndarray, " time"],
    kept_hz: Sequence[float],
    half_widths_hz: float | Sequence[float],
    sample_rate: int,
) -> float:
    """Return the energy that lies away from some frequencies over all energy, dB; 0 for silence.

    Args:
        output: at least 4 s.
        kept_hz: where energy belongs.
        half_widths_hz: how far to either side of each, or of all.
        sample_rate: Hz.

    Raises:
        ValueError: if the output is shorter than 4 s.
    """
    middle = _middle(output, sample_rate)
    power = np.abs(np.fft.rfft(middle * np.blackman(len(middle)))) ** 2
    if not power.any():
        return 0.0
    frequencies_hz = np.fft.rfftfreq(len(middle), 1 / sample_rate)
    away = np.ones(len(power), bool)
    for hz, width_hz in zip(kept_hz, np.broadcast_to(half_widths_hz, len(kept_hz)), strict=True):
        away &= np.abs(frequencies_hz - hz) > width_hz
    return float(10 * np.log10(max(power[away].sum() / power.sum(), _NOTHING)))


def low_pair_residual_db(output: Float[np.ndarray, " time"], semitones: float, sample_rate: int) -> float:
    """Return the energy of a shifted `low_pair` further than 6 Hz from its notes over all energy, dB."""
    ratio = 2 ** (semitones / 12)
    return residual_db(output, [hz * ratio for hz in LOW_PAIR_HZ], _PAIR_HALF_WIDTH_HZ, sample_rate)


def harmonics_residual_db(output: Float[np.ndarray, " time"], semitones: float, sample_rate: int) -> float:
    """Return the energy of shifted `harmonics` further than 50 cents and 8 Hz from them over all energy, dB."""
    expected_hz = [hz * 2 ** (semitones / 12) for hz in HARMONICS_HZ]
    return residual_db(output, expected_hz, [half_width_hz(hz) for hz in expected_hz], sample_rate)


def click_share(output: Float[np.ndarray, " time"], sample_rate: int) -> float:
    """Return how much of each click of a shifted `click_train` lies within 5 ms of its place; the worst of all clicks.

    A click's energy is that between the middles of the gaps before and after it; a click without any counts as 0.
    """
    energy = np.square(np.asarray(output, np.float64))
    reach, gap = int(_CLICK_HALF_WIDTH_S * sample_rate), round(_CLICK_PERIOD_S * sample_rate) // 2
    shares = [
        energy[at - reach : at + reach + 1].sum() / max(energy[at - gap : at + gap].sum(), _NOTHING)
        for at in _click_samples(len(energy), sample_rate)
    ]
    return float(min(shares))


def click_level_db(output: Float[np.ndarray, " time"], clicks: Float[np.ndarray, " time"], semitones: float) -> float:
    """Return the energy of a shifted `click_train` over the ideal, dB."""
    return _level_db(output, clicks, semitones)


def noise_level_db(
    output: Float[np.ndarray, " time"], noise: Float[np.ndarray, " time"], semitones: float, sample_rate: int
) -> float:
    """Return the energy of shifted `white_noise` over the ideal, dB."""
    return _level_db(_middle(output, sample_rate), _middle(noise, sample_rate), semitones)


def alias_db(output: Float[np.ndarray, " time"], tone: Float[np.ndarray, " time"], sample_rate: int) -> float:
    """Return what is left of a tone of `alias_tones_hz` that should be gone, over what it was, dB."""
    return _energy_ratio_db(_middle(output, sample_rate), _middle(tone, sample_rate))


def _level_db(output: np.ndarray, original: np.ndarray, semitones: float) -> float:
    lost_db = 10 * np.log10(2 ** (max(semitones, 0.0) / 12))
    return _energy_ratio_db(output, original) + float(lost_db)


def _energy_ratio_db(output: np.ndarray, original: np.ndarray) -> float:
    energies = [np.square(np.asarray(signal, np.float64)).sum() for signal in (output, original)]
    return float(10 * np.log10(max(energies[0] / energies[1], _NOTHING)))


def _middle(signal: np.ndarray, sample_rate: int) -> Float[np.ndarray, " time"]:
    if signal.ndim != 1 or len(signal) < _LAST_S * sample_rate:
        raise ValueError(f"a signal of shape {signal.shape} at {sample_rate} Hz: give one clip of at least {_LAST_S} s")
    return np.asarray(signal[_FIRST_S * sample_rate : _LAST_S * sample_rate], np.float64)


def _click_samples(n_samples: int, sample_rate: int) -> list[int]:
    n_clicks = int(np.ceil(n_samples / (_CLICK_PERIOD_S * sample_rate))) - 1
    return [round(k * _CLICK_PERIOD_S * sample_rate) for k in range(1, n_clicks + 1)]


def _strongest_line_hz(middle: Float[np.ndarray, " time"], expected_hz: float, sample_rate: int) -> float:
    """Find the peak of the spectrum near a frequency, to a small part of a bin."""
    log_power = 2 * np.log(np.maximum(np.abs(np.fft.rfft(middle * np.blackman(len(middle)))), _NOTHING))
    bin_hz = sample_rate / len(middle)
    reach_hz = expected_hz * (2 ** (1 / 12) - 1) + 8
    first = max(1, int((expected_hz - reach_hz) / bin_hz))
    last = min(len(log_power) - 2, int(np.ceil((expected_hz + reach_hz) / bin_hz)))
    peak = first + int(np.argmax(log_power[first : last + 1]))
    # The logarithm of a Blackman window's main lobe is nearly a parabola; its vertex lies between the bins.
    below, here, above = log_power[peak - 1 : peak + 2]
    curvature = below - 2 * here + above
    return float((peak + ((below - above) / 2 / curvature if curvature < 0 else 0.0)) * bin_hz)


Shift = Callable[[Float[np.ndarray, "batch time"], Float[np.ndarray, " batch"]], Float[np.ndarray, "batch time"]]
"""Shifts each of some float32 clips by its own number of semitones."""


@dataclass(frozen=True)
class PitchSurvey:
    """What is furthest from the ideal, over all shifts and signals; nan where nothing was measured."""

    error_cents: float
    """Greatest |frequency error| of a tone, cents."""
    residual_db: float
    """Greatest energy beside a tone, dB of all."""
    level_db: float
    """Level of a tone furthest from what it was, dB."""
    noise_level_db: float
    """Level of white noise furthest from the ideal, dB."""
    low_pair_db: float
    """Greatest energy beside two low notes, dB of all."""
    harmonics_db: float
    """Greatest energy beside ten partials, dB of all."""
    click_share: float
    """Smallest share of the energy of clicks that stays within 5 ms, in [0, 1]."""
    click_level_db: float
    """Level of clicks furthest from the ideal, dB."""
    alias_db: float
    """Greatest remainder of a tone that should be gone, dB of it; nan for shifts down only."""


def survey(
    shift: Shift,
    semitones: Sequence[float] = PAPER_SHIFTS,
    tones_hz: Sequence[float] = TONES_HZ,
    sample_rate: int = 44100,
) -> PitchSurvey:
    """Measure a pitch shift.

    Args:
        shift: is called once per number of semitones, with all signals as one batch.
        semitones: the shifts, at least one.
        tones_hz: frequencies of the tones, at least one; shifted they lie below half the sample rate.
        sample_rate: Hz; above 5 kHz, so that the partials fit.
    """
    noise, clicks = white_noise(sample_rate), click_train(sample_rate)
    fixed = [noise, low_pair(sample_rate), harmonics(sample_rate), clicks]
    fixed += [tone(hz, sample_rate, phase=0.7 * i) for i, hz in enumerate(tones_hz)]
    found = []
    for number in semitones:
        aliases = [tone(hz, sample_rate) for hz in alias_tones_hz(number, sample_rate)]
        signals = np.stack([*fixed, *aliases]).astype(np.float32)
        outputs = shift(signals, np.full(len(signals), float(number)))
        expected_hz = np.array(tones_hz) * 2 ** (number / 12)
        tones = [tone_quality(output, hz, sample_rate) for output, hz in zip(outputs[4:], expected_hz, strict=False)]
        left_db = [alias_db(out, into, sample_rate) for out, into in zip(outputs[len(fixed) :], aliases, strict=True)]
        found.append(
            PitchSurvey(
                error_cents=max(abs(one.error_cents) for one in tones),
                residual_db=max(one.residual_db for one in tones),
                level_db=max((one.level_db for one in tones), key=abs),
                noise_level_db=noise_level_db(outputs[0], noise, number, sample_rate),
                low_pair_db=low_pair_residual_db(outputs[1], number, sample_rate),
                harmonics_db=harmonics_residual_db(outputs[2], number, sample_rate),
                click_share=click_share(outputs[3], sample_rate),
                click_level_db=click_level_db(outputs[3], clicks, number),
                alias_db=max(left_db, default=math.nan),
            )
        )
    names = [one.name for one in fields(PitchSurvey)]
    return PitchSurvey(**{name: _worst(name, [getattr(one, name) for one in found]) for name in names})


def _worst(name: str, values: Sequence[float]) -> float:
    """Return the smallest share, the level furthest from zero, the greatest of anything else."""
    measured = [value for value in values if not math.isnan(value)]
    if name == "click_share":
        return min(measured)
    return max(measured, key=abs if "level" in name else None, default=math.nan)
