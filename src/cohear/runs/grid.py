"""Grids: many runs, resumed where they stopped, skipped where they are done, handed to an executor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cohear.errors import UserError
from cohear.registry import Registry
from cohear.runs.config import change
from cohear.runs.elsewhere import read_files, replace_files
from cohear.runs.execution import execute
from cohear.runs.executors import Executor, OnShare, run_local
from cohear.runs.finding import find_readable
from cohear.runs.identity import check_folder, locked
from cohear.runs.paper import FIGURE_FOLD, FOLLOWED, HEADLINE, GridModel, name_on
from cohear.runs.plan import Plan, Prepared
from cohear.runs.run import Run
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors
from cohear.runtime.interrupts import Interrupted, is_over

AfterRun = Callable[[Run, Plan], None]

EXECUTORS: Registry[Executor] = Registry(
    "executor",
    "cohear.executors",
    {"local": run_local, "ray": "cohear.runs.ray_executor:run_ray", "slurm": "cohear.runs.slurm_executor:run_slurm"},
)
"""By whom a grid's runs are made, and recordings heard."""


def plan_grid(
    data: Prepared,
    models: Iterable[GridModel],
    folds: Sequence[int],
    seeds: Sequence[int] | None,
    parent: Path,
    track: str | None = None,
) -> list[Plan]:
    """Plan the runs of a grid: seed by seed, fold by fold, model by model, so that each part of it compares fairly.

    What the paper claims of its largest gain comes first: no augmentation and the combination's three methods on all
    folds, then the other models. A run that is there already under another name is that run, and goes on with the
    measurements it began with where they are all that is wanted.

    Args:
        data: of all runs; its configuration is the preset and whatever was changed in it.
        models: rows of the table.
        folds: tested folds.
        seeds: of the runs; None: each model's own.
        parent: the folder of the run folders.
        track: how often each run is measured; None: every epoch for the runs of `FOLLOWED` on the fold of Figure 1,
            else only at the end.
    """
    base = data.listing.config
    named = [replace(model, name=name_on(base, model)) for model in models]
    headline, followed = ({model.name for model in part} for part in (HEADLINE, FOLLOWED))
    parts = [[model for model in named if (model.name in headline) == is_first] for is_first in (True, False)]
    plans = [
        Plan(
            model.configure(change(base, {"fold": fold, "seed": seed})),
            data,
            track or ("every" if model.name in followed and fold == FIGURE_FOLD else "end"),
            model.name,
            parent=parent,
        )
        for seed in (dict.fromkeys(seed for model in named for seed in model.seeds) if seeds is None else seeds)
        for part in parts
        for fold in folds
        for model in part
        if (seeds is not None or seed in model.seeds) and (fold == folds[0] or not model.first_fold_only)
    ]
    there: dict[str, list[Run]] = {}
    for run in find_readable(parent, data.store.fingerprint):
        there.setdefault(run.record.identity, []).append(run)
    placed: dict[str, Plan] = {}  # runs that are the same are one
    for plan in plans:
        placed.setdefault(plan.record.identity, _place(plan, there.get(plan.record.identity, [])))
    taken: set[Path] = set()
    for identity, plan in placed.items():
        if plan.folder in taken:  # another run of the grid that has the same name
            placed[identity] = replace(plan, out=plan.folder.with_name(f"{plan.folder.name}_{identity[:4]}"))
        taken.add(plan.folder)
    return list(placed.values())


def _place(plan: Plan, there: Sequence[Run]) -> Plan:
    """Give a run the folder of one that is the same, a finished one first."""
    fitting = [run for run in there if run.covers(plan.track)]
    if not fitting:
        return plan
    best = min(fitting, key=lambda run: (not run.is_finished, run.folder != plan.folder))
    return replace(plan, out=best.folder, track=best.record.track)


def is_done(plan: Plan) -> bool:
    """Whether a run is finished and was measured as often as is wanted now."""
    run = Run(plan.folder)
    return run.is_finished and run.covers(plan.track)


def check_places(plans: Sequence[Plan]) -> None:
    """Refuse a grid of which a run cannot be made in its place, before anything is trained.

    Raises:
        UserError: naming the first of them.
    """
    for plan in plans:
        check_folder(Run(plan.folder), plan.record, resume=True)


