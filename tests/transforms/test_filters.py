import numpy as np
import pytest
import scipy.signal
import torch

from cohear import keys
from cohear.transforms import HighPass, LowPass
from cohear.transforms.filters import HighPassParameters, LowPassParameters

CUTOFFS_HZ = np.array([60.0, 400.0, 5_000.0, 15_000.0])
LOW, HIGH = LowPass((50.0, 16_000.0)), HighPass((50.0, 16_000.0))


@pytest.mark.parametrize(
    ("kind", "transform", "parameters"),
    [("lowpass", LOW, LowPassParameters(CUTOFFS_HZ)), ("highpass", HIGH, HighPassParameters(CUTOFFS_HZ))],
)
def test_a_filter_equals_a_butterworth_filter_run_forward_and_backward(kind: str, transform, parameters):
    clips = torch.randn(4, 40_001, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = transform.apply(clips, parameters).numpy()
    # The references begin and end with samples that scipy makes up; up to there the longest response has decayed.
    middle = slice(5_000, -5_000)
    for clip, cutoff_hz in enumerate(CUTOFFS_HZ):
        sections = scipy.signal.butter(2, cutoff_hz, kind, fs=44100, output="sos")
        expected = scipy.signal.sosfiltfilt(sections, clips[clip].numpy())
        np.testing.assert_allclose(found[clip, middle], expected[middle], atol=1e-7)


def test_single_precision_is_as_exact_as_it_can_be():
    clips = torch.randn(4, 10_000, generator=torch.Generator().manual_seed(0))
    for transform, parameters in ((LOW, LowPassParameters(CUTOFFS_HZ)), (HIGH, HighPassParameters(CUTOFFS_HZ))):
        expected = transform.apply(clips.double(), parameters)
        assert (transform.apply(clips, parameters) - expected).abs().max() < 5e-6


@pytest.mark.parametrize("place", [0, 3_999])
def test_nothing_wraps_around(place: int):
    clip = torch.zeros(1, 4_000, dtype=torch.float64)
    clip[0, place] = 1.0
    transform = HighPass((50.0, 50.0))
    found = transform.apply(clip, transform.draw(np.zeros(1, np.uint64)))[0]
    longer = torch.zeros(1, 60_000, dtype=torch.float64)
    longer[0, 30_000 + place] = 1.0
    expected = transform.apply(longer, transform.draw(np.zeros(1, np.uint64)))[0, 30_000:34_000]
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_the_amplitude_at_the_cutoff_is_half():
    time_s = torch.arange(44_100) / 44_100
    tone = torch.sin(2 * torch.pi * 3_000 * time_s)[None]
    for transform, kind in ((LOW, LowPassParameters), (HIGH, HighPassParameters)):
        found = transform.apply(tone, kind(np.array([3_000.0])))[0, 5_000:-5_000]
        assert float(found.square().mean().sqrt()) == pytest.approx(0.5 * 0.5**0.5, rel=1e-3)


def test_every_octave_of_cutoffs_is_drawn_equally_often():
    cutoff_hz = LowPass((1_000.0, 16_000.0)).draw(keys.fold_in(np.uint64(0), np.arange(4_000))).cutoff_hz
    counts, _ = np.histogram(np.log2(cutoff_hz / 1_000), bins=4, range=(0, 4))
    assert counts.sum() == 4_000
    assert counts.min() > 890  # 1000 with a standard deviation of 27


def test_a_clip_does_not_depend_on_its_neighbors_at_all():
    # At this length the transforms of a batch and of one clip are computed in other orders.
    clips = torch.randn(4, 10_000, generator=torch.Generator().manual_seed(0))
    for transform, parameters in ((LOW, LowPassParameters(CUTOFFS_HZ)), (HIGH, HighPassParameters(CUTOFFS_HZ))):
        together = transform.apply(clips, parameters)
        for row in range(4):
            assert torch.equal(transform.apply(clips[row : row + 1], parameters.take([row]))[0], together[row])


def test_under_autocast_the_result_is_the_same():
    clips = torch.randn(4, 1_000, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = LOW.apply(clips, LowPassParameters(CUTOFFS_HZ))
    assert torch.equal(found, LOW.apply(clips, LowPassParameters(CUTOFFS_HZ)))


def test_a_batch_without_clips_is_filtered_to_one():
    empty = torch.zeros(0, 100)
    assert LOW.apply(empty, LowPassParameters(CUTOFFS_HZ[:0])).shape == (0, 100)


def test_a_cutoff_is_told_in_words():
    assert LowPassParameters(np.array([4312.3])).describe() == ["low-pass at 4312 Hz"]
    assert HighPassParameters(np.array([312.0])).describe() == ["high-pass at 312 Hz"]


@pytest.mark.parametrize("limits_hz", [(0.0, 100.0), (200.0, 100.0), (100.0, 4_000.0)])
def test_impossible_cutoffs_are_refused_in_one_sentence(limits_hz: tuple[float, float]):
    for kind in (LowPass, HighPass):
        with pytest.raises(ValueError, match="at a sample rate of 8000 Hz: give numbers above 0 and below 4000 Hz"):
            kind(limits_hz, sample_rate=8000)
