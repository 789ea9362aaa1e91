"""How views are made: a batch of clips becomes `[view, batch, band, frame]`.

View 0 of a clip is the clean clip. View n > 0 is the transform under the key of (seed, epoch, clip, n). A batch says
which view stands in each cell, so one function serves every method: `none` asks for view 0 of each clip, `standard`
for one view per item, `bda` and `consistency` for views 0, 1, 2 of each clip.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from torch import Tensor

from cohear import keys
from cohear.models import LogMel
from cohear.tensors import on_device
from cohear.transforms.contract import ClipFacts, Parameters, Transform


def view_keys(
    seed: int, epoch: int, clip_keys: UInt64[np.ndarray, " batch"], views: Int64[np.ndarray, "view batch"]
) -> UInt64[np.ndarray, "view batch"]:
    """Make the key of each view of a batch; it depends on nothing else that the batch holds.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        clip_keys: one key per clip, made from the clip's identity.
        views: which view stands in each cell.
    """
    return keys.fold_in(keys.fold_in(keys.fold_in(keys.key(seed, "views"), epoch), clip_keys), views)


@dataclass(frozen=True, eq=False)
class MadeViews:
    """Views together with what was drawn for them."""

    log_mels: Float[Tensor, "view batch band frame"]
    waveforms: Float[Tensor, "view batch time"]
    rows: Int64[np.ndarray, " changed"]
    """Which cells of the flattened `[view batch]` were transformed."""
    parameters: Parameters | None
    """One row per changed cell; None where no cell was."""


@dataclass(frozen=True)
class ViewMaker:
    """Make the views of batches with one transform and one front end.

    Args:
        transform: of waveforms or of log-mels; None where only clean views are made.
        front_end: waveforms to log-mels, on the device of the waveforms.
    """

    transform: Transform | None
    front_end: LogMel

    @torch.no_grad()
    def make(
        self,
        waveforms: Float[Tensor, "batch time"],
        views: Int64[np.ndarray, "view batch"],
        view_keys: UInt64[np.ndarray, "view batch"],
        facts: ClipFacts | None = None,
    ) -> MadeViews:
        """Make the views.

        Args:
            waveforms: clean clips.
            views: which view stands in each cell; 0 is the clean clip.
            view_keys: a key per cell, see `view_keys`.
            facts: what is known of the clips; lengths in samples.
        """
        n_views, n_clips = views.shape
        rows = np.flatnonzero(views.reshape(-1) > 0)
        places = rows % max(n_clips, 1)
        facts = (facts or ClipFacts()).take(places)
        clips = on_device(places, waveforms.device)
        stacked = waveforms.expand(n_views, *waveforms.shape)
        transform, parameters = self.transform, None
        if len(rows) and transform is None:
            raise ValueError("a transformed view was asked for, and there is no transform to make it with")
        if transform is not None and len(rows):
            parameters = transform.draw(view_keys.reshape(-1)[rows])
        if parameters is None:
            log_mels = self.front_end(waveforms).expand(n_views, -1, -1, -1)
        elif transform is not None and transform.domain == "waveform":
            stacked = _with_rows(stacked, rows, transform.apply_to(waveforms[clips], parameters, facts))
            log_mels = self.front_end(stacked)
        else:
            assert transform is not None
            clean = self.front_end(waveforms)
            n_frames = None if facts.lengths is None else self.front_end.n_frames(facts.lengths)
            changed = transform.apply_to(clean[clips], parameters, ClipFacts(facts.rows, n_frames))
            log_mels = _with_rows(clean.expand(n_views, *clean.shape), rows, changed)
        return MadeViews(log_mels, stacked, rows, parameters)


def _with_rows(
    stacked: Float[Tensor, "view batch *rest"],
    rows: Int64[np.ndarray, " changed"],
    changed: Float[Tensor, "changed *rest"],
) -> Float[Tensor, "view batch *rest"]:
    """Return a copy of `stacked` whose flattened cells `rows` hold `changed`."""
    cells = stacked.flatten(0, 1).clone()
    cells[on_device(rows, cells.device)] = changed
    return cells.unflatten(0, stacked.shape[:2])
