"""Embeddings read again by NumPy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.inference.answers import Heard
from cohear.inference.embedding_files import keep_embeddings

EMBEDDINGS = np.random.default_rng(0).standard_normal((1001, 3)).astype(np.float32)


def windows(embeddings: np.ndarray) -> Iterator[Heard]:
    return (Heard(i, i + 1.0, np.zeros(2, np.float32), embedding) for i, embedding in enumerate(embeddings))


def test_embeddings_are_kept_in_the_order_of_windows(tmp_path):
    path = tmp_path / "made" / "a.npy"
    passed = list(keep_embeddings(windows(EMBEDDINGS), path))
    assert [window.start_s for window in passed] == list(range(1001))
    kept = np.load(path, allow_pickle=False)
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, EMBEDDINGS)


def test_there_is_no_file_before_all_windows_have_passed_nor_where_there_are_none(tmp_path):
    passing = keep_embeddings(windows(EMBEDDINGS), tmp_path / "a.npy")
    next(passing)
    passing.close()
    assert list(keep_embeddings(windows(EMBEDDINGS[:0]), tmp_path / "b.npy")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"a\.npy' cannot be written: a file stands where a folder is needed"):
        list(keep_embeddings(windows(EMBEDDINGS), tmp_path / "file" / "a.npy"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("cohear.inference.embedding_files.replacing", full_disk)
    with pytest.raises(UserError, match="the disk is full"):
        list(keep_embeddings(windows(EMBEDDINGS), tmp_path / "a.npy"))


@contextmanager
def full_disk(_path: Path) -> Iterator[BinaryIO]:
    with open("/dev/full", "wb", buffering=0) as file:
        yield file
