"""One run, from sounds to numbers: claim a folder, train, measure, write."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from cohear.data.folds import Split
from cohear.errors import UserError
from cohear.evaluation.fixed_views import FixedViews, clip_facts
from cohear.evaluation.measure import answer, score
from cohear.experiments.build import (
    PreparedData,
    build_front_end,
    build_network,
    build_plan,
    build_view_maker,
    is_compiled,
    shown_transform,
)
from cohear.experiments.config import EVERY_CLIP, Config, TransformName
from cohear.experiments.environment_record import write_environment
from cohear.experiments.expectation import Expectation, find_expectation
from cohear.experiments.finishing import PARTS, Part, ViewsOf, explain_not_finite, finish
from cohear.experiments.folder_claims import claimed
from cohear.experiments.identity import NUMERICS, identify, identify_experiment
from cohear.experiments.initial_run import initial_weights_hash, use_initial_run
from cohear.experiments.memory import check_memory, explain_out_of_memory
from cohear.experiments.paper import model_name
from cohear.experiments.pitch_cache import shifted_versions
from cohear.experiments.resident_clips import waveform_reader
from cohear.experiments.room_banks import room_bank_hash
from cohear.experiments.run_folder import RunRecord, is_finished
from cohear.models.vgg import MIN_FRAMES, check_size
from cohear.runtime.devices import make_fabric
from cohear.runtime.interrupts import stop_on_signals
from cohear.runtime.processes import process_rank
from cohear.training.batches import items_per_batch
from cohear.training.collapse import guessing_loss
from cohear.training.early_stopping import kept_epoch
from cohear.training.history_warnings import history_warnings
from cohear.training.plan import TrainingClips, Watch
from cohear.training.trainer import train


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody wants."""

    data_path: Path
    config: Config
    model: str = ""
    """The model's name where it is not one of the paper's."""
    track: str = "every"
    """How often training and test clips are measured: `every` epoch, every N-th, or only at the `end`."""
    crossval: Path | None = None
    """Where finished runs of a cross-validation lie, which say what to expect of a run on every clip."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model or model_name(self.config)

    def describe(self, data: PreparedData) -> RunRecord:
        """Work out what the run is, given its data."""
        config, fingerprint = self.config, data.store.fingerprint
        rooms, weights = room_bank_hash(config), initial_weights_hash(config)
        return RunRecord(
            config=config,
            model=self.name,
            identity=identify(config, fingerprint, rooms, weights),
            experiment=identify_experiment(config, fingerprint, rooms, weights),
            numerics=NUMERICS,
            data_path=str(self.data_path),
            dataset=data.dataset.name,
            data_fingerprint=fingerprint,
            classes=tuple(data.store.classes),
            clip_s=data.clip_s,
            track=self.track,
            rooms=rooms,
            multi_label=data.store.multi_label,
            initial_weights=weights,
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
        UserError: where data, folder, disk or memory do not allow it.
    """
    record = request.describe(data)
    split = data.split(request.config)
    check_settings(request.config, data.clip_s)  # before there is a folder
    _check_patience(request.config, split)
    if not is_finished(folder):
        check_memory([(request.config, len(split.train))], data.clip_s, len(record.classes))
    expectation = None
    if request.config.fold == EVERY_CLIP and request.crossval is not None:
        expectation = find_expectation(record, request.crossval)
    if process_rank() > 0:
        if is_finished(folder):  # the first process leaves too, the others would wait for it
            return False
        _train(request, record, data, split, expectation, folder, deadline_s, on_step)
        return True
    with claimed(folder, record, resume=resume) as is_done:
        if not is_done:
            _train(request, record, data, split, expectation, folder, deadline_s, on_step)
    return not is_done


