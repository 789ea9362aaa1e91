"""A run's folder belongs to one run and one process, tells what it ran on, and is small."""

import copy
import errno
import fcntl
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cohear.data.datasets import read_dataset
from cohear.data.store import StoreSettings, open_store
from cohear.errors import UserError
from cohear.runs.build import ResidentClips, waveform_reader
from cohear.runs.identity import check_folder, check_parent, claimed, locked
from cohear.runs.run import Run
from run_folders_made import write_run
from tiny import SAMPLE_RATE


def test_a_folder_is_one_runs_and_one_processs(tmp_path):
    record = Run(write_run(tmp_path / "made", fold=1)).record
    other = Run(write_run(tmp_path / "other", fold=2)).record
    assert check_folder(Run(tmp_path / "made"), record, resume=False)
    with pytest.raises(UserError, match="fold is 1 there and 2 now"):
        check_folder(Run(tmp_path / "made"), other, resume=True)
    run = Run(tmp_path / "new")
    with claimed(run, record, resume=False) as is_done:
        assert not is_done
        with pytest.raises(UserError, match="another process"), claimed(run, record, resume=True):
            pass
        with pytest.raises(UserError, match="another process"):
            check_folder(run, record, resume=False)
    with pytest.raises(UserError, match="--resume"):
        check_folder(run, record, resume=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.txt"), claimed(Run(tmp_path / "mine"), record, resume=True):
        pass
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]
    with pytest.raises(UserError, match="made"):
        check_parent(tmp_path / "made")


def test_a_lock_or_checkpoints_that_are_links_are_refused_and_what_they_point_to_is_kept(tmp_path):
    theirs, run = tmp_path / "theirs", tmp_path / "run"
    theirs.mkdir()
    run.mkdir()
    (theirs / ".a.1.partial").write_bytes(b"half")
    for name in (".lock", "checkpoint"):
        (run / name).symlink_to(theirs)
        with pytest.raises(UserError, match="is a link"), locked(run):
            pass
        (run / name).unlink()
    assert (theirs / ".a.1.partial").read_bytes() == b"half"


START = {
    "python": "3.11.7",
    "packages": {"cohear": "0.1.0", "torch": "2.13.0+cpu"},
    "processor": "AMD EPYC",
    "n_threads": 1,
    "n_processes": 1,
    "gpu": None,
}


def write_starts(folder: Path, now: dict, *earlier: dict) -> Path:
    (folder / "environment.json").write_text(json.dumps({**now, "earlier_starts": list(earlier)}))
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_threads": 4}, "number of threads (1 and 4)"),
        ({"gpu": "H100"}, "GPU (None and H100)"),
        ({"packages": {"torch": "2.14.1"}}, "version of torch (2.13.0+cpu and 2.14.1)"),
        ({"command": ["cohear", "train", "--resume"]}, None),
    ],
)
def test_what_changed_between_starts_is_said(tmp_path, changes: dict, said: str | None):
    warnings = Run(write_starts(tmp_path, {**copy.deepcopy(START), **changes}, START)).environment_warnings()
    assert len(warnings) == (said is not None)
    assert all(said in warning for warning in warnings)


@pytest.mark.parametrize(
    "content", [b"\x80\x04\xa4", b"[]", b'{"python": "3", "packages": {}, "earlier_starts": [3]}', b"null"]
)
def test_a_damaged_environment_ends_no_run_and_is_written_anew(tmp_path, content):
    path = tmp_path / "environment.json"
    path.write_bytes(content)
    for _ in range(2):
        Run(tmp_path).write_environment(is_compiled=False)
    assert Run(tmp_path).environment["earlier_starts"] == Run(tmp_path).environment_warnings() == []


def test_clips_in_the_memory_of_a_device_are_those_of_the_store_bit_for_bit(tones):
    store = open_store(read_dataset(tones), StoreSettings(SAMPLE_RATE // 2, 0.6), tones.parent / "store")
    rows, cpu = np.array([7, 0, 7, 3]), torch.device("cpu")
    assert len(np.unique(store.scales[rows])) > 1  # resampled, so scaled: the factor matters
    np.testing.assert_array_equal(ResidentClips.of(store, cpu).read(rows).numpy(), store.read(rows))
    np.testing.assert_array_equal(waveform_reader(store, cpu)(rows).numpy(), store.read(rows))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch, number):
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=f"{os.strerror(number)}.*another folder"), locked(tmp_path):
        pass
