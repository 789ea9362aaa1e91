"""What another package adds, as `plugin` does, goes through every command; and so does a network of timm."""

import csv
from collections.abc import Callable
from pathlib import Path

import jaxtyping
import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

import cohear
from cohear.cli import run as run_command
from cohear.models import NETWORKS
from cohear.models.network import Network
from cohear.objectives import DIVERGENCES
from cohear.runs.grid import EXECUTORS
from cohear.runtime.interrupts import Interrupted
from cohear.transforms import TRANSFORMS
from runs.made_runs import make_run, stop_after
from tiny import OPTIONS

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = "reversal+noise(snr_db=10..20)"
Command = Callable[..., str]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command that succeeds; what it says on stdout, then on stderr."""

    def call(*words: object) -> str:
        capsys.readouterr()
        status = run_command([str(word) for word in words])
        out, err = capsys.readouterr()
        assert status == 0, err
        return out + err

    return call


def test_a_package_of_ones_own_adds_one_of_each():
    assert "reversal" in TRANSFORMS
    assert "shallow" in NETWORKS
    assert "backwards" in EXECUTORS
    agree, differ = torch.full((2, 1, 2), 0.5).log(), torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]).log()
    of_distributions = DIVERGENCES["hellinger"].of_distributions
    assert torch.allclose(torch.cat([of_distributions(agree), of_distributions(differ)]), torch.tensor([0.0, 1.0]))
    assert isinstance(NETWORKS["shallow"]("", {}, None), Network)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["shallow", "timm:resnet10t"])
def test_what_is_added_trains_resumes_is_judged_predicts_packs_and_exports(
    command: Command, tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
):
    added = {"network.name": network, "objective.divergence": "hellinger", "views.transform": RECIPE}
    unbroken, run = make_run(tones, tmp_path / "unbroken", added), tmp_path / "run"
    with pytest.raises(Interrupted):
        make_run(tones, run, added, on_step=stop_after(7))
    chosen = ["--transform", added.pop("views.transform")]
    chosen += [word for name, value in added.items() for word in ("--set", f"{name}={value}")]
    words = ["train", tones, *OPTIONS, *chosen, "--track", "end", "--out", run]
    assert "going on in epoch 2 after step 2" in command(*words, "--resume")
    for name in ("model.safetensors", "predictions.safetensors", "metrics.json"):
        assert (run / name).read_bytes() == (unbroken.folder / name).read_bytes()
    assert (run / "report.html").exists()

    page = tmp_path / "evaluation.html"
    command("evaluate", run, tones, "--out", page)
    assert page.exists()

    packed, exported = tmp_path / "model.cohear", tmp_path / "model.onnx"
    command("pack", run, packed)
    sounds = sorted(tones.parent.glob("*-1-0.wav"))
    predicted = command("predict", run, *sounds, "--top", 3)
    assert predicted == command("predict", packed, *sounds, "--top", 3)
    rows = list(csv.DictReader(predicted.splitlines()[:10]))
    assert len(rows) == 9

    with monkeypatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # it takes a symbolic size for no number
        command("export", packed, exported)
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    heard = np.stack([soundfile.read(path, dtype="float32")[0] for path in sounds])
    (probabilities,) = session.run(["probabilities"], {"waveforms": heard})
    loaded, rows = cohear.load(packed), {(row["path"], row["label"]): float(row["probability"]) for row in rows}
    assert loaded.embed(sounds[0]).shape == (1, 8 if network == "shallow" else 512)
    said = [[rows[str(path), label] for label in loaded.classes] for path in sounds]
    assert np.abs(probabilities - np.array(said)).max() < 1e-4


@pytest.mark.slow
def test_an_executor_that_is_added_makes_a_grid(command: Command, tones: Path, tmp_path: Path):
    words = ["reproduce", "table1", "--data", tones, *OPTIONS, "--models", "No Augmentation,Combination-CL"]
    words += ["--folds", 1, "--set", "network.name=shallow", "--out", tmp_path, "--executor", "backwards"]
    said = command(*words)
    assert said.index("Combination-CL, fold 1") < said.index("No Augmentation, fold 1")
    assert "of which 2 were finished before" in command(*words)
