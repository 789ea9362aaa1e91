import copy
import json
import os
from pathlib import Path

import pytest

from cohear.experiments.environment_record import environment_warnings, write_environment
from cohear.experiments.presets import preset
from cohear.runtime.environment import describe_environment

OLD = {
    "python": "3.11.7",
    "packages": {"cohear": "0.1.0", "torch": "2.13.0+cpu"},
    "platform": "Linux",
    "processor": "AMD EPYC",
    "n_cores": 2,
    "n_threads": 1,
    "gpu": None,
    "command": ["cohear", "train", "sounds"],
    "earlier_starts": [],
}
"""What the first version wrote."""


def write(folder: Path, environment: dict, *earlier: dict) -> Path:
    (folder / "environment.json").write_text(json.dumps({**environment, "earlier_starts": list(earlier)}))
    return folder


def test_a_run_of_one_environment_needs_no_warning(tmp_path):
    now = describe_environment()
    assert environment_warnings(write(tmp_path, now, {**now, "command": ["cohear", "train", "--resume"]})) == []


def test_the_record_of_an_earlier_version_is_read(tmp_path):
    assert environment_warnings(write(tmp_path, OLD)) == []
    assert environment_warnings(write(tmp_path, {**OLD, "n_processes": 1}, OLD)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_threads": 4}, "another number of threads (1 and 4)"),
        ({"n_processes": 2}, "another number of processes (1 and 2)"),
        ({"processor": "Xeon"}, "another processor (AMD EPYC and Xeon)"),
        ({"gpu": "H100"}, "another GPU (none and H100)"),
        ({"packages": {"cohear": "0.1.0", "torch": "2.14.1"}}, "another version of torch (2.13.0+cpu and 2.14.1)"),
    ],
)
def test_what_changed_between_starts_is_said_in_their_order(tmp_path, changes: dict, said: str):
    (warning,) = environment_warnings(write(tmp_path, {**copy.deepcopy(OLD), **changes}, OLD))
    assert warning == f"the run was resumed with {said}, so its last bits are of neither"


@pytest.mark.parametrize(
    "content", [b"\x80\x04\xa4", b"[]", b"{}", b'{"earlier_starts": 1}', b'{"earlier_starts": [3]}', b"null"]
)
def test_a_damaged_record_ends_no_run_and_is_written_anew(tmp_path, content, caplog):
    path = tmp_path / "environment.json"
    path.write_bytes(content)
    assert environment_warnings(tmp_path) == [
        f"what the run was made with is not known: '{path}' is missing or damaged"
    ]
    write_environment(tmp_path, preset("small"), is_compiled=False)
    assert caplog.messages == [
        f"'{path}' is missing or damaged; it is written anew, without the earlier starts of this run"
    ]
    assert json.loads(path.read_text())["earlier_starts"] == []
    assert environment_warnings(tmp_path) == []


def test_a_record_that_is_gone_or_a_pipe_ends_no_run(tmp_path):
    (warning,) = environment_warnings(tmp_path)
    os.mkfifo(tmp_path / "environment.json")
    assert environment_warnings(tmp_path) == [warning]
