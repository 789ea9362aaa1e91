"""Malicious pickles in every form, under every name that a reader accepts: nothing of them may be executed."""

import gzip
import hashlib
import io
import itertools
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cohear.data.audio_files import AUDIO_SUFFIXES
from faults.strangers_scene import OPTIONS, TRAIN, Command, copy_of, in_scene
from faults.tally import Tally
from faults.watched import Watched, blindness, mark_unread, was_read, watch

PROMISE = "A malicious pickle in place of any file that cohear reads executes nothing"
CONTROL = "The same pickles do execute where something unpickles them, and the watch sees it"


class _Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self._sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self._sentinel)!r}, 'w').close()",)


def forms(sentinel: Path) -> dict[str, bytes]:
    """Make malicious files by name; each writes `sentinel` when it is unpickled."""
    evil = _Evil(sentinel)
    made = {f"protocol {number}": pickle.dumps(evil, number) for number in range(6)}
    made["gzip"] = gzip.compress(made["protocol 4"])
    made["torch.save"] = _written(lambda file: torch.save({"state": evil}, file))
    made["torch.save of old"] = _written(
        lambda file: torch.save({"state": evil}, file, _use_new_zipfile_serialization=False)
    )
    objects = np.array([evil], dtype=object)
    made["npy"] = _written(lambda file: np.save(file, objects, allow_pickle=True))
    made["npz"] = _written(lambda file: np.savez(file, objects=objects))
    return made


def packed_forms(sentinel: Path, packed: Path) -> dict[str, bytes]:
    """Make packed models with a pickle in place of an entry, and beside the entries."""
    with zipfile.ZipFile(packed) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    evil = pickle.dumps(_Evil(sentinel), 2)
    made = {f"as its {name}": {**entries, name: evil} for name in entries}
    made |= {
        f"beside, as {name}": {**entries, name: evil} for name in ("data.pkl", "archive/data.pkl", "constants.pkl")
    }
    return {name: _zipped(its) for name, its in made.items()}


@dataclass(frozen=True)
class Target:
    """A file that is replaced, and the commands that may read it."""

    file: str
    """Within the scene."""
    commands: tuple[Command, ...]
    is_ignored: bool = False
    """Whether cohear never reads it: it writes it for people."""


def _uses(run: str) -> tuple[Command, ...]:
    """Commands that use a run or a packed model."""
    return (
        ("load", run),
        ("predict", run, "sounds/tone0/0.wav"),
        ("export", run, "made.onnx"),
        ("listen", run, "--port", "0", "--no-open"),
        ("evaluate", run, "sounds"),
        ("report", run),
        (*TRAIN, "--init", run, "--out", "begun"),
    )


_RUN: tuple[Command, ...] = (
    *_uses("run"),
    ("compare", "run", "other"),
    ("pack", "run", "made.cohear"),
    (*TRAIN, "--set", "data.pitch_cache=true", "--fold", "all", "--crossval", ".", "--out", "whole"),
    (*TRAIN, "--validation", "0.3", "--set", "data.pitch_cache=true", "--resume", "--out", "run"),
)
_RUN_FILES = (
    *("config.json", "metrics.json", "model.safetensors", "predictions.safetensors", "validation.safetensors"),
    *("calibration.json", "history.jsonl", "environment.json"),
)
_TRAIN_AGAIN = (*TRAIN, "--validation", "0.3", "--set", "data.pitch_cache=true")


