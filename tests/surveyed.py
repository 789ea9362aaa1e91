"""Surveys made up without any sound."""

from collections.abc import Iterable
from pathlib import Path

from cohear.data.check.overview import TrainingForm
from cohear.data.check.sound_meter import SoundMeasures
from cohear.data.check.survey import HeardClip, Sound, Survey
from cohear.data.clips import Clip
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
    flat_share: float = 0.0,
    is_silent: bool = False,
    multi_label: bool = False,
) -> HeardClip:
    """Make up a clip that was heard; its content is its own unless given."""
    measures = SoundMeasures(round(duration_s * rate), 0.5, is_silent, flat_share, content or path)
    clip = Clip(path, label, fold, group, multi_label=multi_label)
    return HeardClip(clip, Sound(duration_s, rate, n_channels, 0.0, measures))


def dataset_of(clips: Iterable[HeardClip], layout: str = "table", folds_were_made: bool = True) -> Dataset:
    """Return the data set of clips that were heard."""
    return Dataset("made up", Path("/data"), tuple(one.clip for one in clips), layout, folds_were_made=folds_were_made)


def survey_of(clips: Iterable[HeardClip]) -> Survey:
    """Return a survey in which every clip could be used."""
    return Survey(tuple(clips), ())
