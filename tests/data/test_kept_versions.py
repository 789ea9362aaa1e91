import errno
import os

import numpy as np
import pytest

from cohear.data.kept_versions import open_versions


def test_what_was_kept_is_there_when_opened_again(tmp_path):
    first = open_versions(tmp_path / "versions", 3, 2, 100)
    assert not first.is_kept.any()
    first.waveforms[1, 0] = np.arange(100)
    first.scales[1, 0] = 0.5
    first.is_kept[1, 0] = 1
    second = open_versions(tmp_path / "versions", 3, 2, 100)
    assert second.waveforms[1, 0].tolist() == list(range(100))
    assert second.scales[1, 0] == 0.5
    assert second.is_kept.tolist() == [[0, 0], [1, 0], [0, 0]]


def test_the_room_is_taken_at_once(tmp_path):
    open_versions(tmp_path, 10, 2, 50_000)
    assert os.stat(tmp_path / "waveforms.int16").st_blocks * 512 >= 10 * 2 * 50_000 * 2


def test_a_full_disk_is_an_error_before_anything_is_mapped(tmp_path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        open_versions(tmp_path, 3, 2, 100)


def test_a_file_of_another_size_is_made_anew(tmp_path):
    open_versions(tmp_path, 3, 2, 100).is_kept[:] = 1
    (tmp_path / "kept.uint8").write_bytes(b"\x01")
    assert not open_versions(tmp_path, 3, 2, 100).is_kept.any()
