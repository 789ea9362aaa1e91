"""One run, from sounds to numbers: claim a folder, train, measure, write."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch import nn

from cohear.errors import UserError
from cohear.evaluation.measure import Answers, FixedViews, NotFiniteError, answer, clip_facts, score
from cohear.runs.build import (
    COMMON_RECIPE,
    build_network,
    build_schedule,
    build_view_maker,
    is_compiled,
    open_fixed_views,
    open_kept_views,
    open_training_pool,
    shown_recipe,
    waveform_reader,
)
from cohear.runs.config import EVERY_CLIP, Config, check_track, is_tracked
from cohear.runs.cost import check_memory, explain_out_of_memory
from cohear.runs.identity import check_folder, check_place, claimed
from cohear.runs.plan import Listing, Plan, Prepared, list_clips
from cohear.runs.run import SCHEMA, Run
from cohear.runtime.devices import make_fabric
from cohear.runtime.interrupts import stop_on_signals
from cohear.runtime.machine import keep_freed_memory, process_rank
from cohear.training.history import guessing_loss, history_warnings, kept_epoch
from cohear.training.inputs import TrainingClips, Watch
from cohear.training.nonfinite import LOWER_RATE
from cohear.training.trainer import train
from cohear.training.weights import save_weights

if TYPE_CHECKING:
    from cohear.evaluation.calibration import Calibration
    from cohear.runs.description import Expectation
    from cohear.runs.predictions import Predictions

Part = Literal["train", "validation", "test"]
_PARTS: tuple[Part, ...] = ("train", "validation", "test")


def plan_run(
    data: Path,
    config: Config,
    chosen: Collection[str],
    *,
    track: str = "every",
    out: Path | None = None,
    crossval: Path | None = None,
    resume: bool = False,
    decode: Callable[[Listing], Prepared] = Listing.decode,
) -> Plan:
    """Plan one run, and refuse it where it cannot be made: what can be told before sounds are decoded comes first.

    Args:
        data: DATA of the command line.
        config: of a preset and what was changed in it.
        chosen: names of settings that a person chose.
        track: how often clips are measured: `every` epoch, every N-th, or only at the `end`.
        out: the run folder; None: one below `runs/` whose name says what the run is.
        crossval: the folder of a cross-validation, of which a run on every clip learns what to expect.
        resume: whether an unfinished run may go on.
        decode: decodes what was listed.

    Raises:
        UserError: where data, settings, folder or memory do not allow it.
    """
    check_track(track)
    if crossval is not None and config.fold != EVERY_CLIP:
        raise UserError("--crossval tells what to expect of a run on every clip; give it with --fold all only")
    if crossval is not None:
        from cohear.runs.finding import find_finished

        find_finished([crossval])
    listing = list_clips(data, config, chosen)
    listing.check(listing.config)
    is_first = process_rank() == 0  # the others would find what the first one has begun
    if out is not None and is_first and not Run(out).is_begun:
        check_place(out)
    plan = Plan(listing.config, decode(listing), track, out=out, crossval=crossval)
    run = Run(plan.folder)
    if is_first:
        check_folder(run, plan.record, resume=resume)
    if not run.is_finished:
        check_memory([plan])
    return plan


def execute(
    plan: Plan,
    *,
    resume: bool = False,
    deadline_s: float | None = None,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Run, bool]:
    """Make a run's folder complete; a finished one is left as it is. Whether it fits in memory, `check_memory` says.

    Args:
        plan: what to run.
        resume: whether an unfinished run may go on.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when it is finished.
        on_step: called with steps done and steps in all.

    Returns:
        The run, and whether anything was done.

    Raises:
        Interrupted: after a signal or at the deadline; everything is saved.
        UserError: where data, folder, disk or memory do not allow it.
    """
    run = Run(plan.folder)
    _check_patience(plan)
    if process_rank() > 0:
        if run.is_finished:  # the first process leaves too, the others would wait for it
            return run, False
        _Execution(plan, run, None).train(deadline_s, on_step)
        return run, True
    expected = None
    if plan.config.fold == EVERY_CLIP and not run.is_finished:
        from cohear.runs.predictions import find_expectation

        expected = find_expectation(plan)
    with claimed(run, plan.record, resume=resume) as is_done:
        if not is_done:
            _Execution(plan, run, expected).train(deadline_s, on_step)
    return run, not is_done


def _check_patience(plan: Plan) -> None:
    if plan.config.training.patience is not None and not len(plan.split.validation):
        wanted, said = plan.config.data.validation_share, plan.split.warnings
        reason = said[-1].rstrip(".") if wanted and said else "none are kept back by --validation 0"
        raise UserError(f"--patience stops by validation clips, and there are none ({reason}); train without it")


class _Execution:
    """The objects of one run while it is trained and measured."""

    def __init__(self, plan: Plan, run: Run, expected: "tuple[Expectation, Calibration] | None") -> None:
        self.plan, self.run, self.expected = plan, run, expected
        self.config, self.store, self.split, self.task = plan.config, plan.data.store, plan.split, plan.data.task
        keep_freed_memory()
        self.fabric = make_fabric(self.config.training.precision)
        self.read = waveform_reader(self.store, self.fabric.device)
        self._views: dict[tuple[str, Part], FixedViews] = {}
        self.network = build_network(self.config, len(self.store.classes))
        if plan.data.listing.initial is not None:
            plan.data.listing.initial.begin(self.network, tuple(self.store.classes))
        elif plan.data.listing.pretrained is not None:
            plan.data.listing.pretrained.begin(self.network)

    def train(self, deadline_s: float | None, on_step: Callable[[int, int], None]) -> None:
        """Train, then write what is left of it."""
        config, store, rows = self.config, self.store, self.split.train
        compiled = is_compiled(config, self.fabric.device, self.fabric.world_size)
        if self.fabric.is_global_zero:
            self.run.write_environment(is_compiled=compiled)
        if compiled:
            self.network.compile_features()
        targets = self.plan.data.targets[rows]
        schedule = build_schedule(config, self.task, targets, len(store.classes))
        view_maker = build_view_maker(config).to(self.fabric.device)
        clips = TrainingClips(
            lambda batch: self.read(rows[batch]),
            targets,
            store.clip_keys[rows],
            clip_facts(store, rows),
            [store.clips[row].id for row in rows],
            len(store.classes),
            open_kept_views(config, store, view_maker),
            open_training_pool(config, store, view_maker),
        )
        with stop_on_signals(deadline_s) as stop, explain_out_of_memory(config):
            if config.encoder.file is not None:
                from cohear.runs.embedding import embed

                if self.fabric.is_global_zero:
                    embed([self.plan], lambda _done, _total: stop.obey("stopped; what was embedded is kept"))
                self.fabric.barrier()
            watch = Watch(self.measure, on_step, stop)
            history = train(
                self.network,
                view_maker,
                clips,
                schedule,
                self.run.folder,
                self.fabric,
                watch,
                identity=self.plan.record.identity,
            )
        if self.fabric.is_global_zero:
            with explain_out_of_memory(config, "measurement"):
                warnings = history_warnings(history, guessing_loss(schedule, targets))
                self.finish(kept_epoch(history, config.training.patience), warnings)

    def views_of(self, recipe: str, part: Part) -> FixedViews:
        """Return the evaluation views of a part of the clips, by a recipe; they are kept as long as the run."""
        if (recipe, part) not in self._views:
            view_maker = build_view_maker(self.config, recipe).to(self.fabric.device)
            pool = open_fixed_views(self.config, self.store, view_maker, recipe)
            rows = getattr(self.split, part)
            self._views[recipe, part] = FixedViews(self.store, rows, view_maker, self.read, pool=pool)
        return self._views[recipe, part]

    def measure(self, network: nn.Module, epoch: int, should_stop: Callable[[], bool]) -> dict[str, float] | None:
        """Measure the parts that have clips, in the epochs that are followed; with patience validation clips in all."""
        record: dict[str, float] = {}
        is_followed = is_tracked(self.plan.track, epoch, self.config.training.epochs)
        for part in _PARTS:
            is_wanted = is_followed or (part == "validation" and self.config.training.patience is not None)
            if not is_wanted or not len(getattr(self.split, part)):
                continue
            views = self.views_of(shown_recipe(self.config), part)
            with explain_out_of_memory(self.config, "measurement"), _explain_not_finite(part, epoch + 1):
                answers = answer(network, views, self.task, should_stop, self.fabric)
            if answers is None:
                return None
            targets = self.plan.data.targets[getattr(self.split, part)]
            record |= {f"{part}_{name}": value for name, value in vars(score(answers, targets, self.task)).items()}
        return record

    def ask(self, recipe: str, part: Part, epoch: int) -> Answers:
        """Ask the trained network about a part of the clips."""
        with _explain_not_finite(part, epoch):
            said = answer(self.network, self.views_of(recipe, part), self.task)
        assert said is not None
        return said

    def finish(self, epoch: int, warnings: list[str]) -> None:
        """Write weights, predictions, calibration and, last, the metrics that say the run is finished.

        Args:
            epoch: whose weights the network has, counted from 1.
            warnings: what training gave reason for.
        """
        from cohear.evaluation.calibration import UNFITTED, write_calibration  # late: weights need none of it
        from cohear.runs.predictions import VALIDATION, fit_calibration, uncalibrated, write_predictions

        plan, folder, config, record = self.plan, self.run.folder, self.config, self.plan.record
        save_weights(self.run.weights_path, self.network, {"identity": record.identity})
        targets = self.plan.data.targets[self.split.train]
        calibration = self.expected[1] if self.expected else UNFITTED
        if len(self.split.validation):
            validation = self.round(self.ask(COMMON_RECIPE, "validation", epoch), "validation")
            write_predictions(folder, validation, VALIDATION)
            calibration = fit_calibration([validation], config, targets)
        if not calibration.is_fitted:
            calibration = uncalibrated(self.run.task, record.classes, config, targets)
        if calibration != UNFITTED:
            write_calibration(folder, calibration)
        self.run.write_metrics(
            {
                **(self.untested() if config.fold == EVERY_CLIP else self.test(epoch, calibration)),
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
                "n_train_clips": len(self.split.train),
                "n_train_clips_by_label": self.count_labels(),
                "n_validation_clips": len(self.split.validation),
                "kept_epoch": epoch,
                "warnings": [*plan.warnings, *warnings, *self.run.environment_warnings()],
                "data_notes": list(plan.data.notes),
                "schema": SCHEMA,
            }
        )

    def count_labels(self) -> dict[str, int]:
        """Count the training clips of each label."""
        truth = self.task.truth(self.plan.data.targets[self.split.train], len(self.store.classes))
        return dict(zip(self.store.classes, truth.sum(axis=0).tolist(), strict=True))

    def untested(self) -> dict[str, Any]:
        """Return the numbers of a run on every clip."""
        expected = self.expected[0].model_dump(mode="json") if self.expected else None
        return {**dict.fromkeys(("accuracy", "nll", "jsd", "jsd_own")), "n_clips": 0, "expected": expected}

    def test(self, epoch: int, calibration: "Calibration") -> dict[str, Any]:
        """Answer the test clips, write down the answers, and return the numbers that follow."""
        from cohear.runs.predictions import count_false_alarms, write_predictions, write_table

        own_recipe, targets = shown_recipe(self.config), self.plan.data.targets[self.split.test]
        common = self.ask(COMMON_RECIPE, "test", epoch)
        own = common if own_recipe == COMMON_RECIPE else self.ask(own_recipe, "test", epoch)
        predictions = self.round(common, "test")
        write_predictions(self.run.folder, predictions)
        write_table(self.run.folder, predictions)
        return {
            **vars(score(common, targets, self.task)),
            "n_clips": len(targets),
            "jsd_own": None if self.config.method == "none" else float(own.jsd.mean(dtype=np.float64)),
            **self.task.scores(common.logits[0], self.task.truth(targets, len(self.store.classes))),
            **count_false_alarms(predictions, calibration, self.config.data.background, self.plan.record.clip_s),
        }

    def round(self, answers: Answers, part: Part) -> "Predictions":
        """Round what was answered to what is kept."""
        from cohear.runs.predictions import round_predictions

        store, rows = self.store, getattr(self.split, part)
        return round_predictions(
            tuple(store.classes),
            tuple(store.clips[row].id for row in rows),
            tuple(store.groups[row] for row in rows),
            self.plan.data.targets[rows],
            self.task.decide(answers.logits[0]),
            answers.log_probabilities[0],
            answers.jsd,
        )


@contextmanager
def _explain_not_finite(part: Part, epoch: int) -> Iterator[None]:
    """Say of answers that are no numbers which clips were asked about, and when."""
    try:
        yield
    except NotFiniteError as error:
        raise UserError(f"the answers to the {part} clips are not finite after epoch {epoch}; {LOWER_RATE}") from error