def check_settings(config: Config, clip_s: float | None) -> None:
    """Refuse settings that do not go together.

    Args:
        config: resolved.
        clip_s: seconds of a clip; None where that is not known yet.

    Raises:
        UserError: where a batch cannot hold a clip's views, mel bands cannot be made, spectrograms are too small, or
            rooms or weights to begin with cannot be used.
    """
    plan, front_end = build_plan(config), build_front_end(config)
    items_per_batch(plan.items, plan.batch_size)
    initial_weights_hash(config)
    n_frames = MIN_FRAMES if clip_s is None else front_end.n_frames(round(clip_s * config.data.sample_rate))
    check_size(config.front_end.n_mels, n_frames)
    room_bank_hash(config)


def _check_patience(config: Config, split: Split) -> None:
    if config.training.patience is not None and not len(split.validation):
        wanted = config.data.validation_share
        reason = split.warnings[-1].rstrip(".") if wanted and split.warnings else "none are kept back by --validation 0"
        raise UserError(f"--patience stops by validation clips, and there are none ({reason}); train without it")


def _train(
    request: RunRequest,
    record: RunRecord,
    data: PreparedData,
    split: Split,
    expectation: Expectation | None,
    folder: Path,
    deadline_s: float | None,
    on_step: Callable[[int, int], None],
) -> None:
    config, rows = request.config, split.train
    fabric = make_fabric(config.training.precision)
    compiled = is_compiled(config, fabric.device, fabric.world_size)
    if fabric.is_global_zero:
        write_environment(folder, config, is_compiled=compiled)
    targets, n_classes = data.store.targets[rows], len(record.classes)
    network = build_network(config, n_classes)
    use_initial_run(network, config, record.classes)
    if compiled:
        network.compile_features()
    versions = shifted_versions(config, data.store, fabric.device)
    read = waveform_reader(data.store, fabric.device)

    @functools.cache
    def views_of(transform: TransformName, part: Part) -> FixedViews:
        view_maker = build_view_maker(config, transform, versions)
        view_maker.front_end.to(fabric.device)
        return FixedViews(data.store, getattr(split, part), view_maker, read)

    clips = TrainingClips(
        lambda batch: read(rows[batch]),
        targets,
        data.store.clip_keys[rows],
        clip_facts(data.store, rows),
        [data.store.clips[row].id for row in rows],
    )
    with stop_on_signals(deadline_s) as stop:
        watch = Watch(_make_measure(request, data.clip_s, split, views_of), on_step, stop)
        view_maker = build_view_maker(config, config.views.transform, versions)
        plan = build_plan(config, targets, n_classes)
        with explain_out_of_memory(config, data.clip_s):
            history = train(network, view_maker, clips, plan, folder, fabric, watch, identity=record.identity)
    if fabric.is_global_zero:
        epoch = kept_epoch(history, config.training.patience)
        warnings = history_warnings(history, guessing_loss(plan, targets, n_classes))
        with explain_out_of_memory(config, data.clip_s, during="measurement"):
            finish(folder, record, data, split, network, views_of, epoch, expectation, warnings)


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


def _make_measure(
    request: RunRequest, clip_s: float, split: Split, views_of: ViewsOf
) -> Callable[[nn.Module, int, Callable[[], bool]], dict[str, float] | None]:
    """Measure the parts that have clips, in the epochs that are followed; with patience validation clips in all."""
    parts: list[Part] = [part for part in PARTS if len(getattr(split, part))]
    transform, training = shown_transform(request.config), request.config.training

    def measure(network: nn.Module, epoch: int, should_stop: Callable[[], bool]) -> dict[str, float] | None:
        record: dict[str, float] = {}
        is_followed = is_tracked(request.track, epoch, training.epochs)
        for part in parts:
            if not is_followed and (part != "validation" or training.patience is None):
                continue
            views = views_of(transform, part)
            during_it = explain_out_of_memory(request.config, clip_s, during="measurement")
            with during_it, explain_not_finite(part, epoch):
                answers = answer(network, views, should_stop)
            if answers is None:
                return None
            record |= {f"{part}_{name}": value for name, value in vars(score(answers, views.targets)).items()}
        return record

    return measure
