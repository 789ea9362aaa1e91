"""Every clip decoded once, into a file of 16-bit waveforms.

A store is known by what went into it: the contents of the files, the segments, the settings. Labels, folds
and groups are not part of that, so they may change without anything being decoded again.

A large set is decoded in shards of some thousand clips, each in a folder of its own with a lock of its own. However
many processes and machines open a store at once, each decodes the shards that nobody else is at, and then reads all.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, SupportsIndex, overload

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64

from cohear import keys
from cohear.data.clips import Clip, Clips, join_labels, rows_of, segment_id
from cohear.data.datasets import Dataset
from cohear.data.decoding import FULL_SCALE, DecodingReport, StoreSettings
from cohear.data.store_files import (
    RowFiles,
    StoreFiles,
    bad_files,
    build_store,
    content_hashes,
    is_outdated,
    read_store,
)
from cohear.errors import UserError
from cohear.runtime.files import explain_disk_errors, waiting_for

_VERSION, _KEPT_VERSION = 1, 2
"""Raised whenever decoding changes."""

SHARD_CLIPS = 1 << 14
"""Clips of a data set that are decoded into one folder. A reader has a file open for each of them."""
_HASHED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StoredClip:
    """One row of a store."""

    id: str
    """That of the clip, or of its window; unique within a store."""
    path: str
    """Where its file lies, relative to the data set's root, or absolute."""
    labels: tuple[str, ...]
    """The class, or in multi-label data the classes, sorted."""
    fold: int | None
    """The fold in which it is a test clip."""
    group: str
    """What folds never divide: the given group, or else the file."""
    start_s: float
    """Where it begins in its file, seconds."""
    end_s: float
    """Where its sound ends in its file, seconds; silence or repetition may follow it."""

    @property
    def label(self) -> str:
        """The class, or the classes in one text."""
        return join_labels(self.labels)


@dataclass(frozen=True, eq=False)
class StoredClips(Sequence[StoredClip]):
    """The rows of a store as columns, which give one when it is asked for."""

    clips: Clips
    """Of the data set."""
    places: np.ndarray
    """Of each row, as `PLACES`."""

    @cached_property
    def _is_window(self) -> Bool[np.ndarray, " row"]:
        """Whether a row is one of several of its clip."""
        return (np.bincount(self.places["clip"]) > 1)[self.places["clip"]]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, row: SupportsIndex) -> StoredClip: ...
    @overload
    def __getitem__(self, row: slice) -> list[StoredClip]: ...
    def __getitem__(self, row: SupportsIndex | slice) -> "StoredClip | list[StoredClip]":
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        return self._stored(bool(self._is_window[row]), *self.places[row].item())

    def __iter__(self) -> Iterator[StoredClip]:
        return (
            self._stored(window, *row)
            for window, row in zip(self._is_window.tolist(), rows_of(self.places), strict=True)
        )

    def _stored(self, is_window: bool, place: int, start_s: float, end_s: float) -> StoredClip:
        clip = self.clips[place]
        row_id = segment_id(clip.id, start_s, end_s) if is_window else clip.id
        return StoredClip(row_id, clip.path, clip.labels, clip.fold, clip.undivided_by, start_s, end_s)


