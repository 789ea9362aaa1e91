"""From a finished run to a packed model: what is needed to use it, and what is known of it."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, read_calibration
from cohear.experiments.packed_description import FORMAT, Description, Expectation, Provenance, first_error
from cohear.experiments.packed_model import PackedModel
from cohear.experiments.predictions import PREDICTIONS, damaged, read_predictions
from cohear.experiments.run_folder import RunRecord, is_finished, read_metrics, read_record
from cohear.experiments.trained_network import load_network
from cohear.inference.model_card import model_card
from cohear.metrics.accuracy import wilson_interval
from cohear.runtime.json_text import parse_json
from cohear.runtime.reading import read_plain

_ENVIRONMENT = "environment.json"


def pack_run(folder: Path, notes: str = "") -> PackedModel:
    """Gather what is needed to use a finished run, and what is known of it.

    Needs `config.json`, `metrics.json` and `model.safetensors` of its folder; `calibration.json`, the answers to the
    test clips and `environment.json` where they are there.

    Args:
        folder: of the run.
        notes: Markdown of the owner on license and data, for the card.

    Raises:
        UserError: where there is no finished run, a file of it is damaged, or its network cannot be used.
    """
    record = read_record(folder)
    if not is_finished(folder):
        raise UserError(f"'{folder}' is an unfinished run; finish it with the command that began it and --resume")
    metrics, calibration = read_metrics(folder), read_calibration(folder)
    predictions = read_predictions(folder) if (folder / PREDICTIONS).exists() else None
    if predictions and (predictions.classes, len(predictions.paths)) != (record.classes, metrics["n_clips"]):
        raise damaged(folder / PREDICTIONS, "it is of another run")
    _, network = load_network(folder)
    versions = _read_versions(folder)
    try:
        description = _describe(record, metrics, calibration, versions)
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        weights = {name: tensor.contiguous().numpy() for name, tensor in network.state_dict().items()}
        return PackedModel(description, weights, model_card(description, n_parameters, predictions, notes))
    except (ValueError, TypeError) as error:  # numbers of `metrics.json` that are none
        reason = first_error(error) if isinstance(error, ValidationError) else error
        raise UserError(f"the run '{folder}' cannot be packed ({reason}); train it again") from error


def _describe(
    record: RunRecord, metrics: dict[str, Any], calibration: Calibration, versions: dict[str, str]
) -> Description:
    config = record.config
    return Description(
        format=FORMAT,
        classes=record.classes,
        sample_rate=config.data.sample_rate,
        clip_s=record.clip_s,
        short=config.data.short,
        front_end=config.front_end,
        network=config.network,
        multi_label=record.multi_label,
        background=config.data.background,
        calibration=calibration,
        provenance=_trace(record, metrics, versions),
    )


def _trace(record: RunRecord, metrics: dict[str, Any], versions: dict[str, str]) -> Provenance:
    config, accuracy, n_clips = record.config, metrics["accuracy"], metrics["n_clips"]
    expected = metrics.get("expected")
    return Provenance(
        dataset=record.dataset,
        data_fingerprint=record.data_fingerprint,
        model=record.model,
        method=config.method,
        transform=config.views.transform,
        preset=config.preset,
        fold=config.fold,
        seed=config.seed,
        epochs=config.training.epochs,
        kept_epoch=metrics.get("kept_epoch"),
        precision=config.training.precision,
        initial_weights=record.initial_weights,
        identity=record.identity,
        n_train_clips=metrics.get("n_train_clips"),
        n_test_clips=n_clips,
        accuracy=accuracy,
        accuracy_interval=None if accuracy is None else wilson_interval(round(accuracy * n_clips), n_clips),
        nll=metrics.get("nll"),
        jsd=metrics["jsd"],
        false_alarms_per_hour=metrics.get("false_alarms_per_hour"),
        expected=None if expected is None else Expectation(**expected),
        warnings=tuple(metrics.get("warnings", ())),
        versions=versions,
    )


def _read_versions(folder: Path) -> dict[str, str]:
    path = folder / _ENVIRONMENT
    try:
        environment = parse_json(read_plain(path))
        return {"python": environment["python"], **environment["packages"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{path}' is damaged; remove it and pack the run without it") from error
