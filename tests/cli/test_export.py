"""`cohear export`: the file answers as the run did and stands alone; what is refused is said in a sentence."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import soxr

from cohear.experiments.predictions import read_predictions
from cohear.inference import onnx_check
from cohear.inference.loading import load
from cohear.inference.onnx_check import Agreement
from tiny import OPTIONS

PAGE = Path(__file__).parents[2] / "docs" / "exporting.md"


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run that may be spoiled."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def accuracy_of(model: Path, run: Path, sounds: Path) -> float:
    """Judge a file on the run's test clips without cohear, and see that no clip is answered otherwise."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    labels, sample_rate = json.loads(facts["labels"]), int(facts["sample_rate"])
    predictions = read_predictions(run)
    assert predictions.classes == tuple(labels)
    answers = []
    for path in predictions.paths:
        samples, rate = soundfile.read(sounds / path, dtype="float32")
        waveform = soxr.resample(samples, rate, sample_rate, quality="HQ")
        waveform = np.pad(waveform, (0, max(0, int(facts["clip_samples"]) - len(waveform))))
        (probabilities,) = session.run(["probabilities"], {"waveforms": waveform[None]})
        answers.append(probabilities[0].argmax())
    assert np.array_equal(answers, predictions.predicted)
    return float(np.mean(np.array(answers) == predictions.labels))


def test_the_file_has_the_run_s_accuracy_on_its_test_fold(cohear, tones, trained, out):
    said = cohear("export", trained, out)
    assert said.status == 0
    assert accuracy_of(out, trained, tones.parent) == json.loads((trained / "metrics.json").read_text())["accuracy"]
    difference = re.fullmatch(
        r"checked on 18 clips of tones: largest difference of a probability from PyTorch's (\S+), "
        r"the same likeliest label for 18 of 18\n",
        said.out,
    )
    assert difference
    assert float(difference[1]) < 1e-5
    size_mb = f"{out.stat().st_size / 1e6:.2f} MB"
    assert said.err == (
        f"{out}: {size_mb}, ONNX opset 17, 3 labels, 8000 Hz, 0.6 s clips, one distribution over the labels\n"
    )
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_where_the_sounds_are_gone_it_is_checked_on_made_up_ones_and_that_is_said(cohear, copied, out):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "data_path": "gone/sounds.csv"}))
    said = cohear("export", copied, out)
    assert said.status == 0
    assert said.err.startswith("checked on made-up sounds, since no clips of the run's data can be had: ")
    assert "gone/sounds.csv does not exist" in said.err
    assert said.out.startswith("checked on 6 made-up sounds: ")


def test_clips_that_cannot_be_read_are_left_out_of_the_check(cohear, tones, copied, tmp_path, out):
    sounds = shutil.copytree(tones.parent, tmp_path / "sounds")
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "data_path": str(sounds / "tones.csv")}))
    (sounds / "tone1-1-0.wav").write_bytes(b"")
    assert cohear("export", copied, out).out.startswith("checked on 17 clips of tones: ")
    for path in sounds.glob("*.wav"):
        path.unlink()
    assert f"the sounds of '{sounds}' cannot be read" in cohear("export", copied, out).err


def test_a_file_that_answers_otherwise_is_not_written(cohear, trained, out, monkeypatch):
    monkeypatch.setattr(onnx_check, "compare", lambda *_: Agreement(0.025, 3))
    assert cohear("export", trained, out).refuses("nothing was written", "by up to 2.5e-02", "1e-04 is allowed")
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("model.pt", "model.pt' cannot be the exported file: its name must end in .onnx"),
        ("gone/model.onnx", "gone/model.onnx' cannot be written: its folder does not exist"),
        ("folder.onnx", "folder.onnx' cannot be written: a folder stands there"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(cohear, tmp_path, name, culprit):
    (tmp_path / "folder.onnx").mkdir()
    assert cohear("export", "no-run", tmp_path / name).refuses(culprit)


def test_what_is_no_finished_run_is_refused(cohear, copied, out):
    assert cohear("export", out.parent / "gone", out).refuses("gone")
    (copied / "metrics.json").unlink()
    assert cohear("export", copied, out).refuses("is an unfinished run")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_a_sentence_says_how_to_install_it(cohear, trained, out, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert cohear("export", trained, out).refuses(package, "pip install 'cohear[onnx]'")


def test_the_page_s_program_runs_without_torch_and_cohear(cohear, tones, trained, out):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    cohear("export", trained, out)
    two = [soundfile.read(tones.parent / f"tone{label}-1-0.wav")[0] for label in (0, 2)]
    soundfile.write(out.parent / "street.wav", np.stack([np.concatenate(two)] * 2, -1), 8000, subtype="PCM_16")
    alone = f"import sys; sys.modules['torch'] = sys.modules['cohear'] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", alone], cwd=out.parent, capture_output=True, text=True, check=True)
    expected = load(trained).predict(out.parent / "street.wav")
    assert done.stdout.splitlines() == [f"{row.start_s:.1f} s: {row.label} ({row.probability:.0%})" for row in expected]
    assert len(expected) == 2


@pytest.mark.slow
@pytest.mark.esc50
def test_the_file_has_the_run_s_accuracy_on_a_fold_of_esc10(cohear, esc50, tmp_path, out):
    words = ("train", esc50, "--esc10", *OPTIONS, "--track", "end", "--out", tmp_path / "run")
    assert cohear(*words, "--set", "training.batch_size=48").status == 0
    assert cohear("export", tmp_path / "run", out).out.startswith("checked on 32 clips of ESC-10: ")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["n_clips"] == 80
    assert accuracy_of(out, tmp_path / "run", esc50) == metrics["accuracy"]
