"""Views of which is kept what need not be made twice: clean clips, and transforms that have few outcomes.

A log-mel that is kept is rounded to steps of 0.01 dB, and it is rounded whether it lay there already or not. It is made
from its clip alone, since rounding in single precision may depend on the size of a batch. So a view is the same bit for
bit whatever lies in the cache, and a run ends in the same weights.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt64
from torch import Tensor

from cohear.data.kept_log_mels import KeptLogMels
from cohear.tensors import on_device
from cohear.transforms.contract import ClipFacts
from cohear.views import ViewMaker


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
