"""The folder of a store: written whole, looked at before it is used, read row by row. And what is in sounds' files."""

import hashlib
import json
import os
import shutil
import stat
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int16, Int64

from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.decoding import Decoded, DecodedClip, DecodingReport, StoreSettings, decode_clips, in_order
from cohear.data.wording import some
from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import remove_partials, replacing, waiting_for

MISSING = "missing"
"""Stands for the content of a file that cannot be read."""

_WAVEFORMS, _DESCRIPTION = "waveforms.int16", "store.json"
_N_NAMED = 3
"""Files that cannot be used and are named."""
_HASHED_AT_ONCE = 1000


class RowFile:
    """Rows of 16-bit values in a file, which stays open and is read when they are asked for.

    Not a memory map: where a file is cut short behind our back, or its disk fails or goes away, a map kills the process
    by a signal, and reading is an error that can be told. From the page cache both take one copy.

    Args:
        path: of the file; once it is open its name may go.
        n_rows: how many there are.
        n_samples: of each row.
        opens: whether to open it now; else when it is read.

    Raises:
        OSError: where the file cannot be opened.
    """

    def __init__(self, path: Path, n_rows: int, n_samples: int, opens: bool = True) -> None:
        self.path, self.n_rows, self.n_samples = path, n_rows, n_samples
        if opens:
            _ = self._descriptor

    @cached_property
    def _descriptor(self) -> int:
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def __reduce__(self) -> tuple[type["RowFile"], tuple[Path, int, int, bool]]:
        """Open the file again in another process, whose descriptors are other ones, and which may not see it."""
        return RowFile, (self.path, self.n_rows, self.n_samples, False)

    @property
    def n_bytes(self) -> int:
        """Of all rows."""
        return self.n_rows * self.n_samples * np.dtype(np.int16).itemsize

    def read(self, row: int, line: Int16[np.ndarray, " time"]) -> None:
        """Read a row into an array.

        Raises:
            UserError: where the disk does not give it, or the file has become shorter.
        """
        try:
            n_read, reason = disk.read_at(self._descriptor, self.path, line.view(np.uint8).data, row * line.nbytes), ""
        except OSError as error:
            n_read, reason = 0, error.strerror or str(error)
        if n_read < line.nbytes:
            remedy = "see to the disk and give the command again, with --resume where a run was begun"
            reason = reason or "it has become shorter"
            raise UserError(f"the decoded sounds in '{self.path}' cannot be read ({reason}); {remedy}")


class RowFiles:
    """The rows of several files, one behind the other.

    Args:
        files: at least one, of rows of the same length.
    """

    def __init__(self, files: Sequence[RowFile]) -> None:
        self.files = tuple(files)
        self._firsts = np.cumsum([0, *(file.n_rows for file in files)])

    @property
    def path(self) -> Path:
        """Of the first file: who sees that sees all."""
        return self.files[0].path

    @property
    def n_bytes(self) -> int:
        """Of all rows."""
        return sum(file.n_bytes for file in self.files)

    def read(self, rows: Iterable[int] | Int64[np.ndarray, " batch"]) -> Int16[np.ndarray, "batch time"]:
        """Return some rows; raises as `RowFile.read`."""
        rows = np.asarray(rows, np.int64)
        values = np.empty((len(rows), self.files[0].n_samples), np.int16)
        places = np.searchsorted(self._firsts, rows, side="right") - 1
        for file, row, line in zip(places.tolist(), (rows - self._firsts[places]).tolist(), values, strict=True):
            self.files[file].read(row, line)
        return values


PLACES = np.dtype([("clip", "i4"), ("start_s", "f8"), ("end_s", "f8")])
"""Which clip of the data set a row is of; where it begins and ends in its file, seconds."""


class StoreFiles(NamedTuple):
    """What a store's folder holds."""

    waveforms: RowFile
    scales: Float32[np.ndarray, " row"]
    places: np.ndarray
    """Of each row, as `PLACES`."""
    report: DecodingReport


