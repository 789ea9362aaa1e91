"""One run, from sounds to numbers: claim a folder, train, measure, write."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from cohear.data.folds import Split
from cohear.evaluation.fixed_views import FixedViews, clip_facts
from cohear.evaluation.measure import Answers, answer, score
from cohear.experiments.build import (
    PreparedData,
    build_front_end,
    build_network,
    build_plan,
    build_view_maker,
    is_compiled,
    shown_transform,
)
from cohear.experiments.config import Config, TransformName
from cohear.experiments.environment_record import environment_warnings, write_environment
from cohear.experiments.identity import NUMERICS, identify, identify_experiment
from cohear.experiments.paper import model_name
from cohear.experiments.pitch_cache import shifted_versions
from cohear.experiments.predictions import Predictions, round_predictions, write_predictions
from cohear.experiments.resident_clips import ReadWaveforms, waveform_reader
from cohear.experiments.room_banks import room_bank_hash
from cohear.experiments.run_folder import SCHEMA, RunRecord, claim, is_finished, locked, read_record
from cohear.models import VGG
from cohear.models.vgg import MIN_FRAMES, check_size
from cohear.runtime.devices import make_fabric
from cohear.runtime.files import write_json
from cohear.runtime.interrupts import stop_on_signals
from cohear.runtime.processes import process_rank
from cohear.training.batches import items_per_batch
from cohear.training.checkpoints import load_weights, save_weights
from cohear.training.trainer import TrainingClips, TrainingPlan, Watch, train
from cohear.transforms.cached_pitch_shift import ShiftedVersions


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody wants."""

    data_path: Path
    config: Config
    model: str = ""
    """The model's name where it is not one of the paper's."""
    track: str = "every"
    """How often training and test clips are measured: `every` epoch, every N-th, or only at the `end`."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model or model_name(self.config)

    def describe(self, data: PreparedData) -> RunRecord:
        """Work out what the run is, given its data."""
        config, fingerprint, rooms = self.config, data.store.fingerprint, room_bank_hash(self.config)
        return RunRecord(
            config=config,
            model=self.name,
            identity=identify(config, fingerprint, rooms),
            experiment=identify_experiment(config, fingerprint, rooms),
            numerics=NUMERICS,
            data_path=str(self.data_path),
            dataset=data.dataset.name,
            data_fingerprint=fingerprint,
            classes=tuple(data.store.classes),
            clip_s=data.clip_s,
            track=self.track,
            rooms=rooms,
        )


def execute(
    request: RunRequest,
    data: PreparedData,
    folder: Path,
    *,
    resume: bool = False,
    deadline_s: float | None = None,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> bool:
    """Make a run's folder complete; a finished one is left as it is.

    Args:
        request: what to run.
        data: from `prepare_data` of the request's path and configuration.
        folder: the run folder.
        resume: whether an unfinished run may go on.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when it is finished.
        on_step: called with steps done and steps in all.

    Returns:
        Whether anything was done.

    Raises:
        Interrupted: after a signal or at the deadline; everything is saved.
        UserError: where data, folder or disk do not allow it.
    """
    record = request.describe(data)
    split = data.split(request.config.fold)
    plan = build_plan(request.config)
    check_settings(request.config, data.clip_s)  # before there is a folder
    if process_rank() > 0:
        if is_finished(folder):  # the first process leaves too, the others would wait for it
            return False
        _train(request, record, data, split, plan, folder, deadline_s, on_step)
        return True
    if claim(folder, record, resume=resume):
        return False
    with locked(folder):
        _train(request, record, data, split, plan, folder, deadline_s, on_step)
    return True


def check_settings(config: Config, clip_s: float | None) -> None:
    """Refuse settings that do not go together.

    Args:
        config: resolved.
        clip_s: seconds of a clip; None where that is not known yet.

    Raises:
        UserError: where a batch cannot hold a clip's views, mel bands cannot be made, spectrograms are too small, or
            rooms cannot be used.
    """
    plan, front_end = build_plan(config), build_front_end(config)
    items_per_batch(plan.items, plan.batch_size)
    n_frames = MIN_FRAMES if clip_s is None else front_end.n_frames(round(clip_s * config.data.sample_rate))
    check_size(config.front_end.n_mels, n_frames)
    room_bank_hash(config)


def _train(
    request: RunRequest,
    record: RunRecord,
    data: PreparedData,
    split: Split,
    plan: TrainingPlan,
    folder: Path,
    deadline_s: float | None,
    on_step: Callable[[int, int], None],
) -> None:
    config, rows = request.config, split.train
    fabric = make_fabric(config.training.precision)
    compiled = is_compiled(config, fabric.device, fabric.world_size)
    if fabric.is_global_zero:
        write_environment(folder, config, is_compiled=compiled)
    network = build_network(config, len(record.classes))
    if compiled:
        network.compile_features()
    versions = shifted_versions(config, data.store, fabric.device)
    read = waveform_reader(data.store, fabric.device)
    make_views = partial(_fixed_views, config, data, fabric.device, read, versions)
    views = {
        part: make_views(shown_transform(config), part_rows)
        for part, part_rows in (("train", split.train), ("test", split.test))
    }
    clips = TrainingClips(
        lambda batch: read(rows[batch]),
        data.store.labels[rows],
        data.store.clip_keys[rows],
        clip_facts(data.store, rows),
    )
    with stop_on_signals(deadline_s) as stop:
        watch = Watch(_make_measure(request, views), on_step, stop)
        view_maker = build_view_maker(config, config.views.transform, versions)
        train(network, view_maker, clips, plan, folder, fabric, watch)
    if fabric.is_global_zero:
        _finish(folder, record, data, split, network, views["test"], make_views)


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


def weights_path(folder: Path) -> Path:
    """Return where a run keeps its weights."""
    return folder / "model.safetensors"


def load_network(folder: Path) -> tuple[RunRecord, VGG]:
    """Rebuild a finished run's network, in eval mode on the CPU."""
    record = read_record(folder)
    network = build_network(record.config, len(record.classes))
    load_weights(weights_path(folder), network)
    return record, network.eval()


