"""Every clip decoded once, into a memory map of 16-bit waveforms.

A store is known by what went into it: the contents of the files, the segments, the settings. Labels, folds
and groups are not part of that, so they may change without anything being decoded again.
"""

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import Float32, Int16, Int64, UInt64

from cohear import keys
from cohear.data.clips import Clip, segment_id
from cohear.data.content_hashes import content_hashes
from cohear.data.datasets import Dataset
from cohear.data.decoding import FULL_SCALE, DecodedClip, StoreSettings, decode_clip
from cohear.data.decoding_report import DecodingReport
from cohear.data.store_files import (
    DESCRIPTION,
    SCALES,
    WAVEFORMS,
    is_damaged,
    read_description,
    to_disk,
    write_errors_worded,
)
from cohear.errors import UserError

_VERSION = 1
"""Raised whenever decoding or the files of a store change."""


@dataclass(frozen=True)
class StoredClip:
    """One row of a store."""

    id: str
    """That of the clip, or of its window; unique within a store."""
    path: str
    """Where its file lies, relative to the data set's root, or absolute."""
    label: str
    """The class."""
    fold: int | None
    """The fold in which it is a test clip."""
    group: str
    """What folds never divide: the given group, or else the file."""
    start_s: float
    """Where it begins in its file, seconds."""
    end_s: float
    """Where its sound ends in its file, seconds; silence or repetition may follow it."""


@dataclass(frozen=True, eq=False)
class Store:
    """The decoded clips of a data set, with their labels."""

    clips: tuple[StoredClip, ...]
    """What the rows are."""
    waveforms: Int16[np.ndarray, "clip time"]
    """16-bit values, in a memory map; a sample is value / 32768 * scale."""
    scales: Float32[np.ndarray, " clip"]
    """One factor per row; 1 for an untouched 16-bit source."""
    settings: StoreSettings
    """Sample rate and length."""
    contents: str
    """Changes with what the rows hold and with their order, and not with labels, folds and groups; hexadecimal."""
    fingerprint: str
    """Changes with contents, settings, labels, folds and groups; hexadecimal."""
    report: DecodingReport
    """What decoding did to the sounds."""
    replaces_damaged: bool = False
    """Whether files of an earlier decoding were damaged, so that everything was decoded again just now."""

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, rows: Sequence[int] | Int64[np.ndarray, " batch"]) -> Float32[np.ndarray, "batch time"]:
        """Return the waveforms of some rows; full scale is [-1, 1]."""
        rows = np.asarray(rows, np.int64)
        waveforms = self.waveforms[rows].astype(np.float32)
        waveforms *= (self.scales[rows] / np.float32(FULL_SCALE))[:, None]
        return waveforms

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.settings.sample_rate

    @property
    def n_samples(self) -> int:
        """Length of every row."""
        return self.settings.n_samples

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @cached_property
    def labels(self) -> Int64[np.ndarray, " clip"]:
        """Each row's place among the classes."""
        place = {label: index for index, label in enumerate(self.classes)}
        return np.array([place[clip.label] for clip in self.clips], np.int64)

    @cached_property
    def folds(self) -> Int64[np.ndarray, " clip"]:
        """Each row's fold.

        Raises:
            ValueError: where the data set has no folds.
        """
        folds = [clip.fold for clip in self.clips if clip.fold is not None]
        if len(folds) < len(self.clips):
            raise ValueError("not every clip of this store has a fold; open it from with_folds(dataset, ...)")
        return np.array(folds, np.int64)

    @property
    def groups(self) -> list[str]:
        """Each row's group."""
        return [clip.group for clip in self.clips]

    @cached_property
    def sound_lengths(self) -> Int64[np.ndarray, " clip"]:
        """Each row's samples that are sound; what follows is padding."""
        if self.settings.short != "pad":
            return np.full(len(self), self.n_samples)
        lengths = [round((clip.end_s - clip.start_s) * self.sample_rate) for clip in self.clips]
        return np.minimum(np.array(lengths, np.int64), self.n_samples)

    @cached_property
    def clip_keys(self) -> UInt64[np.ndarray, " clip"]:
        """Each row's number for random keys, the same on every machine."""
        return np.array([keys.hash_text(clip.id) for clip in self.clips], np.uint64)


