"""Finished runs whose files or sounds are gone: what can be lost is kept, what is missing is named."""

import json
import shutil
from pathlib import Path

import pytest

from cohear.experiments.identity import NUMERICS
from tiny import OPTIONS, write_tones

ONE_EPOCH = (*OPTIONS, "--set", "training.epochs=1", "--track", "end")


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run that may be spoiled."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\x00"])
def test_damaged_metrics_are_named_with_the_way_out(cohear, tones, copied, content):
    metrics = (copied / "metrics.json").read_text()
    (copied / "metrics.json").write_text(content)
    words = ("train", tones, *OPTIONS, "--track", "end", "--out", copied)
    assert cohear(*words).refuses(f"'{copied / 'metrics.json'}' is damaged", "remove that file and go on with --resume")
    (copied / "metrics.json").unlink()
    assert cohear(*words, "--resume").status == 0
    assert json.loads((copied / "metrics.json").read_text()) == json.loads(metrics)


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"numerics": None}, "config.json' is not a run's configuration (it has no 'numerics')"),
        ({"colour": "red"}, "this version of cohear does not know its 'colour'"),
        (
            {"numerics": 1, "identity": "0"},
            f"made by another version of cohear, or its config.json was changed: numerics 1 there and {NUMERICS} now",
        ),
        ({"identity": "0"}, "made by another version of cohear, or its config.json was changed; choose another --out"),
    ],
)
def test_a_run_of_another_version_is_refused_in_words(cohear, tones, copied, changes, culprit):
    facts = {**json.loads((copied / "config.json").read_text()), **changes}
    (copied / "config.json").write_text(json.dumps({name: value for name, value in facts.items() if value is not None}))
    assert cohear("train", tones, *OPTIONS, "--track", "end", "--out", copied).refuses(culprit)


def hide_sounds(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data_path": "gone/sounds.csv"}))


def test_a_report_with_sounds_is_not_replaced_by_one_without(cohear, copied):
    hide_sounds(copied)
    (copied / "report.html").write_text("<audio controls></audio>")
    assert cohear("report", copied).refuses(
        f"the report of '{copied}' is left as it is", "gone/sounds.csv does not exist", "where training was started"
    )
    assert (copied / "report.html").read_text() == "<audio controls></audio>"


def test_a_run_without_a_page_gets_one_without_sounds(cohear, copied):
    hide_sounds(copied)
    (copied / "report.html").unlink()
    said = cohear("report", copied)
    assert said.status == 0
    assert "the report of run shows no sounds: " in said.err
    assert (copied / "report.html").exists()


def test_report_renders_the_table_of_predictions_anew(cohear, copied, trained):
    (copied / "predictions.csv").unlink()
    assert cohear("report", copied).status == 0
    assert (copied / "predictions.csv").read_bytes() == (trained / "predictions.csv").read_bytes()
    file = copied / "predictions.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert cohear("report", copied).refuses(f"'{file}' is damaged (it cannot be read: ", "go on with --resume")


def test_missing_and_damaged_weights_are_named_and_the_page_is_kept(cohear, copied):
    weights, page = copied / "model.safetensors", (copied / "report.html").read_bytes()
    weights.write_bytes(weights.read_bytes()[:-8])
    for command in (("report", copied), ("predict", copied, copied)):
        assert cohear(*command).refuses(
            f"'{weights}' cannot be used (the file is damaged)", "remove metrics.json beside it and go on with --resume"
        )
    weights.unlink()
    assert cohear("predict", copied, copied).refuses(
        f"'{weights}' are missing", "remove metrics.json beside it and go on with --resume"
    )
    assert (copied / "report.html").read_bytes() == page


def test_a_run_without_weights_gets_a_page_without_sounds_that_replaces_none_with_sounds(cohear, copied):
    page = copied / "report.html"
    (copied / "model.safetensors").unlink()
    page.write_text("an old report")
    said = cohear("report", copied)
    assert (said.status, said.out) == (0, "")
    assert said.err == f"the report of run shows no sounds: its weights are missing\nreport: {page}\n"
    assert page.read_text() == "a report"
    page.write_text("<audio controls></audio>")
    assert cohear("report", copied).refuses(
        f"the report of '{copied}' is left as it is", "its weights are missing", "copy them into its folder"
    )
    assert page.read_text() == "<audio controls></audio>"


def test_a_report_that_fails_does_not_keep_others_from_being_written(cohear, copied, trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    (other / "report.html").unlink()
    (copied / "model.safetensors").write_bytes(b"")
    assert cohear("report", copied, other).refuses("model.safetensors' cannot be used")
    assert (other / "report.html").exists()


@pytest.mark.slow
def test_crossval_compares_with_the_finished_runs_on_the_same_clips_only(cohear, tones, tmp_path):
    runs = tmp_path / "runs"
    others = write_tones(tmp_path / "other-sounds", n_classes=2)
    assert cohear("train", tones, *ONE_EPOCH, "--method", "none", "--out", runs / "mine").status == 0
    assert cohear("train", others, *ONE_EPOCH, "--out", runs / "elsewhere").status == 0
    shutil.copytree(runs / "mine", runs / "a copy")
    shutil.copytree(runs / "mine", runs / "half")
    (runs / "half" / "metrics.json").unlink()
    damaged = json.loads((runs / "mine" / "config.json").read_text())
    shutil.copytree(runs / "mine", runs / "spoiled")
    (runs / "spoiled" / "config.json").write_text(json.dumps({**damaged, "identity": "0"}))
    (runs / "spoiled" / "metrics.json").write_text("{")
    said = cohear("crossval", tones, *ONE_EPOCH, "--method", "bda", "--out", runs)
    assert said.status == 0
    assert f"compared with 1 other finished run on the same clips in {runs}/" in said.err
    assert "left out of the comparison: " in said.err
    assert "\nNo Augmentation" in said.out
    assert "\nCombination-BDA" in said.out
    assert "other-sounds" not in (runs / "comparison.html").read_text()