def targets(scene: Path, place: Path) -> list[Target]:
    """List every file that something reads, and the commands that read it.

    Args:
        scene: whole.
        place: where copies of it will lie; the cache names what it knows of files after their place.
    """
    found = [Target(f"run/{name}", _RUN) for name in _RUN_FILES]
    found += [Target(f"run/{name}", _RUN, is_ignored=True) for name in ("predictions.csv", ".lock")]
    found += [Target("run/report.html", (("report", "run"),))]
    go_on: tuple[Command, ...] = ((*_TRAIN_AGAIN, "--resume", "--out", "unfinished"),)
    kept = sorted((scene / "unfinished" / "checkpoint").iterdir())
    found += [Target(str(path.relative_to(scene)), go_on) for path in kept]
    found += [Target(f"unfinished/{name}", go_on) for name in ("config.json", "history.jsonl")]
    found += [Target(name, _uses(name)) for name in ("model.cohear", "model.bin", "model.pt", "model.pkl", "model")]
    found += [Target(f"data.{kind}", _reads_data(f"data.{kind}")) for kind in ("csv", "tsv", "jsonl", "txt")]
    found += [Target("sounds/tone0/0.txt", _reads_data("sounds"), is_ignored=True)]
    found += [Target("tracks/0.txt", _reads_data("tracks")), Target("esc/meta/esc50.csv", _reads_data("esc"))]
    found += [Target("tracks/0.Table.1.selections.txt", _reads_data("tracks"))]
    found += [Target(f"sounds/tone0/new{suffix}", _hears(suffix)) for suffix in sorted(AUDIO_SUFFIXES)]
    with_bank, with_rooms = (
        ((*TRAIN, "--set", f"views.room_bank={place}", "--out", "roomy"),) for place in ("bank.safetensors", "rooms")
    )
    found += [Target("bank.safetensors", with_bank), Target("rooms/0.wav", with_rooms)]
    cache = scene / "cache"
    kept = [path for path in sorted(cache.rglob("*")) if path.is_file() and not path.name.endswith("lock")]
    names = [str(path.relative_to(scene)) for path in kept if not path.name.startswith("contents-")]
    sounds = str((place / "sounds").resolve()).encode()
    names.append(f"cache/contents-{hashlib.blake2b(sounds, digest_size=16).hexdigest()}.json")
    return found + [Target(name, ((*_TRAIN_AGAIN, "--out", "again"),)) for name in names]


def _reads_data(data: str) -> tuple[Command, ...]:
    train = ("train", data, *OPTIONS, "--out", "new")
    return ("check", data), train, ("crossval", data, *OPTIONS, "--out", "cv"), ("evaluate", "run", data)


def _hears(suffix: str) -> tuple[Command, ...]:
    name = f"sounds/tone0/new{suffix}"
    return (
        ("predict", "model.cohear", name),
        ("check", "sounds"),
        (*TRAIN, "--out", "new"),
        ("predict", "run", "sounds"),
    )


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Feed every form to every reader."""
    sentinel = scratch / "executed"
    everywhere, packed = forms(sentinel), packed_forms(sentinel, scene / "model.cohear")
    yield _control(everywhere, sentinel)
    place = scratch / "copy"
    wanted = targets(scene, place)
    tally = Tally(PROMISE, 0)
    n_read, unread, kinds = 0, set[str](), itertools.count()
    for target in wanted:
        its_forms = everywhere | packed if target.file == "model.cohear" else everywhere
        n_tries = 1 if quick else max(len(target.commands), len(its_forms))
        tally.wanted += n_tries
        heard = False
        for turn in range(n_tries):
            form = list(its_forms)[next(kinds) % len(its_forms)]
            command = target.commands[(n_read + turn) % len(target.commands)]
            with copy_of(scene, place):
                _plant(place, target.file, its_forms[form])
                seen = in_scene(place, command)
                heard |= was_read(place / target.file)
            tally.judge(f"{form} as {target.file}, {' '.join(command[:3])}", _problem(seen, sentinel))
        n_read += heard
        if not heard and not target.is_ignored:
            unread.add(target.file)
    tally.figures = f"{n_read} of {len(wanted)} files were read by a command that was given them"
    if unread and not quick:
        tally.lost.append(f"not read by any command, so not tried: {', '.join(sorted(unread))}")
    yield tally


def _plant(place: Path, name: str, content: bytes) -> None:
    file = place / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.parent.name == "tracks":
        (file.parent / "0.wav").write_bytes((place / "sounds/tone0/0.wav").read_bytes())
    if file.parent.name == "meta":
        (file.parents[1] / "audio").mkdir()
    file.write_bytes(content)
    mark_unread(file)


def _problem(seen: Watched, sentinel: Path) -> str | None:
    if sentinel.exists():
        sentinel.unlink()
        return "it was executed"
    if seen.ran:
        return f"something was run: {seen.ran[0]}"
    if seen.called:
        calls = [call for call in seen.called if not call.startswith("socket.getaddrinfo ('127.0.0.1'")]
        if calls:
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
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if content.startswith(b"\x93NUMPY"):
        np.load(io.BytesIO(content), allow_pickle=True)
    elif content.startswith(b"PK") and b".npy" in content:
        np.load(io.BytesIO(content), allow_pickle=True)["objects"]
    else:
        try:
            torch.load(io.BytesIO(content), weights_only=False)
        except Exception:
            pickle.loads(content)


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _zipped(entries: Mapping[str, bytes]) -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)

    return _written(write)
