"""What `cohear reproduce --list` prints."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.cli.progress import count_text, format_s

if TYPE_CHECKING:
    from cohear.data.datasets import Dataset
    from cohear.experiments.plans import GridRun
    from cohear.experiments.runs import RunRequest


def print_plan(dataset: "Dataset", requests: Sequence["RunRequest"], out: Path, n_jobs: int) -> None:
    """Print each run of a grid with an estimate of its time on this machine, or that it is finished or refused.

    Raises:
        UserError: where runs that are not finished cannot fit in memory, `n_jobs` of them side by side.
    """
    from cohear.experiments.build import usual_clip_s
    from cohear.experiments.cost import estimate_s
    from cohear.experiments.listed_runs import check_listed_memory, find_listed

    data = requests[0].config.data
    n_clips_of_fold = Counter(clip.fold for clip in dataset.clips if clip.fold is not None)
    clip_s = data.clip_s or usual_clip_s(dataset)
    listed = find_listed(requests, dataset, clip_s, out)
    states = [None if run is None else _state(run) for run in listed]
    missing = [request.config for request, state in zip(requests, states, strict=True) if state is None]
    check_listed_memory(dataset, missing, clip_s, n_jobs)
    costs_s = estimate_s(requests, n_clips_of_fold, clip_s, len(dataset.classes))
    clips, classes = count_text(dataset.clips, "clip"), count_text(dataset.classes, "class", "classes")
    print(f"{dataset.name}: {clips}, {classes}, preset {requests[0].config.preset}")
    width = max(len(request.name) for request in requests)
    missing_s = 0.0
    for request, cost_s, state in zip(requests, costs_s, states, strict=True):
        missing_s += cost_s if state is None else 0.0
        numbers = f"fold {request.config.fold}  seed {request.config.seed}"
        print(f"  {request.name:<{width}}  {numbers}  {state or f'about {format_s(cost_s)}'}")
    print(
        f"{_factors_text(requests)}{count_text(requests, 'run')}, about {format_s(missing_s)} on this machine, "
        "one after the other"
    )


def _state(run: "GridRun") -> str | None:
    """Say that a run is finished, or that it will be refused; None where it is to be made."""
    from cohear.experiments.run_folder import covers, read_record

    if run.is_done:
        return "finished"
    if (run.folder / "config.json").exists():
        track = read_record(run.folder).track
        if not covers(track, run.request.track):
            return f"refused: it was begun with --track {track}, not {run.request.track}"
    return None


def _factors_text(requests: Sequence["RunRequest"]) -> str:
    """Say how many models, folds and seeds there are, where all of them are combined."""
    models, folds, seeds = (
        {request.model for request in requests},
        {request.config.fold for request in requests},
        {request.config.seed for request in requests},
    )
    if len(models) * len(folds) * len(seeds) != len(requests):
        return ""
    return f"{count_text(models, 'model')} x {count_text(folds, 'fold')} x {count_text(seeds, 'seed')}: "
