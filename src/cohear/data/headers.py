"""What the headers of a data set's files declare, each file opened once: lengths and sample rates."""

from collections.abc import Mapping
from dataclasses import dataclass

from cohear.data.audio_files import AudioInfo, probe
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.errors import UserError


@dataclass(frozen=True)
class Headers:
    """What is declared of the files that can be opened."""

    files: Mapping[str, AudioInfo]
    """By the path that clips have."""
    durations_s: tuple[float, ...]
    """How long the clips are, seconds, without those of unknown length."""

    @property
    def sample_rates(self) -> list[int]:
        """Of each file, Hz."""
        return [file.sample_rate for file in self.files.values()]


def read_headers(dataset: Dataset) -> Headers:
    """Open every file of a data set once, without decoding it; files that cannot be opened are passed over.

    Raises:
        UserError: where not one file can be opened.
    """
    files: dict[str, AudioInfo] = {}
    errors: list[UserError] = []
    for path in dict.fromkeys(clip.path for clip in dataset.clips):
        try:
            files[path] = probe(dataset.root / path)
        except UserError as error:
            errors.append(error)
    if not files:
        raise UserError(f"not one sound of {dataset.name} can be read; the first error: {errors[0]}")
    durations = (duration_s(clip, files.get(clip.path)) for clip in dataset.clips)
    return Headers(files, tuple(seconds for seconds in durations if seconds is not None))


def duration_s(clip: Clip, file: AudioInfo | None) -> float | None:
    """Return seconds of a clip, 0 where its file ends before it; None where a file that cannot be opened decides."""
    end_s = clip.end_s if clip.end_s is not None else file and file.duration_s
    return None if end_s is None else max(0.0, end_s - (clip.start_s or 0.0))
