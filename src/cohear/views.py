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
from cohear.models import FrontEnd
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

    inputs: Float[Tensor, "view batch band frame"]
    """What the network takes."""
    waveforms: Float[Tensor, "view batch time"]
    rows: Int64[np.ndarray, " changed"]
    """Which cells of the flattened `[view batch]` were transformed."""
    parameters: Parameters | None
    """One row per changed cell; None where no cell was."""


@dataclass(frozen=True)
class ViewMaker:
    """Make the views of batches with one augmentation and one front end.

    Args:
        transform: of waveforms, of log-mels or of both; None where only clean views are made.
        front_end: waveforms to what the network hears, on the device of the waveforms.
    """

    transform: Transform | None
    front_end: FrontEnd

    def to(self, device: torch.device) -> "ViewMaker":
        """Move the front end to a device, in place."""
        self.front_end.to(device)
        return self

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
        clean = waveforms.expand(n_views, *waveforms.shape)
        if not len(rows):
            return MadeViews(self._hear_clean(waveforms, n_views), clean, rows, None)
        if self.transform is None:
            raise ValueError("a transformed view was asked for, and there is no transform to make it with")
        transform, parameters = self.transform, self.transform.draw(view_keys.reshape(-1)[rows])
        of_view, of_clip = np.divmod(rows, n_clips)
        cells = on_device(of_view, waveforms.device), on_device(of_clip, waveforms.device)
        facts = (facts or ClipFacts()).take(of_clip)
        stacked = clean
        if "waveform" in transform.domains:
            stacked = clean.index_put(cells, transform.apply_in("waveform", waveforms[cells[1]], parameters, facts))
            inputs = self.front_end(stacked)
        else:
            inputs = self._hear_clean(waveforms, n_views)
        if "log_mel" in transform.domains:
            n_frames = None if facts.lengths is None else self.front_end.n_frames(facts.lengths)
            facts = ClipFacts(facts.rows, n_frames)
            inputs = inputs.index_put(cells, transform.apply_in("log_mel", inputs[cells], parameters, facts))
        return MadeViews(inputs, stacked, rows, parameters)

    def _hear_clean(
        self, waveforms: Float[Tensor, "batch time"], n_views: int
    ) -> Float[Tensor, "{n_views} batch band frame"]:
        """Return the log-mels of the clean clips, once for all views."""
        inputs = self.front_end(waveforms)
        return inputs.expand(n_views, *inputs.shape)
