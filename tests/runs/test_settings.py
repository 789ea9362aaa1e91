"""Each field says what it can change, and the losses and weights of two tiny epochs hold it to that."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.numpy import load_file

from cohear.runs.config import FIELDS, Config, change, setting_of, setting_values
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.run import Record
from cohear.runtime.interrupts import Interrupted
from cohear.training.checkpoints import read_newest
from made_encoders import write_encoder
from runs.made_runs import stop_after
from tiny import TINY_SETTINGS, write_classes

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]

BASE = {
    **TINY_SETTINGS,
    "front_end.hop_length": 100,
    "training.batch_size": 120,  # an epoch is one step
    "training.epochs": 3,
    "views.transform": "masking",
    "data.clip_s": 0.6,
    "data.validation_share": 0.3,
    "objective.ramp_epochs": 0.0,
    "optimizer.decay_epochs": 1.0,
}
OTHER: dict[str, Any] = {
    "preset": "small",
    "method": "bda",
    "fold": 2,
    "seed": 1,
    "data.sample_rate": 9000,
    "data.clip_s": 0.5,
    "data.short": "repeat",
    "data.windows": "sounding",
    "data.sounds": "..",
    "data.esc10": True,
    "data.n_folds": 3,
    "data.drop_small": 17,
    "data.skip_bad": True,
    "data.validation_share": 0.45,
    "data.background": "tone0",
    "views.transform": "pitch",
    "views.n_transformed": 1,
    "views.standard_reads": "one",
    "views.kept": True,
    "front_end.n_fft": 300,
    "front_end.hop_length": 150,
    "front_end.n_mels": 17,
    "front_end.f_min": 50.0,
    "front_end.f_max": 3000.0,
    "front_end.filters": "kaldi",
    "encoder.file": "other.onnx",
    "encoder.digest": "0" * 32,
    "encoder.license": "MIT",
    "encoder.window": 800,
    "encoder.n_features": 7,
    "encoder.input": "waveform",
    "encoder.output": "other",
    "encoder.peak": 0.5,
    "encoder.pooling": "max",
    "encoder.n_views": 3,
    "network.name": "timm:resnet10t",
    "network.folder": "elsewhere",
    "network.architecture": "{}",
    "network.trained_blocks": 1,
    "network.hidden": 5,
    "network.width": 0.125,
    "network.pooling": "average",
    "network.global_pooling": "max",
    "network.normalize_input": False,
    "objective.consistency_weight": 1.0,
    "objective.ramp_epochs": 1.0,
    "objective.ramp_offset": 0.5,
    "objective.divergence": "symmetric_kl",
    "objective.representation": "embedding",
    "objective.classified_views": "clean",
    "objective.over_views": "sum",
    "optimizer.schedule": "cosine",
    "optimizer.learning_rate": 1e-3,
    "optimizer.warmup_epochs": 1.0,
    "optimizer.weight_decay": 0.1,
    "optimizer.decay_factor": 0.5,
    "optimizer.decay_epochs": 3.0,
    "optimizer.averaging_epochs": 0.5,
    "optimizer.layer_decay": 0.5,
    "training.epochs": 2,
    "training.batch_size": 60,
    "training.precision": "bf16",
    "training.mixup": 0.5,
    "training.initial_run": None,  # a run that the test makes
    "training.balance": "sampling",
    "training.patience": 1,
    "training.on_nonfinite": "skip",
    "training.threshold_precision": 0.5,
    "training.compile": True,
}
"""Another value of every setting."""
_ENCODER = {"encoder.file": "one.onnx", "network.name": "encoder", "views.transform": "pitch"}
BESIDE = {
    **{name: _ENCODER for name in OTHER if name.startswith("encoder.") or name == "network.hidden"},
    "views.standard_reads": {"method": "standard"},
    "objective.representation": {"objective.divergence": "l2"},
    "objective.ramp_offset": {"objective.ramp_epochs": 1.0},
    "optimizer.warmup_epochs": {"optimizer.schedule": "cosine"},
}
"""What another value needs; the run that it is compared with has it too."""
NOT_HERE = {
    **dict.fromkeys(("encoder.digest", "encoder.n_features", "encoder.input"), "another value is of another file"),
    **dict.fromkeys(("network.folder", "network.architecture"), "tests/runs/test_pretrained_runs.py has folders"),
    "encoder.file": "another file has another digest; tests/runs/test_encoder_runs.py moves one",
    "data.sounds": "a folder of classes has no table",
    "data.esc10": "these data are not ESC-50",
    "training.compile": "needs a compiler, and minutes",
    "data.skip_bad": "all files are good; tests/data/test_store.py and tests/cli/test_refused_data.py have bad ones",
    "training.on_nonfinite": "all losses are finite; tests/training/test_nonfinite.py has others",
}
"""Settings that these data cannot show."""


AT_THE_END = {"training.epochs", "training.patience", "training.threshold_precision", "data.background"}
"""Settings that show in whole runs only."""


class Made(NamedTuple):
    record: Record
    outcome: Any
    """Everything that came of it but times."""
    folder: Path


class Runs:
    """Makes a run of each configuration once: the first two steps of it, or all."""

    def __init__(self, sounds: Path, folder: Path) -> None:
        self.sounds, self.folder, self._made = sounds, folder, dict[str, Made]()

    def make(self, settings: Mapping[str, Any], *, whole: bool = False) -> Made:
        key = json.dumps([settings, whole], sort_keys=True)
        if key not in self._made:
            settings = {**settings, **self._placed(settings)}
            listing = list_clips(self.sounds, change(Config(), settings), settings)
            plan = Plan(listing.config, listing.decode(), "end", out=self.folder / str(len(self._made)))
            self._made[key] = Made(plan.record, (_whole if whole else _two_steps)(plan), plan.folder)
        return self._made[key]

    def _placed(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Say where the encoder lies that settings name, if they do."""
        if "encoder.file" not in settings:
            return {}
        path = self.folder / str(settings["encoder.file"])
        return {"encoder.file": str(path if path.exists() else write_encoder(path, seed=len(path.stem)))}


