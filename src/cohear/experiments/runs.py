"""One run, from sounds to numbers: claim a folder, train, measure, write."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cohear.data.folds import Split
from cohear.evaluation.fixed_views import FixedViews
from cohear.evaluation.measure import Answers, answer, score
from cohear.evaluation.samples import ClipSample, make_samples
from cohear.experiments.build import (
    PreparedData,
    build_front_end,
    build_network,
    build_plan,
    build_view_maker,
    prepare_data,
    shown_transform,
)
from cohear.experiments.config import Config, TransformName
from cohear.experiments.identity import identify, identify_experiment
from cohear.experiments.paper import model_name
from cohear.experiments.run_folder import SCHEMA, RunRecord, claim, read_record
from cohear.models import VGG
from cohear.models.vgg import check_size
from cohear.runtime.devices import make_fabric
from cohear.runtime.environment import describe_environment
from cohear.runtime.files import write_json, write_text
from cohear.runtime.interrupts import StopRequest, stop_on_signals
from cohear.training.checkpoints import load_weights, save_weights
from cohear.training.trainer import TrainingClips, Watch, train


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody wants."""

    data_path: Path
    config: Config
    model: str = ""
    """The model's name where it is not one of the paper's."""
    track: str = "every"
    """How often training and test clips are measured: `every` epoch, every N-th, or only at the `end`."""

    def describe(self, data: PreparedData) -> RunRecord:
        """Work out what the run is, given its data."""
        config, fingerprint = self.config, data.store.fingerprint
        return RunRecord(
            config=config,
            model=self.model or model_name(config),
            identity=identify(config, fingerprint),
            experiment=identify_experiment(config, fingerprint),
            data_path=str(self.data_path),
            dataset=data.dataset.name,
            data_fingerprint=fingerprint,
            classes=tuple(data.store.classes),
            clip_s=data.clip_s,
            track=self.track,
        )


