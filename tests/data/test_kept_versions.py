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


def test_a_disk_that_is_full_half_way_is_left_as_it_was(tmp_path, monkeypatch: pytest.MonkeyPatch):
    room = os.posix_fallocate

    def full(descriptor: int, first: int, n_bytes: int) -> None:
        room(descriptor, first, min(n_bytes, 200))
        if n_bytes > 200:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        open_versions(tmp_path, 3, 2, 100)
    assert {path.name for path in tmp_path.iterdir()} <= {"lock"}


@pytest.mark.parametrize("name", ["waveforms.int16", "scales.float32", "kept.uint8"])
@pytest.mark.parametrize("is_gone", [True, False])
def test_where_a_file_is_gone_or_cut_short_nothing_counts_as_kept(tmp_path, name: str, is_gone: bool):
    first = open_versions(tmp_path, 3, 2, 100)
    for array in (first.waveforms, first.scales, first.is_kept):
        array[:] = 1
    if is_gone:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(b"\x01")
    second = open_versions(tmp_path, 3, 2, 100)
    assert not any(array.any() for array in (second.waveforms, second.scales, second.is_kept))
