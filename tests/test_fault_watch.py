"""The watch of the fault tests sees who reads a file, and says where it would not."""

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from faults import watched
from faults.watched import blindness, mark_unread, was_read, watch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the watch asks the kernel of Linux")


def test_a_reading_is_seen(tmp_path: Path):
    assert blindness(tmp_path) is None


def test_a_mapped_file_is_seen_and_one_that_is_looked_for_is_not(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    save_file({"a": np.zeros(3)}, path)
    mark_unread(path)
    watch(look_for, path)
    assert not was_read(path)
    watch(open_mapped, path)
    assert was_read(path)
    mark_unread(path)
    assert not was_read(path)
    path.unlink()
    assert was_read(path)


def look_for(path: Path) -> None:
    assert path.stat().st_size
    assert list(path.parent.iterdir())


def open_mapped(path: Path) -> None:
    with safe_open(path, framework="np") as file:
        file.get_tensor("a")


def test_a_watch_that_sees_nothing_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(watched, "was_read", lambda _: False)
    assert blindness(tmp_path) == "read by Python, a file was not seen to be read"
    monkeypatch.setattr(watched, "was_read", lambda _: True)
    assert blindness(tmp_path) == "read by nobody, a file was seen to be read"
