"""The worst that a pitch shift does over many shifts and signals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cohear.benchmarks import pitch_quality as quality

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
    semitones: Sequence[float] = quality.PAPER_SHIFTS,
    tones_hz: Sequence[float] = quality.TONES_HZ,
    sample_rate: int = 44100,
) -> PitchSurvey:
    """Measure a pitch shift.

    Args:
        shift: is called once per number of semitones, with all signals as one batch.
        semitones: the shifts, at least one.
        tones_hz: frequencies of the tones, at least one; shifted they lie below half the sample rate.
        sample_rate: Hz; above 5 kHz, so that the partials fit.
    """
    tones: list[quality.ToneQuality] = []
    noise_db, pair_db, harmonics_db, shares, click_db, alias_db = (list[float]() for _ in range(6))
    noise, clicks = quality.white_noise(sample_rate), quality.click_train(sample_rate)
    fixed = [noise, quality.low_pair(sample_rate), quality.harmonics(sample_rate), clicks]
    fixed += [quality.tone(hz, sample_rate, phase=0.7 * i) for i, hz in enumerate(tones_hz)]
    for number in semitones:
        aliases = [quality.tone(hz, sample_rate) for hz in quality.alias_tones_hz(number, sample_rate)]
        signals = np.stack([*fixed, *aliases]).astype(np.float32)
        outputs = shift(signals, np.full(len(signals), float(number)))
        noise_db.append(quality.noise_level_db(outputs[0], noise, number, sample_rate))
        pair_db.append(quality.low_pair_residual_db(outputs[1], number, sample_rate))
        harmonics_db.append(quality.harmonics_residual_db(outputs[2], number, sample_rate))
        shares.append(quality.click_share(outputs[3], sample_rate))
        click_db.append(quality.click_level_db(outputs[3], clicks, number))
        for hz, output in zip(tones_hz, outputs[4:], strict=False):
            tones.append(quality.tone_quality(output, hz * 2 ** (number / 12), sample_rate))
        for alias, output in zip(aliases, outputs[len(fixed) :], strict=True):
            alias_db.append(quality.alias_db(output, alias, sample_rate))
    return PitchSurvey(
        error_cents=max(abs(tone.error_cents) for tone in tones),
        residual_db=max(tone.residual_db for tone in tones),
        level_db=max((tone.level_db for tone in tones), key=abs),
        noise_level_db=max(noise_db, key=abs),
        low_pair_db=max(pair_db),
        harmonics_db=max(harmonics_db),
        click_share=min(shares),
        click_level_db=max(click_db, key=abs),
        alias_db=max(alias_db, default=math.nan),
    )
