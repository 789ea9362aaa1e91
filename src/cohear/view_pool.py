"""A fixed number of views of each clip, made once and kept: those that measure, and those that a frozen encoder hears.

An epoch draws the views of a clip from its pool without putting any back, by the seed, the epoch and the clip, so every
method sees the same ones, and a resumed run too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int16, Int64, UInt64
from torch import Tensor

from cohear import keys
from cohear.data.kept_log_mels import KeptLogMels
from cohear.transforms.contract import ClipFacts
from cohear.views import ViewMaker, view_keys

TRAINING_POOL = keys.hash_text("pool of views")
"""The seed of the views that epochs draw from: the same for all runs."""

Read = Callable[[Int64[np.ndarray, " row"]], Float[Tensor, "row time"]]
"""Rows to waveforms on the device of the front end."""


@dataclass(frozen=True)
class ViewPool:
    """The views of some clips: of each the clean one, and then transformed ones."""

    kept: KeptLogMels
    """By row and view."""
    view_maker: ViewMaker
    n_views: int
    """Transformed ones of a clip."""
    seed: int
    """Of the views."""

    def missing(self, rows: Int64[np.ndarray, " row"]) -> Int64[np.ndarray, " missing"]:
        """Return the rows of which not all views are there."""
        every = np.arange(1 + self.n_views)
        return np.array([row for row in rows if not self.kept.read(np.full_like(every, row), every)[1].all()], np.int64)

    def make(
        self, row: Int64[np.ndarray, "1"], read: Read, clip_key: UInt64[np.ndarray, "1"], facts: ClipFacts
    ) -> Int16[np.ndarray, "view band frame"]:
        """Make the views of a clip by itself, keep them, and return what is kept.

        Args:
            row: of the clip.
            read: rows to waveforms.
            clip_key: of the clip.
            facts: what is known of it.
        """
        views = np.arange(1 + self.n_views)[:, None]
        made = self.view_maker.make(read(row), views, view_keys(self.seed, 0, clip_key, views), facts).inputs
        kept = self.view_maker.front_end.to_kept(made[:, 0])
        self.kept.write(np.repeat(row, len(views)), views[:, 0], kept)
        return kept

    def take(
        self, rows: Int64[np.ndarray, " batch"], read: Read, clip_keys: UInt64[np.ndarray, " batch"], facts: ClipFacts
    ) -> Float[Tensor, "view batch band frame"]:
        """Return all views of some clips, and make those that are not there; arguments as for `make`."""
        n_views = 1 + self.n_views
        found, are_there = self.kept.read(np.tile(rows, n_views), np.repeat(np.arange(n_views), len(rows)))
        stacked = found.reshape(n_views, len(rows), *found.shape[1:])
        for place in np.flatnonzero(~are_there.reshape(n_views, -1).all(axis=0)):
            one = np.array([place])
            stacked[:, place] = self.make(rows[one], read, clip_keys[one], facts.take(one))
        return self.view_maker.front_end.from_kept(stacked)

    def draw(
        self,
        rows: Int64[np.ndarray, " batch"],
        views: Int64[np.ndarray, "view batch"],
        clip_keys: UInt64[np.ndarray, " batch"],
        seed: int,
        epoch: int,
    ) -> Float[Tensor, "view batch band frame"]:
        """Return what a network hears of a batch; all of it must be there.

        Args:
            rows: of the clips.
            views: which view stands in each cell; 0 is the clean clip, and of more than there are some come again.
            clip_keys: a key per clip.
            seed: of the run.
            epoch: counted from 0.
        """
        drawn = np.zeros_like(views)
        if self.n_views:
            each = np.repeat(np.arange(self.n_views)[:, None], len(rows), axis=1)
            order = 1 + np.argsort(view_keys(seed, epoch, clip_keys, each), axis=0)  # keys are as good as random
            drawn = np.where(views > 0, np.take_along_axis(order, (views - 1) % self.n_views, axis=0), 0)
        inputs, are_there = self.kept.read(np.tile(rows, len(views)), drawn.reshape(-1))
        assert are_there.all()
        return self.view_maker.front_end.from_kept(inputs).unflatten(0, views.shape)
