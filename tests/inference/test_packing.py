"""A run becomes one file and answers as before; what cannot be packed or used is refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import cohear
from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, write_calibration
from cohear.experiments.packed_model import parse_packed
from cohear.experiments.predictions import round_predictions, write_predictions
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import RunRecord
from cohear.inference.packing import pack_run
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.thresholds import Threshold
from cohear.models import VGG
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.checkpoints import save_weights
from tiny import SAMPLE_RATE, TINY

CLASSES = ("frog", "Kröte", "noise")
METRICS = {"accuracy": 0.75, "n_clips": 4, "nll": 0.5, "jsd": 0.01, "n_train_clips": 12, "warnings": []}


def write_run(folder: Path, settings: tuple[str, ...] = (), **facts: Any) -> Path:
    """Write the three files of a finished run that cannot be missing; its weights were drawn."""
    config = change(preset("small"), dict(parse_override(text) for text in (*TINY, *settings)))
    record = RunRecord(
        config,
        "Combination-CL",
        "1" * 16,
        "2" * 16,
        2,
        "/home/somebody/pond",
        "pond",
        "0" * 32,
        CLASSES,
        0.6,
        "end",
        **facts,
    )
    record.write(folder)
    network = VGG(len(CLASSES), config.network.width, generator=torch.Generator().manual_seed(1))
    save_weights(folder / "model.safetensors", network, {"identity": record.identity})
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    return folder


def pack(run: Path, to: Path) -> Path:
    to.write_bytes(pack_run(run).to_bytes())
    return to


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_a_packed_run_answers_exactly_as_the_run(tmp_path, is_multi_label):
    settings = ("data.short=repeat", "data.background=noise")
    run = write_run(tmp_path / "run", settings, multi_label=is_multi_label)
    write_calibration(run, Calibration(1.7, {"frog": Threshold(0.4, 0.9, 0.5, 12)}, 0.9, 30))
    there, packed = cohear.load(run), cohear.load(pack(run, tmp_path / "frogs.cohear"))
    waveforms = np.random.default_rng(0).uniform(-1, 1, (3, round(0.6 * SAMPLE_RATE))).astype(np.float32)
    assert np.array_equal(packed.probabilities(waveforms), there.probabilities(waveforms))
    soundfile.write(tmp_path / "a.wav", np.tile(waveforms.ravel(), 3), 2 * SAMPLE_RATE)
    assert packed.predict(tmp_path / "a.wav", top=3) == there.predict(tmp_path / "a.wav", top=3)
    same = ("classes", "sample_rate", "clip_s", "short", "multi_label", "background", "calibration")
    assert [getattr(packed, name) for name in same] == [getattr(there, name) for name in same]
    assert packed.classes == CLASSES
    assert not packed.network.training


def test_equal_runs_give_equal_bytes_and_nobody_s_folders(tmp_path):
    first = pack_run(write_run(tmp_path / "first", ("training.initial_run=/home/somebody/run",))).to_bytes()
    assert pack_run(write_run(tmp_path / "second")).to_bytes() == first
    assert b"somebody" not in first


def test_the_description_says_what_the_folder_says(tmp_path):
    run = write_run(tmp_path / "run")
    assert pack_run(run).description.provenance.versions == {}
    (run / "environment.json").write_text('{"python": "3.11", "packages": {"torch": "2.13"}, "command": ["cohear"]}')
    about = pack_run(run).description.provenance
    assert about.versions == {"python": "3.11", "torch": "2.13"}
    assert (about.dataset, about.accuracy, about.n_test_clips, about.n_train_clips) == ("pond", 0.75, 4, 12)
    assert about.accuracy_interval == wilson_interval(3, 4)
    assert (about.method, about.transform, about.epochs, about.fold) == ("consistency", "combination", 2, 1)


def test_the_card_counts_the_answers_and_takes_the_owner_s_notes(tmp_path):
    run = write_run(tmp_path / "run")
    log_probabilities = np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8]]).astype(np.float32)
    labels = np.array([0, 1, 0, 2])
    answers = round_predictions(CLASSES, tuple("abcd"), ("",) * 4, labels, log_probabilities, np.zeros(4))
    write_predictions(run, answers)
    card = pack_run(run, "CC BY 4.0, *Pond Society*").card
    assert "| `frog` | 2 | 50% | 1 | 100% |\n| `Kröte` | 1 | 100% | 2 | 50% |" in card
    assert "## License and data\n\nCC BY 4.0, *Pond Society*\n" in card
    (run / "metrics.json").write_text(json.dumps({**METRICS, "n_clips": 5}))
    with pytest.raises(UserError, match=r"predictions.safetensors' is damaged \(it is of another run\)"):
        pack_run(run)


def test_a_run_on_every_clip_is_packed_with_what_to_expect_of_it(tmp_path):
    run = write_run(tmp_path / "run", ("fold=all",))
    untested = {**METRICS, **dict.fromkeys(("accuracy", "nll", "jsd")), "n_clips": 0, "fold": "all", "expected": None}
    (run / "metrics.json").write_text(json.dumps(untested))
    assert "It was not tested" in pack_run(run).card
    expected = {"accuracy": 0.7, "standard_error": 0.05, "n_runs": 2, "folds": [1, 2], "n_clips": 18}
    (run / "metrics.json").write_text(json.dumps({**untested, "expected": expected}))
    model = parse_packed(pack_run(run).to_bytes(), "frogs.cohear")
    assert model.description.provenance.fold == "all"
    assert "right on **70.0%** ± 5.0 of 18 clips" in model.card


def test_what_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        pack_run(tmp_path / "nowhere")
    run = write_run(tmp_path / "run")
    (run / "metrics.json").unlink()
    with pytest.raises(UserError, match="is an unfinished run; finish it with the command that began it and --resume"):
        pack_run(run)


def test_a_run_with_damaged_files_is_refused(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "environment.json").write_text("{}")
    with pytest.raises(UserError, match=r"environment.json' is damaged; remove it and pack the run without it"):
        pack_run(run)
    (run / "environment.json").unlink()
    (run / "metrics.json").write_text(json.dumps({**METRICS, "n_train_clips": "many"}))
    with pytest.raises(UserError, match=r"cannot be packed \('n_train_clips': input should be a valid integer"):
        pack_run(run)
    (run / "metrics.json").write_text(json.dumps({**METRICS, "accuracy": "good"}))
    with pytest.raises(UserError, match=r"run' cannot be packed"):
        pack_run(run)
    (run / "metrics.json").write_text(json.dumps(METRICS))
    weights, about = unseal((run / "model.safetensors").read_bytes())
    weights["linear.bias"][0] = np.nan
    (run / "model.safetensors").write_bytes(seal(weights, about))
    with pytest.raises(
        UserError, match=r"run' cannot be packed \(its weight 'linear.bias' is not finite\); train it again"
    ):
        pack_run(run)
    (run / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"the weights '.*model.safetensors' are missing"):
        pack_run(run)
