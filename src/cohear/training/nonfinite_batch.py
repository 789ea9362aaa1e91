"""What lay in a batch whose loss was not finite: its clips, what was drawn for them, and whether that is sound.

Everything is a function of (seed, epoch, step), so the batch is made again, clip by clip, when it is asked about.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.errors import UserError
from cohear.objectives import Losses
from cohear.runtime.files import write_json
from cohear.runtime.processes import process_rank
from cohear.training.batches import Batch
from cohear.training.nonfinite import LOWER_RATE, kept_text
from cohear.training.plan import TrainingClips
from cohear.views import ViewMaker, view_keys

_N_NAMED = 3


def look_into_batch(
    folder: Path,
    clips: TrainingClips,
    view_maker: ViewMaker,
    batches: Sequence[Batch],
    seed: int,
    epoch: int,
    step: int,
    losses: Losses,
) -> UserError:
    """Look into a batch, write `nonfinite.json`, and return the sentence that ends the run.

    Where the sounds cannot be read again or the file cannot be written, the sentence says so too.

    Args:
        folder: of the run.
        clips: what is trained on.
        view_maker: made the views.
        batches: of the epoch.
        seed: of the run.
        epoch: counted from 0.
        step: of the epoch, counted from 0.
        losses: of the step.
    """
    batch, path = batches[step], folder / "nonfinite.json"
    numbers = {name: _number(float(value)) for name, value in losses._asdict().items()}
    described: list[dict[str, Any]] = []
    told = f"what was drawn for each stands in '{path}'"
    try:
        described = [_describe(clips, view_maker, batch, seed, epoch, place) for place in range(len(batch.clips))]
        if process_rank() == 0:
            write_json(path, {"epoch": epoch, "step": step, "losses": numbers, "clips": described})
    except (UserError, OSError) as error:  # a disk in trouble shall not hide which step it was
        told = f"what was drawn for each is not in '{path.name}' ({error})"
    what = "gradients are" if all(math.isfinite(float(value)) for value in losses) else "loss is"
    unsound = [clip["id"] for clip in described if not all(map(_is_sound, clip["views"]))]
    ids = list(dict.fromkeys([*unsound, *(clips.ids[row] for row in batch.clips.tolist())]))
    named = ", ".join(f"'{name}'" for name in ids[:_N_NAMED])
    others = f" and {len(ids) - _N_NAMED} more" if len(ids) > _N_NAMED else ""
    spoiled = f" ({len(unsound)} of them with a spectrogram that is not finite, named first)" if unsound else ""
    return UserError(
        f"the {what} not finite in epoch {epoch}, step {step}, both counted from 0, with the clips {named}{others}"
        f"{spoiled}; {told}{kept_text(folder)}: look for damaged clips, "
        f"{LOWER_RATE}, or go on without such steps by --on-nonfinite skip (`cohear train` needs --resume too)"
    )


def _describe(
    clips: TrainingClips, view_maker: ViewMaker, batch: Batch, seed: int, epoch: int, place: int
) -> dict[str, Any]:
    rows, views = batch.clips[[place]], batch.views[:, [place]]
    cell_keys = view_keys(seed, epoch, clips.clip_keys[rows], views)
    made = view_maker.make(clips.read(rows), views, cell_keys, clips.facts.take(rows))
    shown = []
    for cell, view in enumerate(views[:, 0].tolist()):
        drawn: dict[str, Any] = {"change": None, "parameters": None}
        changed = np.flatnonzero(made.rows == cell)
        if made.parameters is not None and len(changed):
            own = made.parameters.take(changed)
            drawn = {"change": own.describe()[0], "parameters": own.to_json()}
        finite = {
            "waveform_is_finite": bool(made.waveforms[cell].isfinite().all()),
            "spectrogram_is_finite": bool(made.log_mels[cell].isfinite().all()),
        }
        shown.append({"view": view, **drawn, **finite})
    return {"id": clips.ids[int(rows[0])], "views": shown}


def _is_sound(view: dict[str, Any]) -> bool:
    return view["waveform_is_finite"] and view["spectrogram_is_finite"]


def _number(value: float) -> float | str:
    """Write what JSON has no number for as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
