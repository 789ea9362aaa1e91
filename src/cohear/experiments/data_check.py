"""The data of a configuration looked at as training would, with everything that it would refuse found in one go."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cohear.data.background import with_background
from cohear.data.check.check import Check, examine
from cohear.data.check.overview import TrainingForm, windows_of
from cohear.data.check.survey import HeardClip, survey
from cohear.data.datasets import Dataset, drop_small, read_dataset
from cohear.data.folds import split, with_folds
from cohear.data.headers import read_headers
from cohear.data.sample_rates import sample_rate_line
from cohear.data.validation import with_validation
from cohear.errors import UserError
from cohear.experiments.build import known_clip_s, usual_clip_s
from cohear.experiments.config import Config
from cohear.experiments.runs import check_settings
from cohear.experiments.settling import settle
from cohear.models.vgg import MIN_FRAMES


def check_data(
    path: Path,
    config: Config,
    chosen: Collection[str] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Listen to a data set and find what training would refuse or what would mislead it.

    Args:
        path: DATA of the command line.
        config: its `data` section counts, and what decides on the network's smallest input.
        chosen: names of settings that a person chose, which the data do not change.
        on_progress: called with clips heard and clips in all.

    Raises:
        UserError: where the data cannot be listed at all.
    """
    options, refusals, wanted_rate = config.data, list[str](), config.data.sample_rate
    dataset = read_dataset(path, esc10=options.esc10, sounds=options.sounds)
    clip_s = known_clip_s(dataset, config)
    with _noted(refusals):
        config, _ = settle(path, config, chosen)
        clip_s = known_clip_s(dataset, config) or usual_clip_s(dataset)
    rate = config.data.sample_rate
    if options.background is not None and clip_s is not None:
        with _noted(refusals):
            dataset = with_background(dataset, options.background, clip_s, read_headers(dataset).files)
    with _noted(refusals):
        dataset = drop_small(dataset, options.drop_small)
    with _noted(refusals):
        dataset = with_folds(dataset, options.n_folds, seed=0)
    with _noted(refusals):
        check_settings(config, clip_s)
    form = TrainingForm(rate, clip_s, shortest_s=(MIN_FRAMES - 1) * config.front_end.hop_length / rate)
    found = survey(dataset, on_progress)
    kept_back, said = _validation(dataset, found.heard, form, config)
    return examine(
        dataset,
        found,
        form,
        skip_bad=options.skip_bad,
        background=options.background,
        refusals=refusals,
        notes=[*_on_rates(found.heard, rate, wanted_rate), *said],
        kept_back=kept_back,
    )


def _on_rates(heard: Sequence[HeardClip], rate: int, wanted_rate: int) -> Iterator[str]:
    """Say what becomes of the files' rates, where they are poorer than the preset would have it."""
    rates = list({one.clip.path: one.sound.sample_rate for one in heard}.values())
    if rates and (rate < wanted_rate or min(rates) < rate):
        yield sample_rate_line(rates, rate)


def _validation(
    dataset: Dataset, heard: Sequence[HeardClip], form: TrainingForm, config: Config
) -> tuple[set[str], tuple[str, ...]]:
    """Say which groups are kept back where the first fold is tested, and why none is or some label has none."""
    rows = [one.clip for one in heard for _ in range(windows_of(one, form))]
    folds = [clip.fold for clip in rows if clip.fold is not None]
    if not rows or len(folds) < len(rows):
        return set(), ()
    labels, groups = [clip.labels for clip in rows], [clip.undivided_by for clip in rows]
    try:
        parts = split(labels, np.array(folds), groups, dataset.folds[0])
    except UserError:  # the labels that stand against this split are findings themselves
        return set(), ()
    validated = with_validation(parts, labels, groups, config.data.validation_share or 0.0)
    return {groups[row] for row in validated.validation.tolist()}, validated.warnings[len(parts.warnings) :]


@contextmanager
def _noted(refusals: list[str]) -> Iterator[None]:
    """Note why a step is refused instead of ending there, so that the next ones are looked at too."""
    try:
        yield
    except UserError as error:
        refusals.append(str(error))
