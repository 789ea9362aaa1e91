"""From configurations to objects: data, front end, transforms, network, schedules."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from cohear import keys
from cohear.data.background import with_background
from cohear.data.datasets import Dataset, drop_small, read_dataset
from cohear.data.fitting import choose_clip_s
from cohear.data.folds import Split, split, split_all, with_folds
from cohear.data.headers import read_headers
from cohear.data.store import Store, StoreSettings, open_store
from cohear.data.validation import with_validation
from cohear.experiments.config import EVERY_CLIP, Config, TransformName
from cohear.experiments.paper import method_items, method_objective
from cohear.experiments.room_banks import room_bank
from cohear.models import VGG, LogMel
from cohear.objectives import BERNOULLI, CATEGORICAL, linear_ramp, step_decay
from cohear.runtime.cache import cache_folder
from cohear.runtime.devices import can_compile
from cohear.training.balance import Targets, balanced_class_weights
from cohear.training.plan import TrainingPlan
from cohear.transforms import Choose, PitchShift, Reverb, SpecAugment
from cohear.transforms.cached_pitch_shift import CachedPitchShift, ShiftedVersions
from cohear.transforms.contract import Transform
from cohear.views import ViewMaker

ESC50_CLIP_S = 5.0


@dataclass(frozen=True)
class PreparedData:
    """A data set ready to train on."""

    dataset: Dataset
    store: Store

    def split(self, config: Config) -> Split:
        """Return the training, validation and test clips of a run.

        Raises:
            UserError: where there is no such fold, or a label would be tested but never trained.
        """
        store = self.store
        return _split(self.dataset, config, store.label_sets, store.folds, store.groups)

    @property
    def clip_s(self) -> float:
        """Seconds of a clip."""
        return self.store.n_samples / self.store.sample_rate

    @property
    def folds(self) -> list[int]:
        """The folds, in order."""
        return sorted(set(self.store.folds.tolist()))


def n_listed_training_clips(dataset: Dataset, config: Config) -> int:
    """Count the clips that a run is trained on, as they are listed; raises as `PreparedData.split`.

    Decoded they may be more, where long ones are cut into several; with `skip_bad` also fewer.
    """
    clips = dataset.clips
    label_sets, groups = [clip.labels for clip in clips], [clip.undivided_by for clip in clips]
    folds = np.array([clip.fold for clip in clips], np.int64)
    return len(_split(dataset, config, label_sets, folds, groups).train)


def _split(
    dataset: Dataset,
    config: Config,
    label_sets: Sequence[tuple[str, ...]],
    folds: Int64[np.ndarray, " clip"],
    groups: Sequence[str],
) -> Split:
    if config.fold == EVERY_CLIP:
        parts = split_all(len(groups))
    else:
        n_clips = Counter(label for clip in dataset.clips for label in clip.labels)
        parts = split(label_sets, folds, groups, config.fold, n_clips)
    return with_validation(parts, label_sets, groups, config.data.validation_share or 0.0)


def read_folds(path: Path, config: Config) -> Dataset:
    """List the clips of a data set with their folds; nothing is decoded.

    Args:
        path: DATA of the command line.
        config: its `data` section counts.

    Raises:
        UserError: where the data cannot be used.
    """
    dataset = read_dataset(path, esc10=config.data.esc10, sounds=config.data.sounds)
    if config.data.background is not None:
        headers = read_headers(dataset)
        clip_s = known_clip_s(dataset, config) or choose_clip_s(headers.durations_s)
        dataset = with_background(dataset, config.data.background, clip_s, headers.files)
    if config.data.drop_small:
        dataset = drop_small(dataset, config.data.drop_small)
    return with_folds(dataset, config.data.n_folds, seed=0)  # of the data, not of the run: seeds share their folds


def prepare_data(path: Path, config: Config, on_progress: Callable[[int, int], None] | None = None) -> PreparedData:
    """Read, fold, decode or find decoded.

    Args:
        path: DATA of the command line.
        config: its `data` section counts.
        on_progress: called with files decoded and files in all.

    Raises:
        UserError: where the data cannot be used.
    """
    options, dataset = config.data, read_folds(path, config)
    settings = StoreSettings(options.sample_rate, options.clip_s or usual_clip_s(dataset), options.short)
    store = open_store(dataset, settings, cache_folder(), skip_bad=options.skip_bad, on_progress=on_progress)
    return PreparedData(dataset, store)


def known_clip_s(dataset: Dataset, config: Config) -> float | None:
    """Return the clip length in seconds where no file need be opened for it; else None."""
    return config.data.clip_s or (ESC50_CLIP_S if dataset.layout == "esc50" else None)


def usual_clip_s(dataset: Dataset) -> float:
    """Choose a clip length in seconds: ESC-50's own, else from how long the clips are."""
    if dataset.layout == "esc50":
        return ESC50_CLIP_S
    return choose_clip_s(read_headers(dataset).durations_s)