@dataclass(frozen=True, eq=False)
class Store:
    """The decoded clips of a data set, with their labels."""

    clips: Sequence[StoredClip]
    """What the rows are."""
    rows: RowFiles
    """16-bit values; a sample is value / 32768 * scale."""
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
    multi_label: bool = False
    """Whether a clip may have several labels, or none."""
    replaces_damaged: bool = False
    """Whether files of an earlier decoding were damaged, so that everything was decoded again just now."""

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, rows: Sequence[int] | Int64[np.ndarray, " batch"]) -> Float32[np.ndarray, "batch time"]:
        """Return the waveforms of some rows; full scale is [-1, 1].

        Raises:
            UserError: where the disk does not give them.
        """
        rows = np.asarray(rows, np.int64)
        waveforms = self.rows.read(rows).astype(np.float32)
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
        return tuple(sorted({label for clip in self.clips for label in clip.labels}))

    @cached_property
    def label_sets(self) -> list[tuple[str, ...]]:
        """Each row's labels, of which single-label data have one."""
        return [clip.labels for clip in self.clips]

    @cached_property
    def folds(self) -> Int64[np.ndarray, " clip"]:
        """Each row's fold; a data set has them `with_folds`."""
        return np.array([clip.fold for clip in self.clips], np.int64)

    @cached_property
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
    fewest_classes: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Open the store of a data set; decode it first where that was not done before or its files are damaged.

    Args:
        dataset: what to decode.
        settings: sample rate and length.
        cache_dir: where stores are kept; of each shard one builder at a time, others go on with the next and wait last.
        skip_bad: leave out files that cannot be used, and list them in the report.
        fewest_classes: that there must be.
        on_progress: called with the number of clips decoded and that of all clips.

    Raises:
        UserError: where files cannot be used (all are looked at first), too few classes are left without them, or
            the disk of the cache refuses.
    """
    with explain_disk_errors(cache_dir, "name another folder in the environment variable COHEAR_CACHE"):
        cache_dir.mkdir(parents=True, exist_ok=True)
        contents = content_hashes(dataset.root, [clip.path for clip in dataset.clips], cache_dir)
        told = {name: value for name, value in asdict(settings).items() if (name, value) != ("windows", "all")}

        def hashed(version: int, clips: Sequence[Clip]) -> str:
            return _hash(version, told, ([clip.id, contents[clip.path], clip.start_s, clip.end_s] for clip in clips))

        n_clips = len(dataset.clips)
        firsts = range(0, n_clips, SHARD_CLIPS)
        shards = [dataclasses.replace(dataset, clips=dataset.clips[first : first + SHARD_CLIPS]) for first in firsts]
        folders = [cache_dir / hashed(_KEPT_VERSION, shard.clips) for shard in shards]
        opened = dict[Path, _OpenShard]()
        for waits in (False, True):
            for folder, shard in zip(folders, shards, strict=True):
                if folder not in opened:
                    n_before = sum(one.n_clips for one in opened.values())
                    progress = on_progress and (lambda done, _, before=n_before: on_progress(before + done, n_clips))
                    if one := _open_shard(folder, shard, settings, skip_bad, progress, waits):
                        opened[folder] = one
        name = hashed(_VERSION, dataset.clips)
    parts = [opened[folder] for folder in folders]
    skipped = [clip for part in parts for clip in part.skipped]
    if (skipped and not skip_bad) or len(skipped) == n_clips:
        raise bad_files(dataset, skipped)
    files = [part.files for part in parts if part.files is not None]
    store = _described(name, dataset, files, any(part.replaces_damaged for part in parts))
    if len(store.classes) < fewest_classes:
        raise UserError(f"without the files that cannot be used, {dataset.name} has fewer than two classes.")
    return store


class _OpenShard(NamedTuple):
    n_clips: int
    files: StoreFiles | None
    """None where clips cannot be used and are not to be left out."""
    skipped: Sequence[tuple[str, str]]
    """Clips that could not be decoded, and why."""
    replaces_damaged: bool


def _open_shard(
    folder: Path,
    shard: Dataset,
    settings: StoreSettings,
    skip_bad: bool,
    on_progress: Callable[[int, int], None] | None,
    waits: bool,
) -> _OpenShard | None:
    """Open the sounds of a shard, decode them first where that is needed; None where others are at it and `waits` not.

    Raises:
        UserError: where the disk does not keep what was written.
    """
    lock, n_clips = folder.with_name(f"{folder.name}.lock"), len(shard.clips)
    with waiting_for(lock, "is decoding these sounds", waits=waits) as is_ours:  # nobody else can replace it
        if not is_ours:
            return None
        is_there = folder.exists()
        files = read_store(folder, n_clips, settings)
        replaces_damaged = is_there and files is None
        if files is None or is_outdated(files.report, shard):
            if is_there:
                shutil.rmtree(folder)
            skipped = build_store(folder, shard, settings, skip_bad, on_progress)
            if skipped and not skip_bad:
                return _OpenShard(n_clips, None, skipped, replaces_damaged)
            files = read_store(folder, n_clips, settings)
    if files is None:
        remedy = "see to it and give the command again"
        raise UserError(f"the disk did not keep the decoded sounds in '{folder}'; {remedy}")
    return _OpenShard(n_clips, files, files.report.skipped, replaces_damaged)


def _described(name: str, dataset: Dataset, parts: Sequence[StoreFiles], replaces_damaged: bool) -> Store:
    """Give the rows of a store the labels, folds and groups of the data set."""
    reports, places = [part.report for part in parts], np.concatenate([part.places for part in parts])
    places["clip"] += np.repeat(SHARD_CLIPS * np.arange(len(parts)), [len(part.places) for part in parts])
    clips = StoredClips(dataset.clips, places)
    described: Iterator[object] = ([clip.id, clip.label, clip.fold, clip.group] for clip in clips)
    if dataset.multi_label:  # the label 'a;b' is one class, the labels 'a' and 'b' are two
        described = chain(described, ["multi-label"])
    return Store(
        clips=clips,
        rows=RowFiles([part.waveforms for part in parts]),
        scales=np.concatenate([part.scales for part in parts]),
        settings=reports[0].settings,
        contents=_hash(name, rows_of(places)),  # the rows too: which files could be used is not in the name
        fingerprint=_hash(name, described),
        report=DecodingReport(
            reports[0].settings,
            np.concatenate([report.durations_s for report in reports]),
            np.concatenate([report.n_rows for report in reports]),
            tuple(clip for report in reports for clip in report.remarkable),
            tuple(clip for report in reports for clip in report.skipped),
        ),
        multi_label=dataset.multi_label,
        replaces_damaged=replaces_damaged,
    )


def _hash(*values: object) -> str:
    """Hash a list of plain values by its JSON (BLAKE2b, 128 bits).

    Args:
        values: an iterator stands for the list of what it gives, which is never held at once.
    """
    digest = hashlib.blake2b(digest_size=16)
    for place, value in enumerate(values):
        digest.update(b", " if place else b"[")
        if isinstance(value, Iterator):
            digest.update(b"[")
            before = ""
            while some := list(islice(value, _HASHED_AT_ONCE)):
                digest.update(f"{before}{json.dumps(some)[1:-1]}".encode())
                before = ", "
            digest.update(b"]")
        else:
            digest.update(json.dumps(value).encode())
    digest.update(b"]")
    return digest.hexdigest()