@dataclass(frozen=True)
class Training:
    """Runs, each of which is a piece of work."""

    plans: Sequence[Plan]
    """Of unfinished runs, at least one."""
    after_run: AfterRun
    """Called with each run that was finished and its plan, where it was made."""

    def __len__(self) -> int:
        return len(self.plans)

    @property
    def folder(self) -> Path:
        """The one above the run folders."""
        return self.plans[0].folder.parent

    @property
    def sources(self) -> Sequence[Path]:
        """The sounds as they were decoded."""
        return sorted({plan.data.store.rows.path for plan in self.plans})

    @property
    def noun(self) -> str:
        """What a piece is."""
        return "run"

    def name(self, index: int) -> str:
        """Return the name of a run folder."""
        return self.plans[index].folder.name

    def piece(self, index: int) -> "Training":
        """Return a run alone."""
        return replace(self, plans=[self.plans[index]])

    def apart(self, folder: Path) -> "Training":
        """Return the runs as they are made in another folder, from the sounds as this machine sees them."""
        placed = [replace(plan, data=plan.data.here(), out=folder / plan.folder.name) for plan in self.plans]
        return replace(self, plans=placed)

    def made(self, index: int) -> dict[str, bytes]:
        """Return the files of a run's folder, by their paths in it."""
        return read_files(self.plans[index].folder, self._files(index))

    begun = made

    def put(self, index: int, files: Mapping[str, bytes]) -> None:
        """Make a run's folder what it is elsewhere, unless it is further along here."""
        plan = self.plans[index]
        with explain_disk_errors(plan.folder):
            disk.make_folder(plan.folder)
        with locked(plan.folder):
            n_epochs = len(files.get("history.jsonl", b"").splitlines())
            if not is_done(plan) and Run(plan.folder).n_epochs_done <= n_epochs:
                replace_files(plan.folder, self._files(index), files)

    def _files(self, index: int) -> Sequence[Path]:
        folder = self.plans[index].folder
        there = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".lock", ".partial"))]
        return sorted(there, key=lambda path: (path.name == "metrics.json", path))

    def do(self, index: int, on_share: OnShare, deadline_s: float | None) -> None:
        """Make a run's folder complete, as `Work`."""
        plan = self.plans[index]
        if is_over(deadline_s):
            raise Interrupted("not begun", None)
        run, was_made = execute(
            plan, resume=True, deadline_s=deadline_s, on_step=lambda done, total: on_share(done / total)
        )
        if was_made:
            self.after_run(run, plan)

    def share(self, index: int) -> float:
        """Return how far a run is, as its history tells."""
        plan = self.plans[index]
        return Run(plan.folder).n_epochs_done / plan.config.training.epochs

    def usual_jobs(self) -> int:
        """Return how many runs this machine has room for."""
        from cohear.runs.cost import usual_jobs

        return usual_jobs(self.plans)


def nothing(_run: Run, _plan: Plan) -> None:
    """Follow no run."""


def run_grid(
    plans: Sequence[Plan],
    *,
    executor: str | Executor = "local",
    n_jobs: int | None = 1,
    on_progress: Callable[[float, int], None] = lambda _share, _n_done: None,
    after_run: AfterRun = nothing,
    deadline_s: float | None = None,
) -> list[Run]:
    """Make every run that is not finished.

    Args:
        plans: what to run, at least one.
        executor: by whom, or a name of `EXECUTORS`.
        n_jobs: runs side by side, each with its share of the cores; None: as many as there is room for.
        on_progress: called with the share of the whole grid that is done, 0 to 1, and the number of finished runs.
        after_run: called in the run's process with each run that was finished and its plan; importable by its name.
        deadline_s: when to save and leave, on the clock of `time.time`; None: when all are finished.

    Returns:
        The finished runs: all, unless the deadline came first; what was begun is saved then.

    Raises:
        Interrupted: after a signal; every unfinished run is saved.
        UserError: where runs failed; the others are finished.
    """
    missing = [plan for plan in plans if not is_done(plan)]
    n_done = len(plans) - len(missing)

    def on_missing(share: float, n: int) -> None:
        on_progress((n_done + share) / len(plans), n_done + n)

    make = EXECUTORS[executor] if isinstance(executor, str) else executor
    placed = [replace(plan, out=plan.folder.absolute()) for plan in missing]  # the same wherever a worker starts
    work = Training(placed, after_run)
    on_missing(sum(map(work.share, range(len(work)))), 0)
    failures = make(work, n_jobs, on_missing, deadline_s) if missing else []
    finished = [Run(plan.folder) for plan in plans if is_done(plan)]
    if failures:
        n_left = len(plans) - len(failures) - len(finished)
        others = "the others are finished" if n_left <= 0 else f"{len(finished)} are finished, {n_left} are left"
        raise UserError(f"{len(failures)} of {len(plans)} runs failed, {others}; {failures[0]}")
    return finished