def _two_steps(plan: Plan) -> Any:
    with pytest.raises(Interrupted):
        execute(plan, on_step=stop_after(2))
    found = read_newest(plan.folder)[0]
    losses = [found.progress["sums"], *({**its, "duration_s": 0} for its in found.progress["history"])]
    return losses, {name: array.tobytes() for name, array in found.tensors.items()}


def _whole(plan: Plan) -> Any:
    run = execute(plan)[0]
    files = {p.name: {n: a.tobytes() for n, a in load_file(p).items()} for p in run.folder.glob("*.safetensors")}
    return [{**record, "duration_s": 0} for record in run.history], run.calibration.to_json(), files


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    sounds = write_classes(tmp_path_factory.mktemp("classes"), n_clips=18)
    for path in sorted((sounds / "tone2").iterdir())[:2]:
        path.unlink()  # so that classes are of unequal size
    return Runs(sounds, tmp_path_factory.mktemp("runs"))


def test_every_setting_has_a_say_and_another_value():
    assert set(OTHER) == set(FIELDS)
    assert all(FIELDS[name].description for name in FIELDS)
    defaults = setting_values(Config())
    assert all(OTHER[name] != {**defaults, **BASE}[name] for name in FIELDS if name != "training.initial_run")


@pytest.mark.parametrize("name", sorted(set(OTHER) - set(NOT_HERE)))
def test_a_setting_changes_what_it_says(runs: Runs, name: str):
    value = OTHER[name]
    if name == "training.initial_run":
        value = str(runs.make({**BASE, "seed": 5}, whole=True).folder)
    beside, whole = {**BASE, **BESIDE.get(name, {})}, name in AT_THE_END
    before, after = runs.make(beside, whole=whole), runs.make({**beside, name: value}, whole=whole)
    same_identity = before.record.identity == after.record.identity
    same_outcome = before.outcome == after.outcome
    effect = setting_of(name).effect
    if effect == "result":
        assert not same_identity
        assert not same_outcome
    elif effect == "clips":
        same_clips = before.record.data_fingerprint == after.record.data_fingerprint
        assert same_identity == same_clips
        assert same_outcome or not same_clips
    else:
        assert same_identity
        assert same_outcome


@pytest.mark.parametrize("method", ["none", "standard", "bda"])
def test_a_setting_that_a_method_does_not_look_at_is_no_other_run(runs: Runs, method: str):
    settings = {**BASE, "method": method, **({"views.transform": "none"} if method == "none" else {})}
    before = runs.make(settings)
    ignored = {name: OTHER[name] for name in FIELDS if method not in setting_of(name).methods}
    after = runs.make({**settings, **ignored, "objective.representation": "probabilities"})
    assert before.record.identity == after.record.identity
    assert before.outcome == after.outcome
