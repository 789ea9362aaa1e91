"""A run's checkpoints on disk, read without torch: numbered files, of which the newest two are kept.

Each is sealed by a checksum. Where the newest is damaged the one before is used, and the caller is told.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, write_bytes
from cohear.runtime.reading import read_plain
from cohear.runtime.sealed_tensors import seal, unseal

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)\.safetensors")
N_KEPT = 2
"""Checkpoints, the one just written and the one before."""
MOST_BYTES = 2**34
"""Of a checkpoint or a file of weights: a thousand times the paper's."""
_SEE_TO_THE_DISK = "see to the disk, then go on with --resume"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds."""

    progress: dict[str, Any]
    """Where the run stands, JSON values."""
    tensors: dict[str, np.ndarray]
    """By name."""
    digest: bytes
    """Eight bytes, the same for the same file."""


def checkpoint_bytes(progress: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the file of a checkpoint; equal ones give equal bytes."""
    return seal(tensors, dict(progress))


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read the bytes of a checkpoint.

    Raises:
        ValueError: where they are damaged, or of something else.
    """
    tensors, progress = unseal(data)
    if not isinstance(progress, dict):
        raise ValueError("it says nothing of where the run stands")
    if not all(type(progress.get(number)) is int for number in ("epoch", "step")):
        raise ValueError("it says nothing of its epoch and step")
    return Checkpoint(progress, tensors, hashlib.blake2b(data, digest_size=8).digest())


def checkpoint_folder(folder: Path) -> Path:
    """Return where a run's checkpoints lie: in its own folder, as others may be removed where they go.

    Raises:
        UserError: where that is a link.
    """
    inside = folder / "checkpoint"
    if os.path.islink(inside):
        raise UserError(f"'{inside}' is a link; move the folder that it leads to there, then go on with --resume")
    return inside


def checkpoint_paths(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the newest first.

    Raises:
        UserError: where the disk does not tell, or they would lie in a folder elsewhere, maybe that of another run.
    """
    inside = checkpoint_folder(folder)
    try:
        paths = [inside / name for name in os.listdir(inside) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"'{inside}' cannot be read ({error.strerror}); {_SEE_TO_THE_DISK}") from error
    return sorted(paths, key=lambda path: (*_numbers(path), path.name), reverse=True)


def write_checkpoint(folder: Path, epoch: int, step: int, data: bytes) -> None:
    """Write a run's newest checkpoint, then remove those before it but one.

    Args:
        folder: of the run.
        epoch: that training is in, counted from 0.
        step: steps of it that were made.
        data: from `checkpoint_bytes`.

    Raises:
        UserError: where the disk is full, the place cannot be written, or the run folder is gone; the checkpoints
            before are still there.
    """
    path = _path(folder, epoch, step)
    with explain_disk_errors(path):
        if not disk.exists(folder):  # never made anew: nothing else of the run would be there
            raise UserError(
                f"the run folder '{folder}' is gone: it was moved or removed, or its disk is no longer there; bring it "
                "back, then go on with --resume"
            )
        disk.make_folder(path.parent)
    write_bytes(path, data)
    remove_old_checkpoints(folder, epoch, step)


def remove_old_checkpoints(folder: Path, epoch: int, step: int) -> None:
    """Remove what is older than a checkpoint and the one before it.

    Newer ones that the disk did not give stay: they may be whole, and the run comes to them again.

    Args:
        folder: of the run.
        epoch: of the checkpoint.
        step: of the checkpoint.

    Raises:
        UserError: where the disk refuses.
    """
    older = [path for path in checkpoint_paths(folder) if _numbers(path) < (epoch, step)]
    with explain_disk_errors(_path(folder, epoch, step)):
        for old in older[N_KEPT - 1 :]:
            disk.remove(old)


def _path(folder: Path, epoch: int, step: int) -> Path:
    return checkpoint_folder(folder) / f"epoch-{epoch}-step-{step}.safetensors"


def _numbers(path: Path) -> tuple[int, int]:
    """Return the epoch and the step in a checkpoint's name."""
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Refused:
    """A checkpoint that cannot be used."""

    path: Path
    reason: str
    kind: Literal["unreadable", "damaged", "foreign", "misnamed"]
    """The disk did not give it; it is not what was written; it is whole and of another run, or of another step."""

    def __str__(self) -> str:
        return f"the checkpoint '{self.path}' cannot be used ({self.reason})"


def read_newest(folder: Path, identity: str | None = None) -> tuple[Checkpoint | None, list[Refused]]:
    """Read the newest checkpoint that is whole; None where there is none at all.

    Args:
        folder: of the run.
        identity: what its checkpoints must say; None: anything.

    Returns:
        The checkpoint, and the newer ones that cannot be used.

    Raises:
        UserError: where there are checkpoints, and not one of them can be used.
    """
    refused: list[Refused] = []
    for path in checkpoint_paths(folder):
        try:
            checkpoint = parse_checkpoint(read_plain(path, MOST_BYTES))
        except OSError as error:
            refused.append(Refused(path, error.strerror or str(error), "unreadable"))
            continue
        except ValueError as error:
            refused.append(Refused(path, str(error), "damaged"))
            continue
        if identity is not None and checkpoint.progress.get("identity") != identity:
            refused.append(Refused(path, "it is of another run", "foreign"))
            continue
        epoch, step = checkpoint.progress["epoch"], checkpoint.progress["step"]
        name = _path(folder, epoch, step).name
        if path.name == name:
            return checkpoint, refused
        # One that is named as if it were newer would be read again and again, in place of those written after it.
        refused.append(Refused(path, f"it holds epoch {epoch}, step {step}, so its name is {name}", "misnamed"))
    if not refused:
        return None, []
    kinds = {one.kind for one in refused}
    remedy = "copy one of them there from elsewhere, or remove the run folder to start afresh"
    if "unreadable" in kinds:
        remedy = _SEE_TO_THE_DISK
    elif "misnamed" in kinds:
        remedy = "rename it, then go on with --resume"
    raise UserError(f"{', '.join(map(str, refused))}; {remedy}")