def build_front_end(config: Config) -> LogMel:
    """Make the log-mel front end."""
    options = config.front_end
    return LogMel(
        config.data.sample_rate,
        options.n_fft,
        options.hop_length,
        options.n_mels,
        options.f_min,
        options.f_max,
    )


def build_transform(config: Config, name: TransformName, versions: ShiftedVersions | None = None) -> Transform | None:
    """Make one of the paper's transforms with the configuration's ranges; None for `none`.

    Args:
        config: its `views` section counts.
        name: which one.
        versions: shifted versions of the clips that are kept; None shifts anew each time.
    """
    options, rate = config.views, config.data.sample_rate
    reverb = build_reverb(config)
    pitch = PitchShift(options.pitch_semitones, rate)
    if versions is not None:
        pitch = CachedPitchShift(options.pitch_semitones, rate, versions)
    masking = SpecAugment(options.n_band_masks, options.n_frame_masks, options.max_band_share, options.max_frame_share)
    transforms: dict[TransformName, Transform | None] = {
        "none": None,
        "pitch": pitch,
        "reverb": reverb,
        "masking": masking,
        "combination": Choose((pitch, reverb)),
    }
    return transforms[name]


def build_reverb(config: Config) -> Reverb:
    """Make the reverb; made-up rooms are made on first use.

    Raises:
        UserError: where the configuration names a bank of rooms that cannot be used.
    """
    options = config.views
    return Reverb(options.n_rooms, options.room_rt60_s, config.data.sample_rate, bank=room_bank(config))


def shown_transform(config: Config) -> TransformName:
    """Return the transform whose views a run is followed with: its own, for `none` that of `combination`."""
    return "combination" if config.views.transform == "none" else config.views.transform


def build_view_maker(config: Config, transform: TransformName, versions: ShiftedVersions | None = None) -> ViewMaker:
    """Make the maker of views with one of the transforms; `versions` as for `build_transform`."""
    return ViewMaker(build_transform(config, transform, versions), build_front_end(config))


def build_network(config: Config, n_classes: int) -> VGG:
    """Make the network with the seed's initial weights."""
    options = config.network
    generator = torch.Generator().manual_seed(int(keys.key(config.seed, "weights") >> 1))
    return VGG(
        n_classes,
        options.width,
        options.pooling,
        options.global_pooling,
        options.normalize_input,
        generator=generator,
    )


def is_compiled(config: Config, device: torch.device, n_processes: int = 1) -> bool:
    """Whether the network is compiled for a device: as the configuration says, else where that is worth its time."""
    wanted = config.training.compile
    return can_compile(device, n_processes) if wanted is None else wanted


def build_plan(config: Config, targets: Targets | None = None, n_classes: int = 0) -> TrainingPlan:
    """Make the training plan: items, objective and schedules.

    Args:
        config: resolved.
        targets: of the training clips; None: one label per clip, classes of equal weight.
        n_classes: K, where there are targets.
    """
    objective, optimizer, training = config.objective, config.optimizer, config.training
    class_weights = None
    if targets is not None and training.balance == "weights":
        class_weights = balanced_class_weights(targets, n_classes)
    return TrainingPlan(
        items=method_items(config.method, config.views.n_transformed),
        objective=method_objective(
            config, CATEGORICAL if targets is None or targets.ndim == 1 else BERNOULLI, class_weights
        ),
        n_epochs=training.epochs,
        batch_size=training.batch_size,
        seed=config.seed,
        learning_rate=partial(
            step_decay,
            initial=optimizer.learning_rate,
            factor=optimizer.decay_factor,
            every=optimizer.decay_epochs,
        ),
        consistency_weight=partial(
            linear_ramp,
            final=objective.consistency_weight if config.method == "consistency" else 0.0,
            n_epochs=objective.ramp_epochs,
            offset=objective.ramp_offset,
        ),
        weight_decay=optimizer.weight_decay,
        draws_classes_equally=training.balance == "sampling",
        patience=training.patience,
        drops_nonfinite=training.on_nonfinite == "skip",
    )