def read_store(folder: Path, n_clips: int, settings: StoreSettings) -> StoreFiles | None:
    """Open a finished store; None where a file is gone, cut short or no longer what was written.

    A tidy hand does that, a copy broken off, a bad disk, or a later version of the files.

    Args:
        folder: of the store.
        n_clips: of the data set.
        settings: of the store.

    Raises:
        OSError: where the disk fails.
    """
    try:
        description = json.loads((folder / _DESCRIPTION).read_text("utf-8"))
        places = np.array([tuple(row) for row in description["rows"]], PLACES)
        scales = np.array(description["scales"], np.float32)
        decoded = [Decoded(*clip) for clip in description["decoded"]]
        durations_s = np.array([clip.duration_s for clip in decoded], np.float64)
        n_rows = np.array([clip.n_rows for clip in decoded], np.int64)
        skipped = tuple((clip_id, reason) for clip_id, reason in description["skipped"])
        waveforms = RowFile(folder / _WAVEFORMS, len(places), settings.n_samples)
        is_whole = (folder / _WAVEFORMS).stat().st_size == waveforms.n_bytes and scales.shape == (len(places),)
        is_whole &= int(n_rows.sum()) == len(places)
        if not is_whole or not ((places["clip"] >= 0) & (places["clip"] < n_clips)).all():
            return None
        remarkable = tuple(clip for clip in decoded if clip.is_remarkable)
        report = DecodingReport(settings, durations_s, n_rows, remarkable, skipped)
    except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return StoreFiles(waveforms, scales, places, report)


def build_store(
    folder: Path,
    dataset: Dataset,
    settings: StoreSettings,
    skip_bad: bool,
    on_progress: Callable[[int, int], None] | None,
) -> list[tuple[str, str]]:
    """Write a store beside its place and rename it into it; leave nothing behind where that fails.

    Rows are appended to a plain file: on a full disk a write fails with an error, where a memory map would kill the
    process.

    Args:
        folder: where the finished store will be; nothing is there.
        dataset: what to decode.
        settings: sample rate and length.
        skip_bad: leave out files that cannot be used.
        on_progress: called with the number of clips decoded and that of all clips.

    Returns:
        Clips that cannot be used, and why. Where there are any and not `skip_bad`, there is no store.

    Raises:
        UserError: where the disk of a file fails.
    """
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a builder that was killed: the lock is ours now
    partial.mkdir()
    try:
        rows, scales, decoded, skipped = [], [], [], []
        with open(partial / _WAVEFORMS, "wb") as waveforms:
            for index, outcome in enumerate(_decode_all(dataset.root, dataset.clips, settings)):
                if isinstance(outcome, UserError):
                    skipped.append((dataset.clips[index].id, str(outcome).replace(f"{dataset.root}{os.sep}", "")))
                else:
                    disk.write(waveforms, outcome.waveforms.tobytes())
                    scales += outcome.scales.tolist()
                    rows += [(index, *times) for times in zip(outcome.starts_s, outcome.ends_s, strict=True)]
                    decoded.append(astuple(outcome.done))
                if on_progress:
                    on_progress(index + 1, len(dataset.clips))
            disk.sync(waveforms)
        if skipped and not skip_bad:
            return skipped
        description = {"rows": rows, "scales": scales, "decoded": decoded, "skipped": skipped}
        with open(partial / _DESCRIPTION, "wb") as file:
            disk.write(file, json.dumps(description).encode())
            disk.sync(file)
        disk.sync_folder(partial)
        disk.rename(partial, folder)
        disk.sync_folder(folder.parent)
        return skipped
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def is_outdated(report: DecodingReport, dataset: Dataset) -> bool:
    """Whether a clip that was left out can be decoded by now: a decoder was installed, a disk answers again."""
    skipped = {clip_id for clip_id, _ in report.skipped}
    left_out = [clip for clip in dataset.clips if clip.id in skipped]
    return any(not isinstance(outcome, UserError) for outcome in _decode_all(dataset.root, left_out, report.settings))


