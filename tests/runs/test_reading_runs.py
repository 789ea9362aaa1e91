"""A run folder read back: as it was written, or refused by the name of the file that is wrong."""

import json
import os

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.runs.finding import find_finished, find_readable
from cohear.runs.run import Run
from run_folders_made import write_run


def read(folder):
    run = Run(folder)
    return run, run.record, run.metrics, run.history, run.environment


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = Run(write_run(tmp_path / "run", fold=2, seed=7, wrong=(0, 5), warnings=["one", "two"]))
    assert (run.record.model, run.config.method, run.config.fold) == ("Combination-CL", "consistency", 2)
    assert (run.accuracy, run.n_clips, run.jsd, run.metrics["jsd_own"]) == (0.9, 20, 0.05, 0.04)
    assert run.metrics["warnings"] == ["one", "two"]
    assert [record["epoch"] for record in run.history] == [1, 2, 3]
    assert run.config.seed == 7
    assert np.flatnonzero(~run.predictions.correct).tolist() == [0, 5]
    Run(tmp_path / "again").write_record(run.record)
    assert (tmp_path / "again" / "config.json").read_bytes() == (run.folder / "config.json").read_bytes()


def test_runs_are_found_below_a_folder_and_once_only(tmp_path):
    first, second = write_run(tmp_path / "a" / "one"), write_run(tmp_path / "a" / "deep" / "two", seed=1)
    half = write_run(tmp_path / "a" / "half", seed=2)
    (half / "metrics.json").unlink()
    finished, unfinished = find_finished([tmp_path / "a"])
    assert {run.folder for run in finished} == {first, second}
    assert [run.folder for run in unfinished] == [half]
    (first / "config.json").write_text("{}")
    assert {run.folder for run in find_readable(tmp_path, "")} == {second, half}


def test_pages_among_runs_are_passed_over(tmp_path):
    run, page = write_run(tmp_path / "run"), tmp_path / "comparison-2.html"
    page.write_text("<html>")
    assert [found.folder for found in find_finished([page, run])[0]] == [run]
    with pytest.raises(UserError, match="comparison-2"):
        find_finished([page])


@pytest.mark.parametrize("place", ["nowhere", "file", "half", "folder of half", "empty"])
def test_where_no_finished_run_is_the_place_is_named(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "half", tmp_path / "folder of half" / "run"):
        (write_run(folder) / "metrics.json").unlink()
    with pytest.raises(UserError, match=place):
        find_finished([tmp_path / place])


def test_a_folder_that_is_no_run_is_not_called_an_unfinished_one(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        _ = Run(tmp_path / "nowhere").metrics


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "history.jsonl", "environment.json"])
@pytest.mark.parametrize("content", [b'{"epoch": 0', b"[1]", b"\xff\xfe", b"{}", b"[" * 100_000, "a pipe", None])
def test_a_missing_or_damaged_file_is_named(tmp_path, name, content):
    file = write_run(tmp_path / "run") / name
    file.unlink()
    if content == "a pipe":
        os.mkfifo(file)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match="run' is no run" if (name, content) == ("config.json", None) else "run"):
        read(tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value"), [("accuracy", "high"), ("accuracy", 2), ("n_clips", 1.5), ("fold", None), ("jsd", "low")]
)
def test_a_metric_of_the_wrong_kind_is_named(tmp_path, key, value):
    write_run(tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text()) | {key: value}
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=key):
        read(tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value"),
    [("data_path", 5), ("classes", ["frog", 1]), ("schema", 99), ("config", {"seed": -1}), ("config", {"code": 1})],
)
def test_a_record_of_the_wrong_kind_is_refused(tmp_path, key, value):
    file = write_run(tmp_path / "run") / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(UserError, match=r"config\.json"):
        read(tmp_path / "run")


@pytest.mark.parametrize("fault", ["missing", "other clips", "other answers"])
def test_predictions_that_are_not_the_runs_are_refused_when_they_are_asked_for(tmp_path, fault):
    folder = write_run(tmp_path / "run")
    file = folder / "predictions.safetensors"
    if fault == "missing":
        file.unlink()
    else:
        other = {"other clips": {"n_clips": 19}, "other answers": {"wrong": (1,)}}[fault]
        (write_run(tmp_path / "other", **other) / file.name).replace(file)
    run = Run(folder)
    with pytest.raises(UserError, match=file.name):
        _ = run.predictions
