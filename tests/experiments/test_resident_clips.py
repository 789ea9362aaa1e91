"""Clips in the memory of a device are those of the store."""

import numpy as np
import torch

from cohear.data.datasets import read_dataset
from cohear.data.store import StoreSettings, open_store
from cohear.experiments.resident_clips import ResidentClips, waveform_reader
from tiny import SAMPLE_RATE

CPU = torch.device("cpu")


def test_resident_clips_are_those_of_the_store_bit_for_bit(tones):
    store = open_store(read_dataset(tones), StoreSettings(SAMPLE_RATE // 2, 0.6), tones.parent / "store")
    rows = np.array([7, 0, 7, 3])
    assert len(np.unique(store.scales[rows])) > 1  # resampled, so scaled: the factor matters
    resident = ResidentClips.of(store, CPU).read(rows)
    np.testing.assert_array_equal(resident.numpy(), store.read(rows))
    np.testing.assert_array_equal(waveform_reader(store, CPU)(rows).numpy(), store.read(rows))