def bad_files(dataset: Dataset, skipped: Sequence[tuple[str, str]]) -> UserError:
    """Name the first clips that cannot be used."""
    reasons = [reason.rstrip(".") for _, reason in skipped]
    if len(reasons) == len(dataset.clips):
        return UserError(f"not one clip of {dataset.name} can be used; the first: {reasons[0]}")
    cannot = f"{len(reasons)} of {len(dataset.clips)} clips cannot be used (--skip-bad trains without them)"
    return UserError(f"{cannot}: {some(reasons, _N_NAMED)}")


def _decode_all(root: Path, clips: Sequence[Clip], settings: StoreSettings) -> Iterator[DecodedClip | UserError]:
    def outcomes(its_clips: Sequence[Clip]) -> list[DecodedClip | UserError]:
        decoded = decode_clips(root, its_clips, settings)
        if any(isinstance(outcome, UserError) for outcome in decoded):
            _require_disk(root / its_clips[0].path)
        return decoded

    return in_order(clips, outcomes)


def _require_disk(path: Path) -> None:
    """Refuse to go on where a disk fails, and no damage of the file, is why it cannot be used.

    Decoders do not tell them apart, so the file is read once more: others of the same disk would be given up too.

    Args:
        path: of a file that could not be used; where it is none, or is not there, nothing is said.

    Raises:
        UserError: what the disk says.
    """
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb") as file:
                while file.read(1 << 20):
                    pass
    except OSError as error:
        if disk.is_gone(error):
            remedy = "see to it, or leave that file out, then give the same command again"
            raise UserError(f"the disk fails at '{path}' ({error.strerror}): {remedy}.") from error


def content_hashes(root: Path, paths: Sequence[str], cache_dir: Path) -> dict[str, str]:
    """Hash the contents of files (BLAKE2b, 128 bits).

    Args:
        root: the folder to which the paths are relative.
        paths: the files; a file that cannot be read is `MISSING`.
        cache_dir: where the hashes are remembered, with each file's size and time of last change.
    """
    name = hashlib.blake2b(str(root.resolve()).encode(), digest_size=16).hexdigest()
    index_path = cache_dir / f"contents-{name}.json"
    with waiting_for(Path(f"{index_path}.lock"), "is reading these files"):
        index = _read_index(index_path)
        contents, changed = dict[str, str](), dict[str, list[int]]()
        for path in dict.fromkeys(paths):
            stamp = _stamp(root / path)
            contents[path] = index[path][2] if stamp and index.get(path, [])[:2] == stamp else MISSING
            if stamp and contents[path] == MISSING:
                changed[path] = stamp
        ahead = iter(changed.items())
        with ThreadPoolExecutor() as pool:  # hashing lets other threads run
            while some := list(islice(ahead, _HASHED_AT_ONCE)):  # a pool takes whatever it is given, at once
                hashes = pool.map(lambda changed: _hash_file(root / changed[0]), some)
                for (path, stamp), content in zip(some, hashes, strict=True):
                    if content:
                        index[path], contents[path] = [*stamp, content], content
        if changed:
            remove_partials(cache_dir, index_path.name)
            with replacing(index_path) as file:
                disk.write(file, json.dumps(index).encode())
    return contents


def _read_index(path: Path) -> dict[str, list]:
    """Read the remembered hashes; a damaged index only means hashing again."""
    try:
        index = json.loads(path.read_text("utf-8"))
        return {name: kept for name, kept in index.items() if isinstance(kept, list) and len(kept) == 3}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def _stamp(path: Path) -> list[int] | None:
    """Return size (bytes) and time of last change (ns), None where there is no readable file."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_readable = stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK)
    return [status.st_size, status.st_mtime_ns] if is_readable else None


def _hash_file(path: Path) -> str | None:
    """Return the hash of a file; None where its disk does not give it, which is not remembered."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return None