def _fixed_views(
    config: Config,
    data: PreparedData,
    device: torch.device,
    read: ReadWaveforms,
    versions: ShiftedVersions | None,
    transform: TransformName,
    rows: Int64[np.ndarray, " clip"],
) -> FixedViews:
    view_maker = build_view_maker(config, transform, versions)
    view_maker.front_end.to(device)
    return FixedViews(data.store, rows, view_maker, read)


def _make_measure(
    request: RunRequest, parts: dict[str, FixedViews]
) -> Callable[[nn.Module, int, Callable[[], bool]], dict[str, float] | None]:
    def measure(network: nn.Module, epoch: int, should_stop: Callable[[], bool]) -> dict[str, float] | None:
        if not is_tracked(request.track, epoch, request.config.training.epochs):
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
    folder: Path,
    record: RunRecord,
    data: PreparedData,
    split: Split,
    network: VGG,
    test_views: FixedViews,
    make_views: Callable[[TransformName, Int64[np.ndarray, " clip"]], FixedViews],
) -> None:
    """Write weights, predictions and, last, the metrics that say the run is finished."""
    config, own_transform = record.config, shown_transform(record.config)
    save_weights(weights_path(folder), network, {"identity": record.identity})
    views: dict[TransformName, FixedViews] = {own_transform: test_views}
    if own_transform != "combination":
        views["combination"] = make_views("combination", split.test)
    answers: dict[TransformName, Answers] = {}
    for transform, fixed_views in views.items():
        said = answer(network, fixed_views)
        assert said is not None
        answers[transform] = said
    common, labels = answers["combination"], data.store.labels[split.test]
    write_predictions(folder, _round(common, data, split))
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
        "warnings": [*split.warnings, *environment_warnings(folder)],
        "data_notes": [*data.dataset.notes, *data.store.report.lines],
        "schema": SCHEMA,
    }
    write_json(folder / "metrics.json", metrics)


def _round(answers: Answers, data: PreparedData, split: Split) -> Predictions:
    store = data.store
    return round_predictions(
        tuple(store.classes),
        tuple(store.clips[row].id for row in split.test),
        tuple(store.groups[row] for row in split.test),
        store.labels[split.test],
        answers.log_probabilities[0],
        answers.jsd,
    )
