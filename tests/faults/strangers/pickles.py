"""Malicious pickles in many forms, in place of every file that is read: nothing of them may be executed."""

import io
import itertools
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from faults.strangers.scene import OPTIONS, TRAIN, Command, copy_of, in_scene, uses
from faults.strangers.watched import Watched, blindness, mark_unread, was_read, watch
from faults.tally import Tally

PROMISE = "A malicious pickle in place of any file that cohear reads executes nothing"
CONTROL = "The same pickles do execute where something unpickles them, and the watch sees it"
_WHOLE = (*TRAIN, "--validation", "0.3")


class _Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self._sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self._sentinel)!r}, 'w').close()",)


def forms(sentinel: Path) -> dict[str, bytes]:
    """Make malicious files by name; each writes `sentinel` when it is unpickled."""
    evil = _Evil(sentinel)
    objects = np.array([evil], dtype=object)
    return {
        **{f"protocol {number}": pickle.dumps(evil, number) for number in (0, 2, 5)},
        "torch.save": _written(lambda file: torch.save({"state": evil}, file)),
        "torch.save of old": _written(lambda file: torch.save(evil, file, _use_new_zipfile_serialization=False)),
        "npy": _written(lambda file: np.save(file, objects, allow_pickle=True)),
        "npz": _written(lambda file: np.savez(file, objects=objects)),
    }


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def targets(scene: Path) -> Iterator[tuple[str, tuple[Command, ...]]]:
    """Yield every file that something reads, by its path within the scene, and commands of which one reads it."""
    resume: tuple[Command, ...] = ((*_WHOLE, "--resume", "--out", "unfinished"),)
    of_run: tuple[Command, ...] = (
        *uses("run"),
        ("evaluate", "run", "sounds"),
        ("report", "run"),
        ("compare", "run", "other"),
        ("pack", "run", "made.cohear"),
        (*TRAIN, "--fold", "all", "--crossval", ".", "--out", "whole"),
    )
    unread = {"predictions.csv", ".lock"}  # written for people, or read by nobody
    yield from (
        (f"run/{its.name}", of_run) for its in (scene / "run").iterdir() if its.is_file() and its.name not in unread
    )
    kept = [its for its in (scene / "unfinished").rglob("*") if its.name in ("config.json", "history.jsonl")]
    kept += (scene / "unfinished" / "checkpoint").iterdir()
    yield from ((str(its.relative_to(scene)), resume) for its in kept)
    yield from ((name, uses(name)) for name in ("model.cohear", "model.pt", "model"))
    yield from ((f"data.{kind}", _reads(f"data.{kind}")) for kind in ("csv", "tsv", "jsonl", "txt"))
    yield from (("tracks/0.txt", _reads("tracks")), ("esc/meta/esc50.csv", _reads("esc")))
    hears: tuple[Command, ...] = (("check", "sounds"), (*TRAIN, "--out", "new"), ("predict", "run", "sounds"))
    yield from ((f"sounds/tone0/new{suffix}", hears) for suffix in (".wav", ".flac", ".mp3", ".m4a"))
    for file, bank in (("bank.safetensors", "bank.safetensors"), ("rooms/0.wav", "rooms")):
        yield file, ((*TRAIN, "--transform", f"reverb(bank='{bank}')", "--out", "roomy"),)
    cached = [its for its in sorted((scene / "cache").rglob("*")) if its.is_file() and not its.name.endswith("lock")]
    for path in cached:  # what it knows of files is named after the place of the scene
        yield str(path.relative_to(scene)), ((*_WHOLE, "--out", "again"),)


def _reads(data: str) -> tuple[Command, ...]:
    train = ("train", data, *OPTIONS, "--out", "new")
    return ("check", data), train, ("crossval", data, *OPTIONS, "--jobs", "1", "--out", "cv"), ("evaluate", "run", data)


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Feed every form to every reader."""
    sentinel = scratch / "executed"
    made = forms(sentinel)
    yield _control(made, sentinel)
    tally, read, turn = Tally(PROMISE, 0), list[str](), itertools.count()
    wanted = list(targets(scene))[:: 5 if quick else 1]
    for file, commands in wanted:
        heard = False
        for command in commands[:1] if quick else commands:
            form = list(made)[next(turn) % len(made)]
            with copy_of(scene, scratch / "copy") as place:
                path = place / file
                path.parent.mkdir(parents=True, exist_ok=True)
                (path.parent / "0.wav").write_bytes((place / "sounds/tone0/0.wav").read_bytes())
                path.write_bytes(made[form])
                mark_unread(path)
                seen = in_scene(place, command)
                heard = heard or was_read(path)
            tally.judge(f"{form} as {file}, {' '.join(command[:3])}", _problem(seen, sentinel))
        read += [file] * heard
    tally.wanted = len(wanted)
    tally.figures = f"{len(read)} of {len(wanted)} files were read by a command that was given them"
    if 10 * len(read) < 8 * len(wanted) and not quick:
        tally.lost.append(f"not read by any command, so not tried: {sorted({file for file, _ in wanted} - {*read})}")
    yield tally


def _problem(seen: Watched, sentinel: Path) -> str | None:
    if sentinel.exists():
        sentinel.unlink()
        return "it was executed"
    if seen.ran:
        return f"something was run: {seen.ran[0]}"
    if calls := [call for call in seen.called if not call.startswith("socket.getaddrinfo ('127.0.0.1'")]:
        return f"somebody was called: {calls[0]}"
    if seen.status not in (0, 2) or seen.traceback:
        return f"no sentence but status {seen.status}: {seen.traceback or seen.said[-200:]}"
    return None


def _control(made: Mapping[str, bytes], sentinel: Path) -> Tally:
    """Unpickle every form on purpose."""
    tally = Tally(CONTROL, 1 + len(made))
    tally.judge("a file that is read on purpose", blindness(sentinel.parent))
    for name, content in made.items():
        seen = watch(_unpickle, content)
        ran, noticed = sentinel.exists(), any("pickle.find_class" in event for event in seen.ran)
        sentinel.unlink(missing_ok=True)
        tally.judge(name, None if ran and noticed else f"executed: {ran}, noticed: {noticed} ({seen.said[-200:]})")
    return tally


def _unpickle(content: bytes) -> None:
    """Read as careless programs do."""
    if content.startswith(b"\x93NUMPY"):
        np.load(io.BytesIO(content), allow_pickle=True)
    elif content.startswith(b"PK") and b".npy" in content:
        np.load(io.BytesIO(content), allow_pickle=True)["objects"]
    else:
        try:
            torch.load(io.BytesIO(content), weights_only=False)
        except Exception:
            pickle.loads(content)
