"""Views that stay the same: every measurement of every run sees the same views of a clip.

Their keys come from a seed of their own, not the run's, so that numbers compare between methods, seeds and epochs.
"""

from collections.abc import Callable, Iterator

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
        self.targets = store.targets[rows]
        self.n_views = n_views
        self._store, self._rows, self._view_maker, self._read = store, rows, view_maker, read
        self._cache: list[Float[Tensor, "view batch band frame"]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self) -> Iterator[Float[Tensor, "view batch band frame"]]:
        """Yield the log-mels of all clips in order."""
        if self._cache:
            yield from self._cache
            return
        made: list[Tensor] = []
        for rows in np.split(self._rows, np.arange(BATCH_CLIPS, len(self._rows), BATCH_CLIPS)):
            log_mels = self._make(rows)
            if log_mels.nbytes / len(rows) * len(self) <= CACHE_BYTES:
                made.append(log_mels)
            yield log_mels
        self._cache = made

    def _make(self, rows: Int64[np.ndarray, " batch"]) -> Float[Tensor, "view batch band frame"]:
        views = np.repeat(np.arange(self.n_views)[:, None], len(rows), axis=1)
        cell_keys = view_keys(EVALUATION_SEED, 0, self._store.clip_keys[rows], views)
        return self._view_maker.make(self._read(rows), views, cell_keys, clip_facts(self._store, rows)).log_mels
