"""A run's checkpoints on disk, read without torch: numbered files, of which the newest two are kept.

Each is sealed by a checksum. Where the newest is damaged the one before is used, and the caller is told. They are
written so often that a run that is killed does at most five minutes of its work twice.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, read_plain, write_bytes
from cohear.runtime.sealed_tensors import unseal

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)\.safetensors")
N_KEPT = 2
"""Checkpoints, the one just written and the one before."""
MOST_BYTES = 2**34
"""Of a checkpoint or a file of weights: a thousand times the paper's."""
INTERVAL_S = 300.0
"""Longest time between two checkpoints, but for a single piece of work that takes longer."""

Work = Literal["step", "measurement"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds."""

    progress: dict[str, Any]
    """Where the run stands, JSON values."""
    tensors: dict[str, np.ndarray]
    """By name."""
    data: bytes
    """The file."""


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read the bytes of a checkpoint.

    Raises:
        ValueError: where they are damaged, or of something else.
    """
    tensors, progress = unseal(data)
    if not isinstance(progress, dict) or not all(type(progress.get(number)) is int for number in ("epoch", "step")):
        raise ValueError("it says nothing of its epoch and step")
    return Checkpoint(progress, tensors, data)


def checkpoint_folder(folder: Path) -> Path:
    """Return where a run's checkpoints lie: in its own folder, as others may be removed where they go.

    Raises:
        UserError: where that is a link, maybe to those of another run.
    """
    inside = folder / "checkpoint"
    if os.path.islink(inside):
        raise UserError(f"'{inside}' is a link; move the folder that it leads to there, then go on with --resume")
    return inside


def checkpoint_paths(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the newest first.

    Raises:
        UserError: where the disk does not tell.
    """
    inside = checkpoint_folder(folder)
    try:
        found = [(match, inside / name) for name in os.listdir(inside) if (match := _NAME.fullmatch(name))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(inside, error) from error
    return [path for _, path in sorted(found, key=lambda one: (int(one[0][1]), int(one[0][2])), reverse=True)]


def write_checkpoint(folder: Path, epoch: int, step: int, data: bytes) -> None:
    """Write a run's newest checkpoint, then remove those before it but one.

    Args:
        folder: of the run.
        epoch: that training is in, counted from 0.
        step: steps of it that were made.
        data: sealed; what is said about the tensors is where the run stands.

    Raises:
        UserError: where the disk is full, the place cannot be written, or the run folder is gone; the checkpoints
            before are still there.
    """
    path = checkpoint_folder(folder) / f"epoch-{epoch}-step-{step}.safetensors"
    with explain_disk_errors(path):
        if not disk.exists(folder):  # never made anew: nothing else of the run would be there
            raise UserError(
                f"the run folder '{folder}' is gone: it was moved or removed, or its disk is no longer there; bring it "
                "back, then go on with --resume"
            )
        disk.make_folder(path.parent)
    write_bytes(path, data)
    remove_old_checkpoints(folder)


def remove_old_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a run but the newest ones.

    Raises:
        UserError: where the disk refuses.
    """
    for old in checkpoint_paths(folder)[N_KEPT:]:
        with explain_disk_errors(old):
            disk.remove(old)


def read_newest(folder: Path, identity: str | None = None) -> tuple[Checkpoint | None, list[tuple[Path, str]]]:
    """Read the newest checkpoint that is whole and of the run; None where there is none at all.

    Args:
        folder: of the run.
        identity: what its checkpoints must say; None: anything.

    Returns:
        The checkpoint, and the newer ones that cannot be used, each with the reason.

    Raises:
        UserError: where the disk does not give one, or there are some and not one of them can be used.
    """
    refused: list[tuple[Path, str]] = []
    for path in checkpoint_paths(folder):
        try:
            checkpoint = parse_checkpoint(read_plain(path, MOST_BYTES))
            if identity is not None and checkpoint.progress.get("identity") != identity:
                raise ValueError("it is of another run")
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValueError as error:
            refused.append((path, str(error)))
        else:
            return checkpoint, refused
    if refused:
        raise UserError(
            f"{', '.join(map(refusal, *zip(*refused, strict=True)))}; copy one of them there from elsewhere, or remove "
            "the run folder to start afresh"
        )
    return None, []


def refusal(path: Path, reason: str) -> str:
    """Say that a checkpoint cannot be used, and why."""
    return f"the checkpoint '{path}' cannot be used ({reason})"


def _unreadable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or error
    return UserError(f"'{path}' cannot be read ({reason}); see to the disk, then go on with --resume")


class CheckpointClock:
    """Knows when the last checkpoint was written, and how long a piece of each kind of work took."""

    def __init__(self) -> None:
        self._saved = self._lap = time.monotonic()
        self._took_s: dict[Work, float] = {}

    def did(self, work: Work) -> None:
        """Note that a piece of work ends now."""
        now = time.monotonic()
        self._took_s[work] = now - self._lap
        self._lap = now

    def is_due_before(self, work: Work) -> bool:
        """Whether to write a checkpoint now, since after such a piece of work it would be late."""
        return time.monotonic() - self._saved + self._took_s.get(work, 0.0) >= INTERVAL_S

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._saved = self._lap = time.monotonic()
