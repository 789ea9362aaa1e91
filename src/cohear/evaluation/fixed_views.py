"""Views that stay the same: every measurement of every run sees the same views of a clip.

Their keys come from a seed of their own, not the run's, so that numbers compare between methods, seeds and epochs.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from cohear import keys
from cohear.data.store import Store
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker, view_keys

EVALUATION_SEED = keys.hash_text("evaluation views")
N_VIEWS = 3
"""The clean clip and two transformed views, as in Figure 1 of Iqbal et al. 2021."""
BATCH_CLIPS = 16
CACHE_BYTES = 2 * 2**30
"""Log-mels of a clip set are kept in memory between measurements up to this size."""


def clip_facts(store: Store, rows: Int64[np.ndarray, " clip"]) -> ClipFacts:
    """Say what transforms may know of some clips of a store."""
    return ClipFacts(rows, store.sound_lengths[rows])


class FixedViews:
    """The evaluation views of some clips of a store, made on first use.

    Args:
        store: what the clips are.
        rows: which clips.
        view_maker: transform and front end.
        read: rows of the store to waveforms on the device where the views are wanted.
        n_views: counting the clean one; 1 gives clean clips only.
    """

    def __init__(
        self,
        store: Store,
        rows: Int64[np.ndarray, " clip"],
        view_maker: ViewMaker,
        read: Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]],
        n_views: int = N_VIEWS,
    ) -> None:
        self.n_views = n_views
        self._store, self._rows, self._view_maker, self._read = store, rows, view_maker, read
        self._cache: dict[int, Float[Tensor, "view batch band frame"]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_batches(self) -> int:
        """Batches that hold all clips in order."""
        return math.ceil(len(self) / BATCH_CLIPS)

    def places(self, number: int) -> slice:
        """Return which of the clips a batch holds."""
        return slice(number * BATCH_CLIPS, (number + 1) * BATCH_CLIPS)

    def batch(self, number: int) -> Float[Tensor, "view batch band frame"]:
        """Return the log-mels of a batch, counted from 0."""
        if number in self._cache:
            return self._cache[number]
        rows = self._rows[self.places(number)]
        views = np.repeat(np.arange(self.n_views)[:, None], len(rows), axis=1)
        cell_keys = view_keys(EVALUATION_SEED, 0, self._store.clip_keys[rows], views)
        made = self._view_maker.make(self._read(rows), views, cell_keys, clip_facts(self._store, rows)).inputs
        if made.nbytes / len(rows) * len(self) <= CACHE_BYTES:
            self._cache[number] = made
        return made
