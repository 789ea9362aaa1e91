"""What comes before the first run of `cohear train` and of grids: refuse what cannot be, then decode."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.cli.progress import progress_bar, say
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on

if TYPE_CHECKING:
    from cohear.data.datasets import Dataset
    from cohear.experiments.build import PreparedData
    from cohear.experiments.config import Config
    from cohear.experiments.runs import RunRequest


def refuse_early(dataset: "Dataset", configs: "Iterable[Config]") -> None:
    """Refuse folds that are not there, and what settings do not allow together, before anything is decoded.

    Raises:
        UserError: naming what can be chosen.
    """
    from cohear.experiments.build import known_clip_s
    from cohear.experiments.config import EVERY_CLIP
    from cohear.experiments.runs import check_settings

    for config in configs:
        if config.fold != EVERY_CLIP and config.fold not in dataset.folds:
            there = ", ".join(map(str, dataset.folds))
            raise UserError(f"fold {config.fold} cannot be tested: the folds are {there}.")
        check_settings(config, known_clip_s(dataset, config))


def refuse_too_large(
    dataset: "Dataset", requests: "Sequence[RunRequest]", parent: Path | None, n_jobs: int = 1
) -> None:
    """Refuse runs that cannot fit in memory before anything is decoded, where their size is known by then.

    Args:
        dataset: with its folds.
        requests: of one data set.
        parent: where runs that were made before lie, which are not made again; None: nowhere.
        n_jobs: runs side by side.

    Raises:
        UserError: naming the settings that decide it.
    """
    from cohear.experiments.build import known_clip_s
    from cohear.experiments.listed_runs import check_listed_memory, find_listed

    clip_s, data = known_clip_s(dataset, requests[0].config), requests[0].config.data
    if clip_s is None or data.skip_bad:  # which clips there are is known once all are decoded
        return
    missing = [request.config for request in requests]
    if parent is not None:
        there = find_listed(requests, dataset, clip_s, parent)
        missing = [config for config, run in zip(missing, there, strict=True) if run is None or not run.is_done]
    check_listed_memory(dataset, missing, clip_s, n_jobs)


def prepare(data: Path, config: "Config") -> "PreparedData":
    """Read and decode a data set with a progress bar, and say what became of its files."""
    from cohear.experiments.build import prepare_data

    with how_to_go_on("give the same command to begin again"), progress_bar("decoding") as update:
        prepared = prepare_data(
            data,
            config,
            on_progress=lambda done, total: update(done / max(total, 1), f"{done} of {total} files"),
        )
    if prepared.store.replaces_damaged:
        say("the sounds decoded earlier were damaged or incomplete on the disk, so they were decoded again")
    for line in (*prepared.dataset.notes, *prepared.store.report.lines, *prepared.store.class_lines):
        say(line)
    if config.training.balance == "none" and (line := prepared.store.imbalance_line):
        say(line)
    return prepared
