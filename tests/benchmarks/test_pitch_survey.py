import numpy as np
import pytest

from cohear.benchmarks.pitch_survey import survey


def test_no_shift_is_perfect_and_its_half_six_db_too_soft():
    found = survey(lambda signals, _: signals, [0.0], [440.0, 1_000.0], 8_000)
    assert found.error_cents < 1e-3
    assert max(found.residual_db, found.low_pair_db, found.harmonics_db) < -80
    assert found.level_db == pytest.approx(0, abs=1e-3)
    assert found.noise_level_db == pytest.approx(0, abs=1e-3)
    assert (found.click_share, found.click_level_db) == (1.0, 0.0)
    assert np.isnan(found.alias_db)
    soft = survey(lambda signals, _: signals / 2, [0.0], [440.0], 8_000)
    for level_db in (soft.level_db, soft.noise_level_db, soft.click_level_db):
        assert level_db == pytest.approx(20 * np.log10(0.5), abs=1e-3)


def test_the_worst_shift_and_the_worst_tone_are_reported():
    def shift(signals: np.ndarray, semitones: np.ndarray) -> np.ndarray:
        return signals  # as if every shift were by nothing

    found = survey(shift, [0.0, 0.1, -0.4], [440.0, 2_000.0], 8_000)
    assert found.error_cents == pytest.approx(40.0, abs=0.01)
    assert found.noise_level_db == pytest.approx(10 * np.log10(2 ** (0.1 / 12)), abs=1e-3)
    assert survey(shift, [2.0], [440.0], 8_000).alias_db == pytest.approx(0.0, abs=1e-3)
