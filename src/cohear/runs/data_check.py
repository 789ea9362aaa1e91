"""The data of a configuration looked at as training would, with everything that it would refuse found in one go."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cohear.data.check.check import Check, examine
from cohear.data.check.survey import Survey, TrainingForm, survey, windows_of
from cohear.data.datasets import count_clips
from cohear.data.folds import split, with_validation
from cohear.data.headers import sample_rate_line
from cohear.errors import UserError
from cohear.runs.build import build_front_end, build_on_meta
from cohear.runs.config import Config
from cohear.runs.plan import Listing, check_settings, list_clips


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
    refusals: list[str] = []

    @contextmanager
    def noted() -> Iterator[None]:
        """Note why a step is refused instead of ending there, so that the next ones are looked at too."""
        try:
            yield
        except UserError as error:
            refusals.append(str(error))

    listing = list_clips(path, config, chosen, attempt=noted)
    config, rate = listing.config, listing.config.data.sample_rate
    shortest_s = 0.0
    with noted():
        check_settings(config)
        least = build_on_meta(config).body.input.min_frames
        shortest_s = build_front_end(config).least_samples(least) / rate
    form = TrainingForm(
        rate, config.data.clip_s, shortest_s=shortest_s, short=config.data.short, windows=config.data.windows
    )
    found = survey(listing.dataset, on_progress)
    notes: tuple[str, ...] = ()
    with noted():
        notes = _validation(listing, found, form)
    rates = list({one.clip.path: one.sound.sample_rate for one in found.heard}.values())
    if rates and min(rates) < rate:  # the files' rates are poorer than the preset would have it
        notes = (sample_rate_line(rates, rate), *notes)
    return examine(
        listing.dataset,
        found,
        form,
        skip_bad=config.data.skip_bad,
        background=config.data.background,
        refusals=refusals,
        notes=notes,
    )


def _validation(listing: Listing, found: Survey, form: TrainingForm) -> tuple[str, ...]:
    """Divide the clips as training would to test the first fold; say what it says of the validation part.

    Raises:
        UserError: where that fold cannot be tested.
    """
    dataset, options = listing.dataset, listing.config.data
    rows = [one.clip for one in found.heard for _ in range(windows_of(one, form))]
    rows += [] if options.skip_bad else [one.clip for one in found.unusable]
    folds = [clip.fold for clip in rows if clip.fold is not None]
    if not rows or len(folds) < len(rows) or len(dataset.folds) < 2:
        return ()
    labels, groups = [clip.labels for clip in rows], [clip.undivided_by for clip in rows]
    n_clips = count_clips(clip.labels for clip in dataset.clips)
    parts = split(labels, np.array(folds), groups, dataset.folds[0], n_clips)
    validated = with_validation(parts, labels, groups, options.validation_share or 0.0)
    return validated.warnings[len(parts.warnings) :]
