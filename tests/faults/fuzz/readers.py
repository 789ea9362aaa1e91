"""The five readers as the fuzzer's child calls them: given a file, they read it or raise a `UserError`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from cohear.data.audio_decoding import AudioStream, decode, decode_channels
from cohear.data.audio_files import probe
from cohear.data.datasets import read_dataset
from cohear.errors import UserError
from cohear.runs.config import change, parse_override
from cohear.runs.presets import small
from cohear.runs.run import Run
from cohear.runs.trained_model import read_packed
from cohear.training.checkpoints import read_newest

SOUNDS = ("a.wav", "b.wav", "sub/c.wav", "audio/1-100-A-0.wav", "audio/2-101-A-1.wav")
"""Lie beside a table that is read."""


def lay_out(folder: Path) -> None:
    """Make the folder of each reader, what tables find beside them, and what they must not reach."""
    for reader in READ:
        (folder / reader).mkdir(parents=True)
    (folder / "outside.wav").touch()
    (folder / "outside").mkdir()
    (folder / "outside" / "d.wav").touch()
    for sound in SOUNDS:
        (folder / "tables" / sound).parent.mkdir(exist_ok=True)
        (folder / "tables" / sound).touch()
    (folder / "tables" / "link.wav").symlink_to("../outside.wav")
    (folder / "tables" / "away").symlink_to("../outside")
    (folder / "tables" / "round").symlink_to(".")
    (folder / "tables" / "loop.wav").symlink_to("loop.wav")


def _read_audio(path: Path) -> None:
    """Go all ways of check, training and prediction: header, whole, by channel, a segment, a stream at another rate."""
    refusals = []
    for way in (
        lambda: probe(path),
        lambda: decode(path),
        lambda: decode_channels(path),
        lambda: decode(path, 0.01, 0.02),
        lambda: _hear(path),
    ):
        try:
            way()
        except ValueError as error:
            refusals.append(error)
    if refusals:  # one that is no UserError is the one to be seen
        raise next((error for error in refusals if not isinstance(error, UserError)), refusals[-1])


def _hear(path: Path) -> None:
    stream = AudioStream(path, 16000)
    for block in stream:
        assert block.ndim == 1
    if stream.damage is not None:
        raise stream.damage


_opened: list[str] = []
_OF_PYTHON = tuple(
    os.path.realpath(folder) + os.sep for folder in (sys.prefix, sys.base_prefix, Path(__file__).parents[3])
)


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Note each file and folder that this process opens."""
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


def _read_table(path: Path) -> None:
    """List the clips; make sure that none leads out of the table's folder, and that nothing was opened there."""
    folder = next(parent for parent in path.parents if parent.name in ("tables", "data"))
    inside = os.path.realpath(folder) + os.sep
    _opened.clear()
    try:
        dataset = read_dataset(path)
    finally:
        for opened in map(os.path.realpath, [*_opened]):
            assert f"{opened}{os.sep}".startswith((inside, *_OF_PYTHON)), f"{opened!a} was opened"
    for clip in dataset.clips:
        assert (os.path.realpath(dataset.root / clip.path) + os.sep).startswith(inside), f"{clip.path!a} lies outside"
        f"{clip.id}{clip.label}{clip.group}".encode()
        assert clip.fold is None or 0 <= clip.fold < 2**63
        assert list(clip.labels) == sorted(set(clip.labels)), f"{clip.labels!a} are not sorted, or one is there twice"
        assert dataset.multi_label or len(clip.labels) == 1
    assert dataset.classes


def _read_configuration(path: Path) -> None:
    """Read a run's configuration, or settings, one a line, as `--set` takes them."""
    if path.suffix == ".set":
        text = os.fsdecode(path.read_bytes())  # as the arguments of a program arrive
        change(small(), dict(parse_override(line) for line in text.split("\n")))
        return
    record = Run(path.parent).record
    record.config.model_dump_json()
    assert all(isinstance(text, str) for text in (record.data_path, record.model, record.track, *record.classes))
    assert record.config.data.clip_s is None or 0 < record.clip_s < float("inf")


def _read_packed(path: Path) -> None:
    model = read_packed(path)
    model.to_bytes()


def _read_checkpoint(path: Path) -> None:
    """Read a run's folder in which this is the only checkpoint."""
    read_newest(path.parents[1])


READ: dict[str, Callable[[Path], object]] = {
    "audio": _read_audio,
    "whole": decode,
    "tables": _read_table,
    "configuration": _read_configuration,
    "packed": _read_packed,
    "checkpoints": _read_checkpoint,
}


def place(reader: str, folder: Path, name: str) -> Path:
    """Say where a file must lie for its reader, so that its name decides as little as possible."""
    if reader == "configuration" and not name.endswith(".set"):
        return folder / reader / "config.json"
    if reader == "checkpoints":
        return folder / reader / "checkpoint" / "epoch-3-step-5.safetensors"  # as the seeds say
    return folder / reader / name
