"""What is known of a grid's runs from settings alone, for its listing or before its work: no sound is opened for it."""

from collections.abc import Sequence
from pathlib import Path

from cohear.data.datasets import Dataset
from cohear.experiments.build import n_listed_training_clips
from cohear.experiments.config import MADE_UP, Config
from cohear.experiments.identity import identify
from cohear.experiments.initial_run import initial_weights_hash
from cohear.experiments.memory import check_memory
from cohear.experiments.plans import GridRun, place_among
from cohear.experiments.run_folder import RunRecord
from cohear.experiments.runs import RunRequest
from cohear.experiments.runs_below import FoundRun, find_runs


def find_listed(requests: Sequence[RunRequest], dataset: Dataset, clip_s: float, parent: Path) -> list[GridRun | None]:
    """Find the runs of a grid that were made or begun before, as far as settings tell; None for one that was not.

    The sounds are taken to be what they were: whether they are is known only once they are decoded.

    Args:
        requests: of one grid.
        dataset: with its folds.
        clip_s: seconds of a clip.
        parent: the folder of the run folders; may be missing.
    """
    found = [run for run in find_runs(parent, dataset.name) if _is_of(run.record, requests[0].config, dataset, clip_s)]
    same: dict[str, list[FoundRun]] = {}
    for run in found:
        same.setdefault(run.record.identity, []).append(run)
    sounds = dict.fromkeys((run.record.data_fingerprint, run.record.rooms) for run in found)
    return [_find(request, same, list(sounds), parent) for request in requests]


def check_listed_memory(dataset: Dataset, configs: Sequence[Config], clip_s: float, n_jobs: int = 1) -> None:
    """Refuse runs that cannot fit in memory, as far as the listed clips tell.

    Args:
        dataset: with its folds.
        configs: of runs that are not finished, of one data set; may be none.
        clip_s: seconds of a clip.
        n_jobs: runs side by side.

    Raises:
        UserError: as `check_memory`.
    """
    runs = [(config, n_listed_training_clips(dataset, config)) for config in configs]
    if runs:
        check_memory(runs, clip_s, len(dataset.classes), n_jobs=n_jobs)


def _find(
    request: RunRequest,
    same: dict[str, list[FoundRun]],
    sounds: Sequence[tuple[str, str | None]],
    parent: Path,
) -> GridRun | None:
    weights = initial_weights_hash(request.config)
    identities = [identify(request.config, data_fingerprint, rooms, weights) for data_fingerprint, rooms in sounds]
    runs = [place_among(request, identity, same[identity], parent) for identity in identities if identity in same]
    return min(runs, key=lambda run: not run.is_done, default=None)


def _is_of(there: RunRecord, config: Config, dataset: Dataset, clip_s: float) -> bool:
    """Whether a run may be of the clips and rooms that a configuration makes, which no identity tells."""
    ours, theirs = config.data, there.config.data
    clips = (
        (ours.sample_rate, ours.short, ours.n_folds, round(clip_s * ours.sample_rate), tuple(dataset.classes)),
        (
            *(theirs.sample_rate, theirs.short, theirs.n_folds),
            *(round(there.clip_s * theirs.sample_rate), tuple(there.classes)),
        ),
    )
    return clips[0] == clips[1] and _rooms(config) == _rooms(there.config)


def _rooms(config: Config) -> tuple[object, ...]:
    views = config.views
    return () if views.room_bank == MADE_UP else (views.room_bank, views.n_rooms, views.room_rt60_s)
