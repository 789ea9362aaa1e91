"""Every clip decoded once, into a file of 16-bit waveforms.

A store is known by what went into it: the contents of the files, the segments, the settings. Labels, folds
and groups are not part of that, so they may change without anything being decoded again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from cohear import keys
from cohear.data.clips import join_labels, segment_id
from cohear.data.datasets import Dataset
from cohear.data.decoding import FULL_SCALE, DecodingReport, StoreSettings
from cohear.data.store_files import (
    RowFile,
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


@dataclass(frozen=True)
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
class Store:
    """The decoded clips of a data set, with their labels."""

    clips: tuple[StoredClip, ...]
    """What the rows are."""
    rows: RowFile
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

    @property
    def label_sets(self) -> list[tuple[str, ...]]:
        """Each row's labels, of which single-label data have one."""
        return [clip.labels for clip in self.clips]

    @cached_property
    def folds(self) -> Int64[np.ndarray, " clip"]:
        """Each row's fold; a data set has them `with_folds`."""
        return np.array([clip.fold for clip in self.clips], np.int64)

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
    fewest_classes: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Open the store of a data set; decode it first where that was not done before or its files are damaged.

    Args:
        dataset: what to decode.
        settings: sample rate and length.
        cache_dir: where stores are kept; one builder at a time, others wait for it.
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
        sources = [[clip.id, contents[clip.path], clip.start_s, clip.end_s] for clip in dataset.clips]
        told = {name: value for name, value in asdict(settings).items() if (name, value) != ("windows", "all")}
        name, kept = _hash([_VERSION, told, sources]), _hash([_KEPT_VERSION, told, sources])
        folder = cache_dir / kept
        with waiting_for(cache_dir / f"{kept}.lock", "is decoding these sounds"):  # nobody else can replace it
            is_there = folder.exists()
            files = read_store(folder, len(dataset.clips), settings)
            replaces_damaged = is_there and files is None
            if files is None or is_outdated(files.report, dataset):
                if is_there:
                    shutil.rmtree(folder)
                build_store(folder, dataset, settings, skip_bad, on_progress)
                files = read_store(folder, len(dataset.clips), settings)
    if files is None:
        raise UserError(f"the disk did not keep the decoded sounds in '{folder}'; see to it and give the command again")
    if files.report.skipped and not skip_bad:
        raise bad_files(dataset, files.report.skipped)
    store = _described(name, dataset, files, replaces_damaged)
    if len(store.classes) < fewest_classes:
        raise UserError(f"without the files that cannot be used, {dataset.name} has fewer than two classes.")
    return store


def _described(name: str, dataset: Dataset, files: StoreFiles, replaces_damaged: bool) -> Store:
    """Give the rows of a store the labels, folds and groups of the data set."""
    n_rows_of = np.bincount([index for index, _, _ in files.rows], minlength=len(dataset.clips))
    clips = []
    for index, start_s, end_s in files.rows:
        clip = dataset.clips[index]
        row_id = clip.id if n_rows_of[index] == 1 else segment_id(clip.id, start_s, end_s)
        clips.append(StoredClip(row_id, clip.path, clip.labels, clip.fold, clip.undivided_by, start_s, end_s))
    described: list[object] = [[clip.id, clip.label, clip.fold, clip.group] for clip in clips]
    if dataset.multi_label:  # the label 'a;b' is one class, the labels 'a' and 'b' are two
        described.append("multi-label")
    return Store(
        clips=tuple(clips),
        rows=files.waveforms,
        scales=files.scales,
        settings=files.report.settings,
        contents=_hash([name, files.rows]),  # the rows too: which files could be used is not in the name
        fingerprint=_hash([name, described]),
        report=files.report,
        multi_label=dataset.multi_label,
        replaces_damaged=replaces_damaged,
    )


def _hash(value: object) -> str:
    """Hash plain values by their JSON (BLAKE2b, 128 bits)."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()
