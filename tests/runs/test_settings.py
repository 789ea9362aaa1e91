"""Each field says what it can change, and a tiny run holds it to that."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from cohear.runs.config import FIELDS, Config, change, setting_of, setting_values
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.run import Run
from tiny import TINY_SETTINGS, write_classes

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]

BASE = {
    **TINY_SETTINGS,
    "front_end.hop_length": 100,
    "training.batch_size": 24,
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
    "data.sounds": "..",
    "data.esc10": True,
    "data.n_folds": 3,
    "data.drop_small": 17,
    "data.skip_bad": True,
    "data.validation_share": 0.45,
    "data.background": "tone2",
    "views.transform": "pitch",
    "views.n_transformed": 1,
    "front_end.n_fft": 300,
    "front_end.hop_length": 150,
    "front_end.n_mels": 17,
    "front_end.f_min": 50.0,
    "front_end.f_max": 3000.0,
    "network.name": "timm:resnet10t",
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
    "optimizer.learning_rate": 1e-3,
    "optimizer.weight_decay": 0.1,
    "optimizer.decay_factor": 0.5,
    "optimizer.decay_epochs": 3.0,
    "training.epochs": 3,
    "training.batch_size": 12,
    "training.precision": "bf16",
    "training.initial_run": None,  # a run that the test makes
    "training.balance": "sampling",
    "training.patience": 1,
    "training.on_nonfinite": "skip",
    "training.threshold_precision": 0.5,
    "training.compile": True,
}
"""Another value of every setting."""
BESIDE = {
    "objective.representation": {"objective.divergence": "l2"},
    "objective.ramp_offset": {"objective.ramp_epochs": 1.0},
}
"""What another value needs; the run that it is compared with has it too."""
NOT_HERE = {
    "data.sounds": "a folder of classes has no table",
    "data.esc10": "these data are not ESC-50",
    "training.compile": "needs a compiler, and minutes",
}
"""Settings that these data cannot show."""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_classes(tmp_path_factory.mktemp("classes"), n_clips=18)
    for path in sorted((folder / "tone2").iterdir())[:2]:
        path.unlink()  # so that classes are of unequal size
    return folder


class Runs:
    """Makes a run of each configuration once."""

    def __init__(self, sounds: Path, folder: Path) -> None:
        self.sounds, self.folder, self._made = sounds, folder, dict[str, Run]()

    def make(self, settings: Mapping[str, Any]) -> Run:
        key = json.dumps(settings, sort_keys=True)
        if key not in self._made:
            listing = list_clips(self.sounds, change(Config(), settings), settings)
            plan = Plan(listing.config, listing.decode(), "end", out=self.folder / str(len(self._made)))
            self._made[key] = execute(plan)[0]
        return self._made[key]


@pytest.fixture(scope="module")
def runs(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(sounds, tmp_path_factory.mktemp("runs"))


def outcome(run: Run) -> dict[str, Any]:
    """Everything that came of a run but times: losses, weights, answers, thresholds."""
    history = [{k: v for k, v in r.items() if k not in ("duration_s", "first_step_s")} for r in run.history]
    files = {p.name: {n: a.tobytes() for n, a in load_file(p).items()} for p in run.folder.glob("*.safetensors")}
    return {"history": history, "thresholds": run.calibration.to_json(), **files}


def test_every_setting_has_a_say_and_another_value():
    assert set(OTHER) == set(FIELDS)
    assert all(FIELDS[name].description for name in FIELDS)
    defaults = setting_values(Config())
    assert all(OTHER[name] != {**defaults, **BASE}[name] for name in FIELDS if name != "training.initial_run")


@pytest.mark.parametrize("name", sorted(set(OTHER) - set(NOT_HERE)))
def test_a_setting_changes_what_it_says(runs: Runs, name: str):
    value = OTHER[name]
    if name == "training.initial_run":
        value = str(runs.make({**BASE, "seed": 5}).folder)
    beside = {**BASE, **BESIDE.get(name, {})}
    before, after = runs.make(beside), runs.make({**beside, name: value})
    same_identity = before.record.identity == after.record.identity
    same_outcome = outcome(before) == outcome(after)
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
        assert same_outcome  # `computation` too: nothing here is not finite


@pytest.mark.parametrize("method", ["none", "standard", "bda"])
def test_a_setting_that_a_method_does_not_look_at_is_no_other_run(runs: Runs, method: str):
    settings = {**BASE, "method": method, **({"views.transform": "none"} if method == "none" else {})}
    before = runs.make(settings)
    ignored = {name: OTHER[name] for name in FIELDS if method not in setting_of(name).methods}
    after = runs.make({**settings, **ignored, "objective.representation": "probabilities"})
    assert before.record.identity == after.record.identity
    assert outcome(before) == outcome(after)