def open_store(
    dataset: Dataset,
    settings: StoreSettings,
    cache_dir: Path,
    *,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Open the store of a data set; decode it first where that was not done before or its files are damaged.

    Args:
        dataset: what to decode.
        settings: sample rate and length.
        cache_dir: where stores are kept; one builder at a time, others wait for it.
        skip_bad: leave out files that cannot be used, and list them in the report.
        on_progress: called with the number of clips decoded and that of all clips.

    Raises:
        UserError: where files cannot be used (all are looked at first), fewer than two classes are left
            without them, or the cache cannot be written.
    """
    with write_errors_worded(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        contents = content_hashes(dataset.root, [clip.path for clip in dataset.clips], cache_dir)
        sources = [[clip.id, contents[clip.path], clip.start_s, clip.end_s] for clip in dataset.clips]
        name = _hash([_VERSION, asdict(settings), sources])
        folder = cache_dir / name
        with FileLock(cache_dir / f"{name}.lock"):
            damaged = folder.exists() and is_damaged(folder, len(dataset.clips), settings)
            if damaged or (folder.exists() and _is_outdated(folder, dataset, settings)):
                shutil.rmtree(folder)
            if not folder.exists():
                _build(folder, dataset, settings, skip_bad, on_progress)
    store = _load(folder, dataset, settings, damaged)
    if store.report.skipped and not skip_bad:
        raise _bad_files(dataset, store.report)
    if len(store.classes) < 2:
        raise UserError(f"without the files that cannot be used, {dataset.name} has fewer than two classes.")
    return store


def _build(
    folder: Path,
    dataset: Dataset,
    settings: StoreSettings,
    skip_bad: bool,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    """Write a store beside its place and rename it into it; leave nothing behind where that fails.

    Rows are appended to plain files and mapped only when finished: on a full disk a write fails with an
    error, where a memory map would kill the process.
    """
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a builder that was killed: the lock is ours now
    partial.mkdir()
    try:
        report, rows = DecodingReport(settings), []
        with open(partial / WAVEFORMS, "wb") as waveforms, open(partial / SCALES, "wb") as scales:
            for index, outcome in enumerate(_decode_all(dataset.root, dataset.clips, settings)):
                clip_id = dataset.clips[index].id
                if isinstance(outcome, UserError):
                    report = report.with_skipped(clip_id, str(outcome).replace(f"{dataset.root}{os.sep}", ""))
                else:
                    waveforms.write(outcome.waveforms.tobytes())
                    scales.write(outcome.scales.tobytes())
                    rows += [[index, *times] for times in zip(outcome.starts_s, outcome.ends_s, strict=True)]
                    report = report.with_clip(clip_id, outcome)
                if on_progress:
                    on_progress(index + 1, len(dataset.clips))
            to_disk(waveforms, scales)
        if not rows or (report.skipped and not skip_bad):
            raise _bad_files(dataset, report)
        with open(partial / DESCRIPTION, "w", encoding="utf-8") as description:
            json.dump({"rows": rows, "report": report.to_json()}, description)
            to_disk(description)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_outdated(folder: Path, dataset: Dataset, settings: StoreSettings) -> bool:
    """Whether a clip that was left out can be decoded by now: a decoder was installed, a disk answers again."""
    skipped = {clip_id for clip_id, _ in read_description(folder)[1].skipped}
    left_out = [clip for clip in dataset.clips if clip.id in skipped]
    return any(not isinstance(outcome, UserError) for outcome in _decode_all(dataset.root, left_out, settings))


def _decode_all(root: Path, clips: Sequence[Clip], settings: StoreSettings) -> Iterator[DecodedClip | UserError]:
    """Decode the clips in their order, a few ahead on threads: decoder and resampler release the GIL."""

    def outcome(clip: Clip) -> DecodedClip | UserError:
        try:
            return decode_clip(root, clip, settings)
        except UserError as error:
            return error

    n_threads = min(8, len(os.sched_getaffinity(0)))
    ahead: deque[Future[DecodedClip | UserError]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        for clip in clips:
            ahead.append(pool.submit(outcome, clip))
            if len(ahead) > 2 * n_threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _load(folder: Path, dataset: Dataset, settings: StoreSettings, replaces_damaged: bool) -> Store:
    """Map a finished store and give its rows the labels, folds and groups of the data set."""
    rows, report = read_description(folder)
    n_rows_of = np.bincount([index for index, _, _ in rows], minlength=len(dataset.clips))
    clips = []
    for index, start_s, end_s in rows:
        clip = dataset.clips[index]
        row_id = clip.id if n_rows_of[index] == 1 else segment_id(clip.id, start_s, end_s)
        clips.append(StoredClip(row_id, clip.path, clip.label, clip.fold, clip.undivided_by, start_s, end_s))
    waveforms = np.memmap(folder / WAVEFORMS, np.int16, "r", shape=(len(rows), settings.n_samples))
    described = [[clip.id, clip.label, clip.fold, clip.group] for clip in clips]
    return Store(
        clips=tuple(clips),
        waveforms=np.asarray(waveforms),
        scales=np.fromfile(folder / SCALES, np.float32),
        settings=settings,
        contents=_hash([folder.name, rows]),  # the rows too: which files could be used is not in the name
        fingerprint=_hash([folder.name, described]),
        report=report,
        replaces_damaged=replaces_damaged,
    )


def _bad_files(dataset: Dataset, report: DecodingReport) -> UserError:
    """Name the first files that cannot be used."""
    reasons = [reason for _, reason in report.skipped]
    n_bad, n_named = len(reasons), 3
    if n_bad == len(dataset.clips):
        return UserError(f"not one clip of {dataset.name} can be used; the first: {reasons[0]}")
    more = f" | and {n_bad - n_named} more" if n_bad > n_named else ""
    return UserError(
        f"{n_bad} of {len(dataset.clips)} clips cannot be used (--skip-bad trains without them): "
        f"{' | '.join(reasons[:n_named])}{more}"
    )


def _hash(value: object) -> str:
    """Hash plain values by their JSON (BLAKE2b, 128 bits)."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()
