"""What each command prints and writes when all is well."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tiny import OPTIONS

COMMANDS = (
    *("demo", "check", "train", "crossval", "reproduce", "compare", "report"),
    *("evaluate", "predict", "pack", "export", "listen"),
)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_help_and_readers_import_no_torch():
    said = python("import sys, cohear; from cohear.cli import run; run(['--help']); print('torch' in sys.modules)")
    assert said.splitlines()[-1] == "False"
    assert all(f"\n  {command}" in said for command in COMMANDS)
    imported = python(
        "import importlib, pkgutil, sys, cohear.data, cohear.keys\n"
        "for module in pkgutil.iter_modules(cohear.data.__path__, 'cohear.data.'):\n"
        "    importlib.import_module(module.name)\n"
        "print('cohear.data.store' in sys.modules, 'torch' in sys.modules)"
    )
    assert imported.split() == ["True", "False"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_fits_a_narrow_terminal(cohear, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    said = cohear(command, "--help")
    assert said.status == 0
    assert f"  cohear {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 60


def test_no_command_shows_the_help(cohear):
    said = cohear()
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("Usage: cohear")


def test_settings_are_listed_as_set_takes_them(cohear):
    said = cohear("train", "--settings", *OPTIONS)
    assert cohear("crossval", "--settings", *OPTIONS).out == said.out
    assert said.status == 0
    assert {"training.epochs=2", "data.clip_s=None", "views.n_band_masks=1,2"} <= set(said.out.splitlines())
    again = cohear("train", "--settings", *(w for line in said.out.split()[1:] for w in ("--set", line)), *OPTIONS)
    assert again.out == said.out


def test_train_says_what_it_does_and_a_finished_run_is_not_made_again(cohear, tones, trained):
    files = {"config.json", "environment.json", "history.jsonl", "metrics.json", "model.safetensors", "report.html"}
    assert files | {"predictions.safetensors", "predictions.csv"} <= {path.name for path in trained.iterdir()}
    modified = (trained / "model.safetensors").stat().st_mtime_ns
    said = cohear("train", tones, *OPTIONS, "--track", "end", "--out", trained)
    assert said.status == 0
    assert said.out.startswith("accuracy ")
    assert "on 9 clips of fold 1" in said.out
    assert said.out.endswith("(finished before)\n")
    assert f"Combination-CL, fold 1, 2 epochs, 0.6 s clips -> {trained}" in said.err
    assert (trained / "model.safetensors").stat().st_mtime_ns == modified


def test_fold_and_seed_can_be_set_by_name(cohear, tones, tmp_path):
    words = ("--set", "fold=2", "--set", "seed=3", "--set", "training.epochs=1", "--track", "end")
    assert cohear("train", tones, *OPTIONS, *words, "--out", tmp_path).status == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["fold"], metrics["seed"]) == (2, 3)


@pytest.mark.slow
def test_report_is_written_anew_from_the_folder(cohear, drawn, trained):
    (trained / "report.html").unlink()
    said = cohear("report", trained)
    assert (said.status, said.out) == (0, "")
    assert f"report: {trained / 'report.html'}" in said.err
    page = (trained / "report.html").read_text()
    assert page.count("data:audio/") >= 3
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_predict_prints_a_table_with_one_best_label_per_window(cohear, tones, trained, tmp_path):
    long = tmp_path / "long.wav"
    soundfile.write(long, 0.1 * np.random.default_rng(0).standard_normal((22050, 2)), 22050)
    said = cohear("predict", trained, long, tones.parent / "tone0-1-0.wav")
    assert said.status == 0
    assert said.out.splitlines()[0] == "path,start_s,end_s,label,probability"
    rows = table(said.out)
    assert [(row["start_s"], row["end_s"]) for row in rows] == [
        *(("0.000", "0.600"), ("0.400", "1.000")),
        ("0.000", "0.600"),
    ]
    assert [row["path"] for row in rows] == [str(long)] * 2 + [str(tones.parent / "tone0-1-0.wav")]
    assert {row["label"] for row in rows} <= {"tone0", "tone1", "tone2"}


def test_predict_top_lists_the_likeliest_first_and_probabilities_add_up_to_one(cohear, tones, trained):
    rows = table(cohear("predict", trained, tones.parent / "tone1-2-0.wav", "--top", 3).out)
    probabilities = [float(row["probability"]) for row in rows]
    assert sorted(row["label"] for row in rows) == ["tone0", "tone1", "tone2"]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=2e-4)


def test_predict_agrees_with_the_predictions_of_the_run(cohear, tones, trained):
    predicted = table((trained / "predictions.csv").read_text())
    rows = table(cohear("predict", trained, *(tones.parent / row["path"] for row in predicted)).out)
    assert [row["label"] for row in rows] == [row["predicted"] for row in predicted]
    for row, known in zip(rows, predicted, strict=True):
        assert float(row["probability"]) == pytest.approx(float(known["probability"]), abs=1e-3)  # kept in float16


def test_predict_keeps_what_can_be_read_and_names_what_cannot(cohear, tones, trained, tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    (tmp_path / "b.wav").write_bytes((tones.parent / "tone0-1-0.wav").read_bytes())
    (tmp_path / "notes.txt").write_text("not looked at")
    said = cohear("predict", trained, tmp_path, tmp_path / "gone.wav")
    assert said.status == 2
    assert [row["path"] for row in table(said.out)] == [str(tmp_path / "b.wav")]
    assert "left out: " in said.err
    assert "a.wav cannot be read as sound" in said.err
    assert "gone.wav does not exist" in said.err
    assert said.err.splitlines()[-1] == "cohear: 2 of 3 files could not be read; the others are in the table"


def test_predict_on_files_that_cannot_be_read_prints_no_table(cohear, tones, trained, tmp_path):
    for name in ("a b.wav", "c.wav"):
        (tmp_path / name).write_text("no sound")
    alone = cohear("predict", trained, tmp_path / "a b.wav")
    assert alone.refuses("cannot be read as sound", f"ffmpeg -i '{tmp_path / 'a b.wav'}'")
    assert len(alone.err.splitlines()) == 1
    both = cohear("predict", trained, tmp_path)
    assert (both.status, both.out) == (2, "")
    assert both.err.count("left out: ") == 2
    assert both.err.splitlines()[-1] == "cohear: not one of 2 files could be read; see the reasons above"


def test_predict_is_told_from_training_on_a_table(cohear, tones, trained):
    assert cohear("predict", trained, tones).refuses("tones.csv' is a table, and predict listens to sounds")
