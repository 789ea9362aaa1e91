import itertools

import numpy as np
import pytest

from cohear.data.check.sound_meter import SoundMeasures, SoundMeter


def measure(waveforms: np.ndarray, *, rate: int = 8000, cuts: tuple[int, ...] = ()) -> SoundMeasures:
    meter = SoundMeter(rate)
    for block in np.split(np.atleast_2d(waveforms).astype(np.float32), cuts, axis=1):
        meter.add(block)
    return meter.measures()


def noise(n: int = 4000, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(n)


def n_on_flat_tops(waveform: np.ndarray) -> int:
    """Count, sample by sample, those in runs of three or more at the highest or lowest value."""
    runs = [(value, len(list(run))) for value, run in itertools.groupby(waveform.tolist())]
    return sum(n for value, n in runs if n >= 3 and value in (waveform.max(), waveform.min()))


def test_flat_tops_are_counted_as_sample_by_sample_and_wherever_blocks_end():
    clipped = np.clip(noise(level=0.8), -0.7, 0.9).astype(np.float32)
    expected = n_on_flat_tops(clipped) / len(clipped)
    assert expected > 0.02
    assert measure(clipped).flat_share == pytest.approx(expected)
    rising = np.concatenate([0.5 * clipped, clipped])
    assert measure(rising, cuts=(len(clipped),)).flat_share == pytest.approx(n_on_flat_tops(rising) / len(rising))


@pytest.mark.parametrize("waveform", [
    noise(level=0.3),
    np.sin(np.arange(8000) * 0.3),
    np.round(noise(level=1e-4) * 32768) / 32768,  # dither: its extremes are a few steps of 16 bits
    np.zeros(100),
], ids=["noise", "tone", "dither", "zeros"])  # fmt: skip
def test_what_was_not_clipped_has_no_flat_tops(waveform):
    assert measure(waveform).flat_share == 0


def test_one_clipped_channel_is_enough():
    clipped = np.clip(noise(level=0.8), -0.7, 0.7)
    both = measure(np.stack([noise(level=0.2), clipped]))
    assert both.flat_share == measure(clipped).flat_share > 0


@pytest.mark.parametrize(("waveform", "is_silent"), [
    (np.zeros(100), True),
    (np.full(100, 0.2), True),  # a constant is not heard
    (noise(level=1e-5), True),
    (noise(level=1e-3), False),
    (np.stack([np.zeros(4000), noise()]), False),
], ids=["zeros", "constant", "-100 dB", "-60 dB", "one channel"])  # fmt: skip
def test_silence_is_what_hardly_moves(waveform, is_silent):
    assert measure(waveform).is_silent == is_silent


def test_content_is_that_of_the_samples_whatever_surrounds_or_divides_them():
    sound = np.concatenate([noise(), np.zeros(70_000), noise(seed=1)])  # longer silence than is hashed at a time
    content = measure(sound).content
    padded = np.concatenate([np.zeros(50), sound, np.zeros(999)])
    assert content is not None
    assert measure(padded).content == content
    assert measure(padded, cuts=(20, 60, 3000, 5000, 60_000, 74_060, 77_000)).content == content
    assert measure(np.stack([sound, sound])).content == content


def test_content_changes_with_a_sample_a_gap_and_the_rate():
    sound = noise()
    changed = sound.copy()
    changed[2000] += 1e-3
    gap = np.concatenate([sound[:2000], np.zeros(7), sound[2000:]])
    contents = {
        measure(x, rate=rate).content for x, rate in ((sound, 8000), (changed, 8000), (gap, 8000), (sound, 44100))
    }
    assert len(contents) == 4
    assert measure(np.zeros(9)).content is None


def test_peak_and_length_are_those_of_all_blocks():
    measures = measure(np.array([0.1, -0.5, 0.3, 1.5]), cuts=(2,))
    assert (measures.n_samples, measures.peak) == (4, 1.5)
