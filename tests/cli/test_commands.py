"""What commands print and write when all is well; packed, exported and evaluated runs say what the run says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jaxtyping
import numpy as np
import onnxruntime
import pytest
import soundfile
import soxr

from cohear.cli import COMMANDS
from cohear.evaluation import consistency, robustness
from cohear.inference import onnx_export
from cohear.inference.classifier import load
from cohear.reports import plots, robustness_report
from cohear.runs import trained_model
from cohear.runs.config import FIELDS
from cohear.runs.run import Run
from tiny import OPTIONS, TINY

PAGE = Path(__file__).parents[2] / "docs" / "exporting.md"


def python(code: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()


def test_help_and_readers_import_no_torch():
    *said, has_torch = python("import sys; from cohear.cli import run; run(['--help']); print('torch' in sys.modules)")
    assert has_torch == "False"
    assert set(COMMANDS) <= {line.split()[0] for line in said if line.startswith("  ")}
    imported = python(
        "import importlib, pkgutil, sys, cohear.data, cohear.keys\n"
        "for module in pkgutil.iter_modules(cohear.data.__path__, 'cohear.data.'):\n"
        "    importlib.import_module(module.name)\n"
        "print('cohear.data.store' in sys.modules, 'torch' in sys.modules)"
    )
    assert imported == ["True False"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_fits_a_narrow_terminal(cohear, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    said = cohear(command, "--help")
    assert said.status == 0
    assert f"  cohear {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 60


@pytest.mark.parametrize("command", ["train", "check"])
def test_settings_are_listed_as_set_takes_them(cohear, command):
    said = cohear(command, *(["data"] if command == "check" else []), "--settings", *OPTIONS)
    assert said.status == 0
    assert {*TINY, "preset=quarter", "data.clip_s=None"} <= set(said.out.splitlines())
    assert [line.split("=")[0] for line in said.out.splitlines()] == list(FIELDS)
    again = [word for line in said.out.splitlines()[1:] for word in ("--set", line)]
    assert cohear("train", "--settings", "--preset", "quarter", *again).out == said.out


def test_epochs_scale_every_schedule_and_set_alone_does_not(cohear):
    def settings(*words: object) -> dict[str, str]:
        said = cohear("train", "--preset", "paper", "--settings", *words)
        return dict(line.split("=", 1) for line in said.out.splitlines())

    schedules = ("training.epochs", "objective.ramp_epochs", "optimizer.decay_epochs")
    assert [float(settings("--epochs", 36)[name]) for name in schedules] == [36, 5, 1]
    assert [float(settings("--set", "training.epochs=36")[name]) for name in schedules] == [36, 10, 2]


def test_train_says_what_it_does_and_writes_its_folder(cohear, tones, tmp_path):
    run = tmp_path / "run"
    words = (
        *("--set", "fold=2", "--seed", 3, "--set", "training.epochs=1"),
        *("--transform", "noise(snr_db=0..20)+pitch,masking"),
    )
    said = cohear("train", tones, *OPTIONS, *words, "--track", "end", "--out", run)
    assert said.status == 0
    assert re.search(r"^accuracy [\d.]+% .*\b9 clips .*fold 2", said.out, re.MULTILINE)
    assert re.match(r"\d+% ", said.out)  # the verdict comes first
    assert "noise(snr_db=0..20)+pitch,masking-CL, fold 2, 1 epoch, 0.6 s clips" in said.err
    files = {"config.json", "environment.json", "history.jsonl", "metrics.json", "model.safetensors", "report.html"}
    assert files | {"predictions.safetensors", "predictions.csv"} <= {path.name for path in run.iterdir()}
    metrics = json.loads((run / "metrics.json").read_text())
    assert {
        *("accuracy", "n_clips", "nll", "jsd", "jsd_own", "method", "transform", "fold", "seed", "model", "dataset"),
        *("preset", "epochs", "precision", "experiment", "schema"),
    } <= metrics.keys()
    assert (metrics["fold"], metrics["seed"], metrics["epochs"]) == (2, 3, 1)


def test_a_run_on_every_clip_tells_what_cross_validation_lets_expect(cohear, tones, tmp_path):
    words = (tones, *OPTIONS, "--set", "training.epochs=1", "--track", "end")
    assert cohear("crossval", *words, "--out", tmp_path / "cv").status == 0
    said = cohear("train", *words, "--fold", "all", "--crossval", tmp_path / "cv", "--out", tmp_path / "all")
    assert said.status == 0
    assert "expect an accuracy of" in said.out
    assert cohear("compare", tmp_path / "all").refuses("trained on every clip")
    assert cohear("report", tmp_path / "all").status == 0


def test_report_is_written_anew_from_the_folder(cohear, drawn, copied):
    (copied / "report.html").unlink()
    said = cohear("report", copied)
    assert (said.status, said.out) == (0, "")
    page = (copied / "report.html").read_text()
    assert page.count("data:audio/") >= 3
    assert "http://" not in page.replace("http://www.w3.org", "")


# packed


def test_a_packed_run_predicts_what_the_run_predicts_and_has_its_card_and_equal_bytes(
    cohear, tones, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    packed, notes = tmp_path / "tones.cohear", ("--notes", "CC0, *ours*")
    said = cohear("pack", trained, packed, "--card", "card.md", *notes)
    assert (said.status, said.out) == (0, "")
    sounds = sorted(tones.parent.glob("tone1-*.wav"))
    there, here = (cohear("predict", model, *sounds, "--top", 3) for model in (trained, packed))
    assert len(there.rows) == 3 * len(sounds)
    assert here.out == there.out
    assert "\nCC0, *ours*\n" in Path("card.md").read_text("utf-8")
    assert cohear("pack", trained, *notes).status == 0
    assert Path("run.cohear").read_bytes() == packed.read_bytes()
    assert cohear("pack", packed, "again.cohear").refuses(packed)
    with monkeypatch.context() as patched:
        patched.setattr(trained_model, "MAX_FILE_BYTES", packed.stat().st_size - 1)
        assert cohear("pack", trained, "large.cohear").refuses(trained, "GB")
    assert not Path("large.cohear").exists()
    packed.write_bytes(packed.read_bytes()[:-100])
    assert cohear("predict", packed, sounds[0]).refuses(packed)


# exported


def accuracy_of(model: Path, run: Path, sounds: Path) -> float:
    """Judge a file on the run's test clips without cohear, and see that no clip is answered otherwise."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    labels, sample_rate = json.loads(facts["classes"]), int(facts["sample_rate"])
    predictions = Run(run).predictions
    assert predictions.classes == tuple(labels)
    answers = []
    for path in predictions.paths:
        samples, rate = soundfile.read(sounds / path, dtype="float32")
        waveform = soxr.resample(samples, rate, sample_rate, quality="HQ")
        n_samples = round(float(facts["clip_s"]) * sample_rate)
        waveform = np.pad(waveform, (0, max(0, n_samples - len(waveform))))
        (probabilities,) = session.run(["probabilities"], {"waveforms": waveform[None]})
        answers.append(probabilities[0].argmax())
    assert np.array_equal(answers, predictions.predicted)
    return float(np.mean(np.array(answers) == predictions.labels))


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory) -> Path:
    """The trained run, exported without the command: it takes ten seconds."""
    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of annotations cannot be exported
        file.write_bytes(onnx_export.to_onnx(load(trained)))
    return file


