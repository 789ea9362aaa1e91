"""A run's `config.json` is read whole, of the right types, or refused in one sentence."""

import json
import os

import pytest

from cohear.errors import UserError
from cohear.experiments.run_folder import read_record
from faults.fuzz.inputs import corpus

GIVEN = next(json.loads(seed.data) for seed in corpus("configuration") if seed.name == "small.json")


def read(folder, values):
    (folder / "config.json").write_text(values if isinstance(values, str) else json.dumps(values), "utf-8")
    return read_record(folder)


def test_it_is_read_as_it_was_written(tmp_path):
    record = read(tmp_path, GIVEN)
    assert (record.classes, record.clip_s, record.multi_label) == (("frog", "Kröte"), 1.5, True)
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    written = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert {name: value for name, value in written.items() if name != "config"} == {
        name: value for name, value in GIVEN.items() if name != "config"
    }


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("data_path", 5, "'data_path': input should be a valid string"),
        ("classes", "frog", "'classes': input should be a valid tuple"),
        ("classes", ["frog", 1], "'classes.1': input should be a valid string"),
        ("clip_s", float("nan"), "'clip_s': input should be"),
        ("clip_s", -1, "'clip_s': input should be greater than 0"),
        ("config", {"seed": -1}, "'config.seed': input should be greater"),
        ("config", {"code": 1}, "'config.code': extra inputs"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, name, value, reason):
    with pytest.raises(UserError) as error:
        read(tmp_path, {**GIVEN, name: value})
    assert f"config.json' is not a run's configuration ({reason}" in str(error.value)


def test_what_is_no_plain_file_or_much_too_deep_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a run's configuration"):
        read(tmp_path, "[" * 100_000)
    os.remove(tmp_path / "config.json")
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(UserError, match="is a pipe, a socket or a device"):
        read_record(tmp_path)
