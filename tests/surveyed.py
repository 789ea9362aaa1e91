"""Surveys made up without any sound."""

from collections.abc import Iterable
from pathlib import Path

from cohear.data.check.survey import HeardClip, Sound, Survey, TrainingForm
from cohear.data.clips import Clip, Clips, split_labels
from cohear.data.datasets import Dataset

FORM = TrainingForm(sample_rate=8000, clip_s=2.0, shortest_s=0.4)


def heard(
    path: str,
    label: str,
    fold: int | None = None,
    *,
    group: str | None = None,
    content: str | None = None,
    rate: int = 8000,
    n_channels: int = 1,
    duration_s: float = 2.0,
    clipped_share: float = 0.0,
    is_silent: bool = False,
    cancels: bool = False,
    peak: float = 0.5,
    start_s: float | None = None,
    end_s: float | None = None,
    multi_label: bool = False,
) -> HeardClip:
    """Make up a clip that was heard; its content is its own unless given."""
    clip = Clip(path, split_labels(label) if multi_label else (label,), fold, group, start_s, end_s)
    content = None if is_silent else content or clip.id
    return HeardClip(clip, Sound(duration_s, rate, n_channels, 0.0, peak, is_silent, clipped_share, content, cancels))


def dataset_of(clips: Iterable[HeardClip], layout: str = "table", folds_were_made: bool = True) -> Dataset:
    """Return the data set of clips that were heard."""
    listed = tuple(one.clip for one in clips)
    several = any(len(clip.labels) != 1 for clip in listed)
    return Dataset(
        "made up", Path("/data"), Clips.of(listed), layout, folds_were_made=folds_were_made, multi_label=several
    )


def survey_of(clips: Iterable[HeardClip]) -> Survey:
    """Return a survey in which every clip could be used."""
    return Survey(tuple(clips), ())