def test_the_exported_file_has_the_run_s_accuracy_and_the_page_s_program_runs_alone(tones, trained, exported, tmp_path):
    assert accuracy_of(exported, trained, tones.parent) == Run(trained).accuracy
    (tmp_path / "model.onnx").write_bytes(exported.read_bytes())
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    two = [soundfile.read(tones.parent / f"tone{label}-1-0.wav")[0] for label in (0, 2)]
    soundfile.write(tmp_path / "street.wav", np.stack([np.concatenate(two)] * 2, -1), 8000, subtype="PCM_16")
    alone = f"import sys; sys.modules['torch'] = sys.modules['cohear'] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = load(trained).predict(tmp_path / "street.wav")
    assert done.stdout.splitlines() == [f"{row.start_s:.1f} s: {row.label} ({row.probability:.0%})" for row in expected]
    assert len(expected) == 2


def test_an_export_is_compared_before_it_is_written_and_needs_its_extra(
    cohear, trained, exported, tmp_path, monkeypatch
):
    out = tmp_path / "model.onnx"
    monkeypatch.setattr(onnx_export, "to_onnx", lambda _: exported.read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(onnx_export, "compare", lambda *_: (0.025, 3))
        assert cohear("export", trained, out).refuses("2.5e-02")
        patched.setattr(onnx_export, "compare", lambda *_: (float("nan"), 3))
        assert cohear("export", trained, out).refuses("nan")
        for package in ("onnx", "onnxruntime", "onnxscript"):
            with patched.context() as without:
                without.setitem(sys.modules, package, None)
                assert cohear("export", trained, out).refuses(package, "pip install 'cohear[onnx]'")
    assert not out.exists()
    said = cohear("export", trained, out)
    assert said.status == 0
    difference = re.search(r"on 18 clips of tones: .* (\S+), the same likeliest label for 18 of 18$", said.out.strip())
    assert difference
    assert float(difference[1]) < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.esc50
def test_the_exported_file_has_the_run_s_accuracy_on_a_fold_of_esc10(cohear, esc50, tmp_path):
    run, out = tmp_path / "run", tmp_path / "model.onnx"
    words = ("train", esc50, "--esc10", *OPTIONS, "--method", "none", "--track", "end", "--out", run)
    assert cohear(*words, "--set", "training.batch_size=48").status == 0
    assert cohear("export", run, out).status == 0
    assert Run(run).n_clips == 80
    assert accuracy_of(out, run, esc50) == Run(run).accuracy


# evaluated


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few changes, no rooms to make, and no pictures to draw."""
    few = tuple(its for its in consistency.PERTURBATIONS if its.kind == "masking")
    for module in (consistency, plots, robustness_report):
        monkeypatch.setattr(module, "PERTURBATIONS", few)
    for module in (robustness, plots):
        monkeypatch.setattr(module, "SEVERITIES", (1,))
    monkeypatch.setattr("cohear.evaluation.corruptions.N_ROOMS", 1)


@pytest.mark.usefixtures("_quick")
def test_on_its_own_data_a_run_is_judged_on_its_test_fold_and_its_numbers_come_back(cohear, tones, trained, tmp_path):
    page, values = tmp_path / "page.html", tmp_path / "values.json"
    said = cohear("evaluate", trained, tones, "--out", page, "--json", values)
    assert said.status == 0, said
    assert "judging on 9 clips of fold 1" in said.err
    metrics, (run,) = Run(trained).metrics, json.loads(values.read_text())["runs"]
    assert f"{round(9 * metrics['accuracy'])} of 9 clips right" in said.out
    assert run["as_trained"]["accuracy"] == pytest.approx(metrics["accuracy"])
    assert run["as_trained"]["nll"] == pytest.approx(metrics["nll"], rel=1e-5)
    assert run["jsd"] == pytest.approx(metrics["jsd"], rel=1e-4)
    assert "corruptions" not in run
    assert page.read_text().startswith("<!doctype html>")
    every = cohear("evaluate", trained, tones, "--fold", "all", "--out", page)
    assert every.status == 0
    assert re.search("WARNING: 9 .*18 clips", every.err)


@pytest.mark.usefixtures("_quick")
def test_several_runs_are_compared_with_paired_tests(cohear, tones, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--set", "training.epochs=1", "--track", "end", "--method", "bda", "--out", "bda")
    assert cohear("train", tones, *OPTIONS, *words).status == 0
    said = cohear("evaluate", trained, "bda", tones, "--corruptions", "--json", "values.json")
    assert said.status == 0, said
    assert Path("evaluation.html").exists()
    values = json.loads(Path("values.json").read_text())
    assert sorted(its["model"] for its in values["runs"]) == ["Combination-BDA", "Combination-CL"]
    assert "Paired tests, corrupted clips" in said.out
