"""What settings leave to the data: clip length, sample rate, validation part; and to an initial run: its hearing."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cohear.data.datasets import Dataset, read_dataset
from cohear.data.fitting import choose_clip_s, clip_s_line
from cohear.data.headers import read_headers
from cohear.data.sample_rates import choose_sample_rate, sample_rate_line
from cohear.experiments.config import EVERY_CLIP, Config
from cohear.experiments.initial_run import InitialRun, read_initial_run
from cohear.experiments.presets import change

VALIDATION_SHARE = 0.15
"""Of the training clips of data that bring no folds."""


def settle(path: Path, config: Config, chosen: Collection[str] = ()) -> tuple[Config, tuple[str, ...]]:
    """Choose what the data, or the weights to begin with, decide.

    A benchmark's clips are as its layout says; where the data bring their own folds, nothing is kept back.

    Args:
        path: DATA of the command line.
        config: of a preset and what was changed in it.
        chosen: names of settings that a person chose, which stay.

    Returns:
        The configuration, and sentences on what was chosen.

    Raises:
        UserError: where the data or the initial run cannot be used.
    """
    dataset = read_dataset(path, esc10=config.data.esc10, sounds=config.data.sounds)
    changes: dict[str, Any] = {}
    if config.data.validation_share is None and not dataset.brings_folds and config.fold != EVERY_CLIP:
        changes["data.validation_share"] = VALIDATION_SHARE
    if dataset.layout == "esc50":
        return change(config, changes), ()
    initial = read_initial_run(config)
    if initial is not None:
        changes |= {name: value for name, value in initial.settings().items() if name not in chosen}
        config = change(config, changes)
    return _fit_to_sounds(dataset, config, changes, chosen, initial)


def _fit_to_sounds(
    dataset: Dataset, config: Config, changes: dict[str, Any], chosen: Collection[str], initial: InitialRun | None
) -> tuple[Config, tuple[str, ...]]:
    headers = read_headers(dataset)
    wanted = config.data.sample_rate
    if "data.sample_rate" not in chosen and initial is None:
        rate = choose_sample_rate(headers.sample_rates, wanted)
        changes["data.sample_rate"] = rate
        for name in ("n_fft", "hop_length"):  # as many milliseconds as the preset's
            if f"front_end.{name}" not in chosen:
                changes[f"front_end.{name}"] = round(getattr(config.front_end, name) * rate / wanted)
    clip_s = config.data.clip_s or choose_clip_s(headers.durations_s)
    if config.data.background is not None:  # clips of background are added, which must not change it
        changes["data.clip_s"] = clip_s
    settled = change(config, changes)
    said = [sample_rate_line(headers.sample_rates, settled.data.sample_rate), clip_s_line(headers.durations_s, clip_s)]
    if initial is not None:
        n_known = len({*dataset.classes} & {*initial.classes})
        said.append(
            f"training begins with the weights of '{config.training.initial_run}', which knows {n_known} of the "
            f"{len(dataset.classes)} classes"
        )
    return settled, tuple(said)
