"""What a grid consists of: its runs in their order, and the place of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cohear.errors import UserError
from cohear.experiments.build import PreparedData
from cohear.experiments.config import Config
from cohear.experiments.folder_claims import check_folder
from cohear.experiments.identity import readable_name
from cohear.experiments.paper import FIGURE_FOLD, FOLLOWED, HEADLINE, PaperModel, name_on
from cohear.experiments.presets import change
from cohear.experiments.run_folder import covers, is_finished, read_record
from cohear.experiments.runs import RunRequest
from cohear.experiments.runs_below import FoundRun, find_runs


@dataclass(frozen=True)
class GridRun:
    """One run of a grid and its place."""

    request: RunRequest
    folder: Path

    @property
    def is_done(self) -> bool:
        """Whether the run is finished and was measured as often as is wanted now."""
        return is_finished(self.folder) and covers(read_record(self.folder).track, self.request.track)


def plan_requests(
    data_path: Path,
    base: Config,
    models: Iterable[PaperModel],
    folds: Sequence[int],
    seeds: Sequence[int] | None,
    track: str | None,
) -> list[RunRequest]:
    """List the runs of a grid: seed by seed, fold by fold, model by model, so that each part of it compares fairly.

    What the paper claims of its largest gain comes first: no augmentation and the combination's three methods on all
    folds, then the other models.

    Args:
        data_path: DATA of the command line.
        base: the preset and whatever was changed in it.
        models: rows of the table.
        folds: tested folds.
        seeds: of the runs; None: each model's own.
        track: how often each run is measured; None: every epoch for the runs of `FOLLOWED` on the fold of Figure 1,
            else only at the end.
    """
    named = [replace(model, name=name_on(base, model)) for model in models]
    headline, followed = ({model.name for model in part} for part in (HEADLINE, FOLLOWED))
    parts = [[model for model in named if (model.name in headline) == is_first] for is_first in (True, False)]
    return [
        RunRequest(
            data_path,
            model.configure(change(base, {"fold": fold, "seed": seed})),
            model.name,
            track or ("every" if model.name in followed and fold == FIGURE_FOLD else "end"),
        )
        for seed in (dict.fromkeys(seed for model in named for seed in model.seeds) if seeds is None else seeds)
        for part in parts
        for fold in folds
        for model in part
        if (seeds is not None or seed in model.seeds) and (fold == folds[0] or not model.first_fold_only)
    ]


def check_places(runs: Sequence[GridRun]) -> None:
    """Refuse a grid of which a run cannot be made in its place, before anything is trained.

    Raises:
        UserError: naming the first of them.
    """
    refusals: list[UserError] = []
    for run in runs:
        if not run.folder.exists():
            continue
        try:
            check_folder(run.folder, run.request.config, run.request.track, resume=True)
        except UserError as error:
            refusals.append(error)
    if refusals:
        others = f" (and {len(refusals) - 1} more cannot be made there)" if len(refusals) > 1 else ""
        raise UserError(f"{refusals[0]}{others}") from refusals[0]


def place(requests: Iterable[RunRequest], data: PreparedData, parent: Path) -> list[GridRun]:
    """Give each run its folder below `parent`, one to runs that are the same.

    A run that is there already under another name is that run, and goes on with the measurements it began with where
    they are all that is wanted.
    """
    there: dict[str, list[FoundRun]] = {}
    for found in find_runs(parent, data.dataset.name, data.store.fingerprint):
        there.setdefault(found.record.identity, []).append(found)
    placed: dict[str, GridRun] = {}
    for request in requests:
        record = request.describe(data)
        placed.setdefault(
            record.identity, place_among(request, record.identity, there.get(record.identity, []), parent)
        )
    return list(placed.values())


def place_among(request: RunRequest, identity: str, there: Sequence[FoundRun], parent: Path) -> GridRun:
    """Choose the folder of a run among those of runs that are the same, else a new one; arguments as for `place`."""
    usual = parent / readable_name(request.config, request.name, identity)
    fitting = [run for run in there if covers(run.record.track, request.track)]
    if not fitting:
        return GridRun(request, usual)
    best = min(fitting, key=lambda run: (not run.is_finished, run.folder != usual))
    return GridRun(replace(request, track=best.record.track), best.folder)