def execute(
    request: RunRequest,
    data: PreparedData,
    folder: Path,
    *,
    resume: bool = False,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> bool:
    """Make a run's folder complete; a finished one is left as it is.

    Args:
        request: what to run.
        data: from `prepare_data` of the request's path and configuration.
        folder: the run folder.
        resume: whether an unfinished run may go on.
        on_step: called with steps done and steps in all.

    Returns:
        Whether anything was done.

    Raises:
        Interrupted: after a signal; everything is saved.
        UserError: where data, folder or disk do not allow it.
    """
    record = request.describe(data)
    split = data.split(request.config.fold)
    check_size(request.config.front_end.n_mels, build_front_end(request.config).n_frames(data.store.n_samples))
    if claim(folder, record, resume=resume):
        return False
    fabric = make_fabric(request.config.training.precision)
    if fabric.is_global_zero:
        write_json(folder / "environment.json", describe_environment())
    network = build_network(request.config, len(record.classes))
    with stop_on_signals() as stop:
        watch = Watch(_make_measure(request, data, split, fabric.device, stop), on_step, stop)
        rows = split.train
        clips = TrainingClips(
            lambda batch: data.store.read(rows[batch]), data.store.labels[rows], data.store.clip_keys[rows]
        )
        view_maker = build_view_maker(request.config, request.config.views.transform)
        train(network, view_maker, clips, build_plan(request.config), folder, fabric, watch)
    if fabric.is_global_zero:
        _finish(folder, record, data, split, network, fabric.device)
    return True


def is_tracked(track: str, epoch: int, n_epochs: int) -> bool:
    """Whether clips are measured after an epoch; the last one always is.

    Args:
        track: `every`, `end`, or a number N of epochs.
        epoch: counted from 0.
        n_epochs: of the run.
    """
    if epoch == n_epochs - 1:
        return True
    every = {"every": 1, "end": n_epochs}.get(track) or int(track)
    return (epoch + 1) % every == 0


def load_network(folder: Path) -> tuple[RunRecord, VGG]:
    """Rebuild a finished run's network, in eval mode on the CPU."""
    record = read_record(folder)
    network = build_network(record.config, len(record.classes))
    load_weights(folder / "model.safetensors", network)
    return record, network.eval()


def sample_clips(folder: Path, n_clips: int = 4) -> tuple[ClipSample, ...]:
    """Show what a finished run makes of a few test clips, from the least consistent to the most.

    Raises:
        UserError: where the run's sounds are no longer where they were.
    """
    record, network = load_network(folder)
    data = prepare_data(Path(record.data_path), record.config)
    test = data.split(record.config.fold).test
    with open(folder / "predictions.csv", newline="") as predictions:
        divergence = {row["path"]: float(row["jsd"]) for row in csv.DictReader(predictions)}
    ranked = sorted(test, key=lambda row: -divergence.get(data.store.clips[row].id, 0.0))
    chosen = [ranked[round(i)] for i in np.linspace(0, len(ranked) - 1, min(n_clips, len(ranked)))]
    view_maker = build_view_maker(record.config, shown_transform(record.config))
    return make_samples(network, data.store, np.array(chosen), view_maker)


def _make_measure(
    request: RunRequest, data: PreparedData, split: Split, device: torch.device, stop: StopRequest
) -> Callable[[nn.Module, int, Callable[[], bool]], dict[str, float] | None]:
    config = request.config
    view_maker = build_view_maker(config, shown_transform(config))
    view_maker.front_end.to(device)
    parts = {
        "train": FixedViews(data.store, split.train, view_maker, device),
        "test": FixedViews(data.store, split.test, view_maker, device),
    }

    def measure(network: nn.Module, epoch: int, should_stop: Callable[[], bool]) -> dict[str, float] | None:
        if not is_tracked(request.track, epoch, config.training.epochs):
            return {}
        record: dict[str, float] = {}
        for part, views in parts.items():
            answers = answer(network, views, should_stop)
            if answers is None:
                return None
            record |= {f"{part}_{name}": value for name, value in vars(score(answers, views.labels)).items()}
        return record

    return measure


def _finish(
    folder: Path, record: RunRecord, data: PreparedData, split: Split, network: VGG, device: torch.device
) -> None:
    """Write weights, predictions and, last, the metrics that say the run is finished."""
    config = record.config
    save_weights(folder / "model.safetensors", network, {"identity": record.identity})
    answers: dict[TransformName, Answers] = {}
    for transform in dict.fromkeys(("combination", shown_transform(config))):
        view_maker = build_view_maker(config, transform)
        view_maker.front_end.to(device)
        said = answer(network, FixedViews(data.store, split.test, view_maker, device))
        assert said is not None
        answers[transform] = said
    common, labels = answers["combination"], data.store.labels[split.test]
    write_text(folder / "predictions.csv", _predictions_csv(common, data, split))
    scores = score(common, labels)
    own = None if config.method == "none" else float(answers[config.views.transform].jsd.mean(dtype=np.float64))
    metrics: dict[str, Any] = {
        "accuracy": scores.accuracy,
        "n_clips": len(labels),
        "nll": scores.nll,
        "jsd": scores.jsd,
        "jsd_own": own,
        "method": config.method,
        "transform": config.views.transform,
        "fold": config.fold,
        "seed": config.seed,
        "model": record.model,
        "dataset": record.dataset,
        "preset": config.preset,
        "epochs": config.training.epochs,
        "precision": config.training.precision,
        "experiment": record.experiment,
        "n_train_clips": len(split.train),
        "warnings": list(split.warnings),
        "data_notes": [*data.dataset.notes, *data.store.report.lines],
        "schema": SCHEMA,
    }
    write_json(folder / "metrics.json", metrics)


def _predictions_csv(answers: Answers, data: PreparedData, split: Split) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "group", "label", "predicted", "probability", "correct", "jsd"]
        + [f"p:{name}" for name in data.store.classes]
    )
    probabilities = np.exp(answers.log_probabilities[0])
    for row, p, jsd in zip(split.test, probabilities, answers.jsd, strict=True):
        clip, best = data.store.clips[row], int(p.argmax())
        answer_columns = [data.store.classes[best], f"{p[best]:.6g}", int(best == data.store.labels[row])]
        probability_columns = [f"{value:.6g}" for value in p]
        writer.writerow(
            [clip.id, data.store.groups[row], clip.label, *answer_columns, f"{jsd:.6g}", *probability_columns]
        )
    return text.getvalue()
