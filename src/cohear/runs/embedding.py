"""What a frozen encoder makes of the clips of runs: made before they are trained, once for all of them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from cohear.data.store import Store
from cohear.errors import UserError
from cohear.evaluation.measure import clip_facts
from cohear.kept_views import ViewPool
from cohear.runs.build import (
    COMMON_RECIPE,
    build_view_maker,
    open_fixed_views,
    open_training_pool,
    shown_recipe,
    waveform_reader,
)
from cohear.runs.plan import Plan

Rows = Int64[np.ndarray, " row"]


def embed(plans: Sequence[Plan], on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
    """Make the embeddings that some runs need and that are not there; none for runs without an encoder.

    Args:
        plans: of the runs.
        on_progress: called with clips done and clips in all; what it raises ends the work, and what was made is kept.

    Raises:
        UserError: where the encoder fails, or embeddings cannot be kept.
    """
    missing: dict[tuple[Path, int], tuple[Store, ViewPool]] = {}
    for plan in plans:
        for pool, rows in _pools(plan):
            assert pool.kept.path is not None
            missing |= {(pool.kept.path, int(row)): (plan.data.store, pool) for row in pool.missing(rows)}
    n_threads, work = torch.get_num_threads(), [(place, *of) for (_, place), of in missing.items()]
    # A clip for each thread is a fifth faster than all threads on one clip.
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        for done in range(0, len(work), n_threads):
            on_progress(done, len(work))
            deque(threads.map(lambda part: _make(*part), work[done : done + n_threads]), maxlen=0)


def _make(place: int, store: Store, pool: ViewPool) -> None:
    row = np.array([place])
    read = waveform_reader(store, pool.view_maker.front_end.device)
    pool.make(row, read, store.clip_keys[row], clip_facts(store, row))
    if len(pool.missing(row)):
        raise UserError("the disk does not take on all embeddings, as was said; make room and go on")


def _pools(plan: Plan) -> Iterator[tuple[ViewPool, Rows]]:
    """Return where the embeddings of a run lie, and of which clips they are needed."""
    config, store, split = plan.config, plan.data.store, plan.split
    pool = open_training_pool(config, store, build_view_maker(config)) if config.encoder.file else None
    if pool is None:
        return
    yield pool, split.train
    measured = {COMMON_RECIPE: np.concatenate([split.validation, split.test])}
    if plan.track != "end" or shown_recipe(config) != COMMON_RECIPE:
        measured[shown_recipe(config)] = np.arange(len(store))
    for recipe, rows in measured.items():
        fixed = open_fixed_views(config, store, build_view_maker(config, recipe), recipe)
        if fixed is not None and fixed.kept.path is not None:
            yield fixed, rows
