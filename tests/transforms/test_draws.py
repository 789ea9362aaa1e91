"""What is drawn fills its range evenly: counts of 10,000 draws, within four standard deviations of equal shares."""

import numpy as np
import pytest

from cohear import keys
from cohear.dsp.recordings import Recordings
from cohear.transforms import (
    AddNoise,
    AddRecordedNoise,
    Chain,
    Choose,
    Clipping,
    Gain,
    LowPass,
    PitchShift,
    Reverb,
    SpecAugment,
    TimeShift,
)

PITCH = PitchShift(semitones=(-1.0, 1.0, 2.0))
RECORDED = AddRecordedNoise(Recordings(np.ones((3, 5), np.float32), 8000), (-6, 2), 8000)
MANY = keys.fold_in(keys.key(0, "views"), np.arange(10_000))
N = len(MANY)


@pytest.mark.parametrize(
    ("transform", "field", "places"),
    [
        (PitchShift(), "semitones", (-2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5)),
        (Reverb(n_rooms=6, sample_rate=8000), "response", range(6)),
        (TimeShift(0.003, sample_rate=1000), "shift_s", np.arange(-3, 4) / 1000),
        (RECORDED, "recording", range(3)),
        (SpecAugment(frame_masks=(1, 3)), "n_frame_masks", (1, 2, 3)),
        (Choose((PITCH, PITCH, PITCH)), "choice", range(3)),
        (RECORDED, "start", (0, 1)),
        (RECORDED, "snr_db", (-6, 2)),
        (AddNoise((-6, 2)), "snr_db", (-6, 2)),
        (Gain((-6, 2)), "gain_db", (-6, 2)),
        (Clipping((-6, 0)), "threshold_db", (-6, 0)),
        (LowPass((1_000, 16_000)), "cutoff_hz", (1_000, 16_000)),
    ],
)
def test_each_value_is_drawn_equally_often(transform, field: str, places):
    drawn = getattr(transform.draw(MANY), field)
    if len(places) > 2:
        values, counts = np.unique(drawn, return_counts=True)
        np.testing.assert_allclose(values, places, atol=1e-12)
    else:  # in equal parts of the range; of frequencies, octaves
        scale = np.log2 if field == "cutoff_hz" else np.asarray
        counts, _ = np.histogram(scale(drawn), bins=8, range=tuple(scale(np.array(places, float))))
    share = N / len(counts)
    assert counts.sum() == N
    assert np.abs(counts - share).max() < 4 * np.sqrt(share)


def test_a_choice_follows_its_probabilities_and_members_are_independent():
    drawn = Choose((PITCH, PITCH, PITCH), probabilities=(0.2, 0.0, 0.8)).draw(MANY)
    np.testing.assert_allclose(np.bincount(drawn.choice, minlength=3) / N, [0.2, 0, 0.8], atol=0.02)
    chained = Chain((PITCH, PITCH)).draw(MANY).members
    together = np.stack((drawn.choice, drawn.members[0].semitones, *(member.semitones for member in chained)))
    correlations = np.corrcoef(together)
    # A member has the same keys in any place of its number, here and there.
    assert np.abs(correlations[[0, 0, 0, 2], [1, 2, 3, 3]]).max() < 0.04
