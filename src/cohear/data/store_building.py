"""How a store is made: every clip decoded on threads, in their order, into files that appear whole."""

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cohear.data.audio_opening import require_disk
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.decoding import DecodedClip, StoreSettings, decode_clip
from cohear.data.decoding_report import DecodingReport
from cohear.data.store_files import DESCRIPTION, SCALES, WAVEFORMS, read_description
from cohear.errors import UserError
from cohear.runtime import disk


def build_store(
    folder: Path,
    dataset: Dataset,
    settings: StoreSettings,
    skip_bad: bool,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    """Write a store beside its place and rename it into it; leave nothing behind where that fails.

    Rows are appended to plain files: on a full disk a write fails with an error, where a memory map would kill the
    process.

    Args:
        folder: where the finished store will be; nothing is there.
        dataset: what to decode.
        settings: sample rate and length.
        skip_bad: leave out files that cannot be used.
        on_progress: called with the number of clips decoded and that of all clips.

    Raises:
        UserError: where files cannot be used; all are looked at first, unless their disk fails.
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
                    disk.write(waveforms, outcome.waveforms.tobytes())
                    disk.write(scales, outcome.scales.tobytes())
                    rows += [[index, *times] for times in zip(outcome.starts_s, outcome.ends_s, strict=True)]
                    report = report.with_clip(clip_id, outcome)
                if on_progress:
                    on_progress(index + 1, len(dataset.clips))
            disk.sync(waveforms)
            disk.sync(scales)
        if not rows or (report.skipped and not skip_bad):
            raise bad_files(dataset, report)
        with open(partial / DESCRIPTION, "wb") as description:
            disk.write(description, json.dumps({"rows": rows, "report": report.to_json()}).encode())
            disk.sync(description)
        disk.sync_folder(partial)
        disk.rename(partial, folder)
        disk.sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def is_outdated(folder: Path, dataset: Dataset, settings: StoreSettings) -> bool:
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
            require_disk(root / clip.path)
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


def bad_files(dataset: Dataset, report: DecodingReport) -> UserError:
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
