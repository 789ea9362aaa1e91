import json

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.reports.run_folders import read_run, read_runs, unfinished_runs


def test_a_run_is_read_as_it_was_written(tmp_path, write_run):
    run = read_run(write_run(tmp_path / "run", fold=2, seed=7, wrong=(0, 5), warnings=["one", "two"]))
    assert (run.model, run.method, run.transform, run.fold, run.seed) == (
        "Combination-CL", "consistency", "combination", 2, 7,
    )  # fmt: skip
    assert (run.accuracy, run.n_clips, run.jsd, run.jsd_own) == (0.9, 20, 0.05, 0.04)
    assert run.warnings == ("one", "two")
    assert [record["epoch"] for record in run.history] == [0, 1, 2]
    assert run.config["seed"] == 7


def test_predictions_are_read_as_indices_into_the_classes(tmp_path, write_run):
    answers = read_run(write_run(tmp_path / "run", wrong=(0, 5))).predictions
    assert answers.classes == ("dog", "rain", "siren", "bird")
    np.testing.assert_array_equal(answers.labels, np.arange(20) % 4)
    np.testing.assert_array_equal(np.flatnonzero(~answers.correct), [0, 5])
    assert answers.predicted[0] == 1
    assert answers.groups[:3] == ("recording 1-0", "recording 1-0", "recording 1-1")


def test_runs_are_found_below_a_folder_and_once_only(tmp_path, write_run):
    first, second = write_run(tmp_path / "a" / "one"), write_run(tmp_path / "a" / "deep" / "two", seed=1)
    runs = read_runs([tmp_path / "a", first])
    assert {run.folder for run in runs} == {first, second}
    assert len(runs) == 2


def test_an_unfinished_run_below_a_folder_is_left_out_and_named(tmp_path, write_run):
    write_run(tmp_path / "whole")
    half = write_run(tmp_path / "half", seed=1)
    (half / "metrics.json").unlink()
    assert [run.seed for run in read_runs([tmp_path])] == [0]
    assert unfinished_runs([tmp_path]) == [half]


def test_an_unfinished_run_given_by_its_path_is_refused(tmp_path, write_run):
    (write_run(tmp_path / "half") / "metrics.json").unlink()
    with pytest.raises(UserError, match=r"half' holds an unfinished run .* --resume"):
        read_runs([tmp_path / "half"])


def test_a_folder_of_unfinished_runs_only_is_refused(tmp_path, write_run):
    (write_run(tmp_path / "half") / "metrics.json").unlink()
    with pytest.raises(UserError, match="holds no finished run, only 1 unfinished"):
        read_runs([tmp_path])


@pytest.mark.parametrize(("name", "sentence"), [("nowhere", "does not exist"), ("file", "is a file")])
def test_a_path_that_is_no_folder_is_refused(tmp_path, name, sentence):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"{name}' {sentence}: give the folder of a run"):
        read_runs([tmp_path / name])


def test_an_empty_folder_is_no_run(tmp_path):
    with pytest.raises(UserError, match="is not a run folder"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["environment.json", "history.jsonl"])
def test_a_missing_file_is_named(tmp_path, write_run, name):
    (write_run(tmp_path / "run") / name).unlink()
    with pytest.raises(UserError, match=f"{name}' is missing: remove metrics.json beside it"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "history.jsonl"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'{"epoch": 0', "not JSON"), (b"[1]", "not a JSON object"), (b"\xff\xfe", "it is not text")],
)
def test_a_damaged_file_is_named(tmp_path, write_run, name, content, reason):
    (write_run(tmp_path / "run") / name).write_bytes(content)
    remedy = "copy it back from elsewhere" if name == "config.json" else "remove metrics.json beside it"
    with pytest.raises(UserError, match=f"{name}' is damaged \\({reason}.*: {remedy}"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value"), [("accuracy", "high"), ("seed", 1.5), ("fold", None), ("method", 3), ("jsd", True)]
)
def test_a_metric_of_the_wrong_kind_is_named(tmp_path, write_run, key, value):
    write_run(tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text()) | {key: value}
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=f"'{key}' cannot be {value!r}"):
        read_run(tmp_path / "run")


def test_an_unknown_method_is_named(tmp_path, write_run):
    with pytest.raises(UserError, match="there is no method 'best' with transform 'pitch'"):
        read_run(write_run(tmp_path / "run", "best", "pitch"))


def test_a_configuration_without_settings_is_refused(tmp_path, write_run):
    (write_run(tmp_path / "run") / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config.json' is damaged \(it has no 'config'\)"):
        read_run(tmp_path / "run")


def test_a_lacking_metric_is_named(tmp_path, write_run):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text("{}")
    with pytest.raises(UserError, match="it has no 'accuracy'"):
        read_run(tmp_path / "run")


def test_missing_predictions_are_named_when_they_are_asked_for(tmp_path, write_run):
    folder = write_run(tmp_path / "run")
    (folder / "predictions.safetensors").unlink()
    run = read_run(folder)
    with pytest.raises(UserError, match=r"predictions.safetensors' is missing: remove metrics.json beside it"):
        _ = run.predictions


def test_predictions_of_another_number_of_clips_are_refused(tmp_path, write_run):
    folder, other = write_run(tmp_path / "run"), write_run(tmp_path / "other", n_clips=19)
    (other / "predictions.safetensors").replace(folder / "predictions.safetensors")
    with pytest.raises(UserError, match=r"is damaged \(it has 19 clips, metrics.json says 20\)"):
        _ = read_run(folder).predictions


def test_the_table_beside_the_predictions_is_for_the_eye_only(tmp_path, write_run):
    folder = write_run(tmp_path / "run")
    (folder / "predictions.csv").write_text("anything")
    assert len(read_run(folder).predictions.paths) == 20


def test_answers_that_are_not_those_of_the_metrics_are_refused(tmp_path, write_run):
    write_run(tmp_path / "run", accuracy=0.5)
    with pytest.raises(UserError, match=r"is damaged \(18 answers are right, metrics.json says 50.00%\)"):
        _ = read_run(tmp_path / "run").predictions
