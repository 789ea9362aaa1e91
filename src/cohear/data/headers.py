"""What the headers of a data set's files declare, each file opened once, and the choices that follow from it.

What lies above half a file's sample rate is not in it, whatever it is resampled to. A classifier that hears some files
up to 20 kHz and others up to 4 kHz can tell them apart by that alone.
"""

from collections.abc import Mapping, Sequence
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
    for path in dict.fromkeys((*(clip.path for clip in dataset.clips), *dataset.reviewed)):
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


def choose_sample_rate(rates: Sequence[int], wanted: int) -> int:
    """Choose a rate in Hz: the wanted one, but at most what nine of ten files have.

    Args:
        rates: of the files, Hz; at least one.
        wanted: Hz, > 0.

    Example:
        >>> choose_sample_rate([44100] * 10, 22050), choose_sample_rate([8000] * 10, 22050)
        (22050, 8000)
        >>> choose_sample_rate([44100] * 19 + [8000], 22050), choose_sample_rate([44100, 8000], 22050)
        (22050, 8000)
    """
    return min(wanted, sorted(rates)[len(rates) // 10])


def sample_rate_line(rates: Sequence[int], sample_rate: int, reason: str | None = None) -> str:
    """Say what a rate means for the files.

    Args:
        rates: of the files, Hz; at least one.
        sample_rate: Hz, that of the store.
        reason: why it is that one; None: another can be chosen.

    Example:
        >>> sample_rate_line([8000, 8000], 8000)
        'sounds are heard at 8000 Hz; --set data.sample_rate chooses another rate'
    """
    n_more, n_less = sum(rate > sample_rate for rate in rates), sum(rate < sample_rate for rate in rates)
    line = f"sounds are heard at {sample_rate} Hz{f', {reason}' if reason else ''}"
    if n_more:
        line += f"; what lies above {sample_rate / 2:g} Hz is lost in {n_more} of {len(rates)} files"
    if n_less:
        line += (
            f"; {n_less} of {len(rates)} files have less (from {min(rates)} Hz), by which a classifier may know them"
        )
    return line if reason else f"{line}; --set data.sample_rate chooses another rate"
