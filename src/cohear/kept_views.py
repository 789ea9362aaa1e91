"""Views of which is kept what need not be made twice: clean clips, transforms that have few outcomes, and pools.

A pool is a fixed number of views of each clip: those that measure, and those that a frozen encoder hears, which cost
too much to be made anew. An epoch draws the views of a clip from its pool without putting any back, by the seed, the
epoch and the clip, so every method sees the same ones, and a resumed run too.

A log-mel that is kept is rounded to steps of 0.01 dB, and it is rounded whether it lay there already or not. It is made
from its clip alone, since rounding in single precision may depend on the size of a batch. So a view is the same bit for
bit whatever lies in the cache, and a run ends in the same weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int16, Int64, UInt64
from torch import Tensor

from cohear import keys
from cohear.data.kept_log_mels import KeptLogMels
from cohear.tensors import on_device
from cohear.transforms.contract import ClipFacts
from cohear.views import ViewMaker, view_keys


def variants(view_maker: ViewMaker) -> tuple[str, ...]:
    """Name what is kept of a clip: first the clip as it is, then the outcomes of its transform, where they are few."""
    return tuple(dict.fromkeys(["", *(view_maker.transform.variants if view_maker.transform else ())]))


@torch.no_grad()
def hear(
    view_maker: ViewMaker,
    kept: KeptLogMels,
    read: Callable[[Int64[np.ndarray, " cell"]], Float[Tensor, "cell time"]],
    views: Int64[np.ndarray, "view batch"],
    view_keys: UInt64[np.ndarray, "view batch"],
    facts: ClipFacts,
) -> Float[Tensor, "view batch band frame"]:
    """Make the log-mels of a batch, as `ViewMaker.make` does, and make nothing again that is kept.

    Args:
        view_maker: transform and front end.
        kept: log-mels by row and by place in `variants`.
        read: places in the batch to waveforms, on the device of the front end.
        views: which view stands in each cell; 0 is the clean clip.
        view_keys: a key per cell.
        facts: what is known of the clips; their rows at least.
    """
    transform, front_end = view_maker.transform, view_maker.front_end
    assert facts.rows is not None
    of_clip = np.tile(np.arange(views.shape[1]), len(views))
    cells, rows, outcome = facts.take(of_clip), facts.rows[of_clip], np.zeros(views.size, np.int64)
    changed = np.flatnonzero(views.reshape(-1) > 0)
    drawn = None
    if transform is None and len(changed):
        raise ValueError("a transformed view was asked for, and there is no transform to make it with")
    if transform is not None and len(changed):
        drawn = transform.draw(view_keys.reshape(-1)[changed])
        place_of = {name: place for place, name in enumerate(variants(view_maker))}
        outcome[changed] = [-1 if name is None else place_of[name] for name in transform.variants_of(drawn)]

    def heard(places: np.ndarray) -> Tensor:
        """Make cells anew; either all are transformed or none."""
        waveforms = read(of_clip[places])
        if outcome[places[0]] != 0:
            assert transform is not None
            assert drawn is not None
            its = drawn.take(np.searchsorted(changed, places))
            waveforms = transform.apply_in("waveform", waveforms, its, cells.take(places))
        return front_end(waveforms)

    steps, is_there = kept.read(rows, outcome)
    missing = np.flatnonzero(~is_there & (outcome >= 0))
    its, firsts, which = np.unique(  # two views of a clip may have drawn the same
        rows[missing] * kept.n_variants + outcome[missing], return_index=True, return_inverse=True
    )
    if len(its):
        made = np.concatenate([front_end.to_kept(heard(missing[first : first + 1])) for first in firsts])
        kept.write(rows[missing[firsts]], outcome[missing[firsts]], made)
        steps[missing] = made[which]
    device = front_end.device
    log_mels = front_end.from_kept(steps)
    if len(live := np.flatnonzero(outcome < 0)):
        log_mels[on_device(live, device)] = heard(live)
    if transform is not None and drawn is not None and "log_mel" in transform.domains:
        of_changed = cells.take(changed)
        n_frames = None if of_changed.lengths is None else front_end.n_frames(of_changed.lengths)
        places = on_device(changed, device)
        its_facts = ClipFacts(of_changed.rows, n_frames)
        log_mels[places] = transform.apply_in("log_mel", log_mels[places], drawn, its_facts)
    return log_mels.unflatten(0, views.shape)


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
