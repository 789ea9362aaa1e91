"""Sealed tensors come back exactly, and no flipped bit goes unnoticed."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from cohear.runtime.sealed_tensors import seal, unseal

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array(7, np.int64),
    "none": np.zeros((0, 4), np.float16),
}
ABOUT = {"sums": [0.1, 1e-300, 1 / 3], "note": "é", "deep": {"x": None}}


def is_the_same(data: bytes) -> bool:
    tensors, about = unseal(data)
    found = {name: (array.dtype, array.shape, array.tobytes()) for name, array in tensors.items()}
    return about == ABOUT and found == {name: (a.dtype, a.shape, a.tobytes()) for name, a in TENSORS.items()}


def test_tensors_and_words_come_back_exactly_and_others_can_read_the_tensors(tmp_path):
    data = seal(TENSORS, ABOUT)
    assert is_the_same(data)
    (tmp_path / "file").write_bytes(data)
    with safe_open(tmp_path / "file", framework="np") as archive:
        assert np.array_equal(archive.get_tensor("b"), TENSORS["b"])
    assert len({seal(dict(order), ABOUT) for order in (TENSORS.items(), list(TENSORS.items())[::-1]) * 10}) == 1


def test_no_flipped_bit_goes_unnoticed():
    data = seal(TENSORS, ABOUT)
    n_harmless = 0  # as a space of the header that became a tab
    for bit in range(8 * len(data)):
        spoiled = bytearray(data)
        spoiled[bit // 8] ^= 1 << bit % 8
        try:
            assert is_the_same(bytes(spoiled))
            n_harmless += 1
        except ValueError:
            continue
    assert n_harmless < 0.01 * 8 * len(data)


@pytest.mark.parametrize("n_left", [0, 4, 8, 100, -1])
def test_a_file_that_was_cut_is_refused(n_left):
    with pytest.raises(ValueError, match="damaged"):
        unseal(seal(TENSORS, ABOUT)[:n_left])


@pytest.mark.parametrize("metadata", [None, {"sealed": json.dumps({"about": "{}"})}, {"sealed": "["}])
def test_a_file_that_was_never_sealed_is_refused(metadata):
    with pytest.raises(ValueError, match="checksum"):
        unseal(save(TENSORS, metadata))
