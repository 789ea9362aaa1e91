"""The plan: all that a run needs to begin, made once from what somebody gave, and handed down.

    path, configuration -> list_clips -> Listing -> decode -> Prepared -> Plan (one per run)

Nobody after it reads the data, the headers, the configuration or another run's weights a second time. The same plan is
what a training runs, what `--list` prints, what a grid distributes and what a Python user holds.
"""

import socket
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.data.datasets import Dataset, class_lines, drop_small, read_dataset
from cohear.data.folds import Split, split, split_all, with_folds, with_validation
from cohear.data.headers import choose_sample_rate, read_headers, sample_rate_line
from cohear.data.sounding import choose_clip_s, clip_s_line, listen_for_lengths
from cohear.data.store import Store, StoreSettings, open_store
from cohear.errors import UserError
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL, Targets, Task
from cohear.runs.build import build_front_end, build_on_meta, build_schedule, build_transform
from cohear.runs.config import (
    ENCODER_FACTS,
    EVERY_CLIP,
    HEAR_SPECTROGRAMS,
    VALIDATION_SHARE,
    Config,
    change,
    setting_values,
)
from cohear.runs.identity import NUMERICS, free_name, identify, identify_experiment, model_name, readable_name
from cohear.runs.run import Record
from cohear.runtime.files import cache_folder
from cohear.training.batches import items_per_batch

if TYPE_CHECKING:
    from cohear.models.pretrained import Pretrained
    from cohear.runs.trained_model import TrainedModel

ESC50_CLIP_S = 5.0

OnProgress = Callable[[int, int], None]
Attempt = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, eq=False)
class Listing:
    """What there is to train on, before a sound is decoded."""

    path: Path
    """DATA, as it was given."""
    dataset: Dataset
    """With background and folds."""
    config: Config
    """Resolved: what the data, or the weights to begin with, decide is chosen."""
    initial: "TrainedModel | None"
    """What training begins with; None: drawn weights."""
    said: tuple[str, ...]
    """What was chosen, as sentences."""
    pretrained: "Pretrained | None" = None
    """A folder whose weights training begins with; None: there is none, or `initial` has them."""

    @property
    def clip_s(self) -> float:
        """Seconds of a clip."""
        assert self.config.data.clip_s is not None
        return self.config.data.clip_s

    def check(self, config: Config) -> None:
        """Refuse a run of which can be told without decoding that it cannot be made.

        Raises:
            UserError: for a fold that is not there, a batch that cannot hold a clip's views, mel bands that cannot be
                made, spectrograms that are too small, rooms that cannot be used, weights that do not fit.
        """
        if config.fold != EVERY_CLIP and config.fold not in self.dataset.folds:
            there = ", ".join(map(str, self.dataset.folds))
            raise UserError(f"fold {config.fold} cannot be tested: the folds are {there}.")
        if self.initial is not None:
            self.initial.check_fits(config)
        check_settings(config)

    def decode(self, on_progress: OnProgress | None = None) -> "Prepared":
        """Decode the sounds, or find them decoded.

        Args:
            on_progress: called with files decoded and files in all.

        Raises:
            UserError: where sounds cannot be used.
        """
        options = self.config.data
        settings = StoreSettings(options.sample_rate, self.clip_s, options.short, options.windows)
        store = open_store(self.dataset, settings, cache_folder(), skip_bad=options.skip_bad, on_progress=on_progress)
        return Prepared(self, store)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set ready to train on."""

    listing: Listing
    store: Store

    def here(self) -> "Prepared":
        """Return the same on a machine that may not see the decoded sounds: then it decodes them for itself.

        Raises:
            UserError: where it does not see the sounds either, or other ones.
        """
        if all(file.path.exists() for file in self.store.rows.files):
            return self
        root, here = self.listing.dataset.root, socket.gethostname()
        if not root.exists():
            raise UserError(f"'{here}' sees neither the decoded sounds nor '{root}'; put a copy there")
        decoded = self.listing.decode()
        if decoded.store.fingerprint != self.store.fingerprint:
            raise UserError(f"'{here}' has other sounds in '{root}'; put the same ones there")
        return decoded

    @property
    def task(self) -> Task:
        """What is asked of each clip: one label, or any number."""
        return MULTI_LABEL if self.store.multi_label else SINGLE_LABEL

    @cached_property
    def targets(self) -> Targets:
        """What a network is trained to answer to each clip of the store."""
        return self.task.encode(self.store.label_sets, self.store.classes)

    @property
    def folds(self) -> list[int]:
        """The folds, in order."""
        return sorted(set(self.store.folds.tolist()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of the files, as sentences."""
        return (*self.listing.dataset.notes, *self.store.report.lines, *class_lines(self.store.label_sets))

    def split(self, config: Config) -> Split:
        """Return the training, validation and test clips of a run.

        Raises:
            UserError: where there is no such fold, or a label would be tested but never trained.
        """
        store, groups = self.store, self.store.groups
        if config.fold == EVERY_CLIP:
            parts = split_all(len(groups))
        else:
            n_clips = Counter(label for clip in self.listing.dataset.clips for label in clip.labels)
            parts = split(store.label_sets, store.folds, groups, config.fold, n_clips)
        return with_validation(parts, store.label_sets, groups, config.data.validation_share or 0.0)


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a run needs to begin."""

    config: Config
    """Resolved."""
    data: Prepared
    """Shared by the runs of a grid."""
    track: str = "every"
    """How often training and test clips are measured: `every` epoch, every N-th, or only at the `end`."""
    model: str = ""
    """The model's name where it is not one of the paper's."""
    out: Path | None = None
    """The run folder; None: one below `parent` whose name says what the run is."""
    parent: Path = Path("runs")
    crossval: Path | None = None
    """Where finished runs of a cross-validation lie, which say what to expect of a run on every clip."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model or model_name(self.config)

    @cached_property
    def split(self) -> Split:
        """The training, validation and test clips; raises as `Prepared.split`."""
        return self.data.split(self.config)

    @cached_property
    def record(self) -> Record:
        """What the run is, as its `config.json` tells it."""
        config, store = self.config, self.data.store
        contents = _contents(config, self.data.listing)
        return Record(
            config=config,
            model=self.name,
            identity=identify(config, store.fingerprint, contents),
            experiment=identify_experiment(config, store.fingerprint, contents),
            numerics=NUMERICS,
            data_path=str(self.data.listing.path),
            dataset=self.data.listing.dataset.name,
            data_fingerprint=store.fingerprint,
            classes=tuple(store.classes),
            task=self.data.task.name,
            track=self.track,
            contents=contents,
        )

    @cached_property
    def folder(self) -> Path:
        """Where the run goes."""
        if self.out is not None:
            return self.out
        name = readable_name(self.config, self.name, self.record.dataset)
        return free_name(self.parent, name, self.record.identity)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before it begins, as sentences."""
        initial = self.data.listing.initial
        said = initial and initial.heard_test_clips(self.config, self.data.store.fingerprint)
        return (*self.split.warnings, *([said] if said else []))


def list_clips(
    path: Path,
    config: Config,
    chosen: Collection[str] = (),
    attempt: Attempt = nullcontext,
    *,
    is_settled: bool = False,
) -> Listing:
    """List the clips of a data set with their folds, and settle what a configuration leaves to them.

    Clip length and sample rate follow the sounds, with as many milliseconds to a window as the preset has; a
    benchmark's clips are as its layout says. Where the data bring their own folds, nothing is kept back to validate.
    Weights to begin with decide how is heard.

    Args:
        path: DATA of the command line.
        config: of a preset and what was changed in it.
        chosen: names of settings that a person chose, which stay.
        attempt: a context for each step; `check` notes there why a step is refused, and goes on.
        is_settled: whether clip length and sample rate are those of a run that is there, and no header is asked.

    Raises:
        UserError: where the data or the weights to begin with cannot be used.
    """
    options = config.data
    dataset = read_dataset(path, esc10=options.esc10, sounds=options.sounds, skip_bad=options.skip_bad)
    initial, headers, said = None, None, list[str]()
    changes: dict[str, Any] = {}
    clip_s = options.clip_s or (ESC50_CLIP_S if dataset.layout == "esc50" else None)
    if dataset.brings_folds or config.fold == EVERY_CLIP:  # none is the default, and 0 says the same
        changes["data.validation_share"] = options.validation_share or None
    elif options.validation_share is None:
        changes["data.validation_share"] = VALIDATION_SHARE
    with attempt():
        if config.training.initial_run is not None:
            from cohear.runs.trained_model import read_model

            initial = read_model(Path(config.training.initial_run).expanduser())
        changes |= {n: value for n, value in (initial.settings() if initial else {}).items() if n not in chosen}
        if initial is not None and config.encoder.file is None:
            changes |= initial.places()
    pretrained = None
    with attempt():
        pretrained = None if is_settled or initial is not None else _pretrained(config)
        changes |= {} if pretrained is None else _pretrained_settings(pretrained, config, chosen)
    has_encoder = (changes.get("encoder.file") or config.encoder.file) is not None
    if has_encoder and not is_settled:
        with attempt():
            changes |= _encoder_settings(change(config, changes), {*chosen, *changes})
    with attempt():
        headers = None if dataset.layout == "esc50" or is_settled else read_headers(dataset)
    if headers is not None:
        if "data.sample_rate" not in {*chosen, *changes}:
            rate = changes["data.sample_rate"] = choose_sample_rate(headers.sample_rates, options.sample_rate)
            for name in {"n_fft", "hop_length"} - {name.removeprefix("front_end.") for name in chosen}:
                changes[f"front_end.{name}"] = round(getattr(config.front_end, name) * rate / options.sample_rate)
        durations_s, sounding_s = headers.durations_s, list[float]()
        if clip_s is None:
            sounding_s = listen_for_lengths(dataset, headers.files)
            clip_s, is_by_sound = choose_clip_s(durations_s, sounding_s)
            if not is_by_sound:
                sounding_s = []
            elif "data.windows" not in chosen:
                changes["data.windows"] = "sounding"
            clip_s = max(clip_s, _encoder_window_s(change(config, changes)))
        rate = changes.get("data.sample_rate", options.sample_rate)
        why = "as the encoder hears" if has_encoder else "as the network was trained" if pretrained else None
        said += [sample_rate_line(headers.sample_rates, rate, why), clip_s_line(durations_s, clip_s, sounding_s)]
        if not has_encoder and rate < options.sample_rate and "front_end.n_mels" not in {*chosen, *changes}:
            changes["front_end.n_mels"] = n_mels = _most_bands(change(config, changes))
            if n_mels < config.front_end.n_mels:
                said.append(f"{n_mels} mel bands, as a window holds no more at this rate; --set front_end.n_mels=N")
    if initial is not None:
        n_known = len({*dataset.classes} & {*initial.description.classes})
        said.append(
            f"training begins with the weights of '{config.training.initial_run}', which knows {n_known} of the "
            f"{len(dataset.classes)} classes"
        )
    if config.training.precision == "auto":
        from cohear.runtime.devices import faster_precision  # torch is not needed for the rest

        precision, why = faster_precision()
        changes["training.precision"] = precision
        said.append(f"computing in {precision}: {why}; --set training.precision=float32|bf16 chooses")
    with attempt():
        config = change(config, {**changes, "data.clip_s": clip_s})
    if options.background is not None and clip_s is not None:
        from cohear.data.background import with_background

        with attempt():
            headers = headers or read_headers(dataset)
            dataset = with_background(dataset, options.background, clip_s, headers.files)
    if options.drop_small:
        with attempt():
            dataset = drop_small(dataset, options.drop_small)
    with attempt():  # folds are of the data, not of the run: seeds share them
        n_groups = len({clip.undivided_by for clip in dataset.clips}) if config.fold == EVERY_CLIP else options.n_folds
        dataset = with_folds(dataset, min(options.n_folds, n_groups), seed=0)
    if "fold" not in chosen and config.fold != EVERY_CLIP and dataset.folds:
        config = change(config, {"fold": dataset.folds[0]})
    return Listing(path, dataset, config, initial, tuple(said), pretrained)


def _pretrained(config: Config) -> "Pretrained | None":
    """Find out what the folder of pretrained weights is that a network's name tells, where it tells one."""
    if ":" not in config.network.name:
        return None
    from cohear.models.pretrained import is_pretrained, read_pretrained

    return read_pretrained(config.network.name) if is_pretrained(config.network.name) else None


def _pretrained_settings(pretrained: "Pretrained", config: Config, chosen: Collection[str]) -> dict[str, Any]:
    """Return how pretrained weights want to hear.

    Raises:
        UserError: where somebody chose otherwise.
    """
    settings, now = pretrained.settings(), setting_values(config)
    for name in sorted(settings.keys() & set(chosen) - {"network.name", "network.folder"}):
        if now[name] != settings[name]:
            raise UserError(
                f"the network in '{pretrained.folder}' was trained with {name}={settings[name]}, and {now[name]} was "
                "chosen now; leave that setting to it"
            )
    return settings


def _encoder_settings(config: Config, chosen: Collection[str]) -> dict[str, Any]:
    """Find out what is to be known of an encoder, and how it hears.

    Raises:
        UserError: where it cannot be used, or the sounds were to have another rate.
    """
    from cohear.models.encoder_facts import read_facts

    path = Path(config.encoder.file or "").expanduser().resolve()
    given, rate = config.encoder.model_dump(include=ENCODER_FACTS), config.data.sample_rate
    facts = vars(read_facts(path, {**given, "sample_rate": rate if "data.sample_rate" in chosen else None}))
    return {"encoder.file": str(path), "data.sample_rate": facts.pop("sample_rate")} | {
        f"encoder.{name}": value for name, value in facts.items()
    }


def _encoder_window_s(config: Config) -> float:
    """Return how long a window of the encoder is; 0 without one."""
    return (config.encoder.window or 0) / config.data.sample_rate


def list_again(path: Path, config: Config, **changes: Any) -> Listing:
    """List clips as for a run that is there already: its settings are settled, and its weights in it.

    Args:
        path: DATA, the run's or other.
        config: of the run.
        **changes: settings of `data` that are otherwise now.

    Raises:
        UserError: as `list_clips`.
    """
    wanted = {**{f"data.{name}": value for name, value in changes.items()}, "training.initial_run": None}
    return list_clips(path, change(config, wanted), chosen={"fold"}, is_settled=True)


def _most_bands(config: Config) -> int:
    """Return how many mel bands there may be: as many as are wanted, or half of them, and so on.

    Where other settings do not go together either, `check_settings` says so.
    """
    wanted = n_mels = config.front_end.n_mels
    while n_mels:
        with suppress(UserError):
            build_front_end(change(config, {"front_end.n_mels": n_mels}))
            return n_mels
        n_mels //= 2
    return wanted


def check_settings(config: Config) -> None:
    """Refuse settings that do not go together; as `Listing.check`, but for the fold."""
    if config.network.name == "encoder" and config.encoder.file is None:
        raise UserError("the network 'encoder' stands on one; name its file by --encoder FILE.onnx")
    if config.network.name.partition(":")[0] in HEAR_SPECTROGRAMS and config.encoder.file is not None:
        raise UserError(
            f"the network '{config.network.name}' hears spectrograms, and --encoder gives embeddings; leave --preset "
            "out, or add --set network.name=encoder"
        )
    schedule, front_end = build_schedule(config), build_front_end(config)
    items_per_batch(schedule.items, schedule.batch_size)
    needs, clip_s = build_on_meta(config).body.input, config.data.clip_s
    n_frames = needs.min_frames  # where no sound can be opened, `check` knows no length
    if clip_s is not None:
        n_frames = front_end.n_frames(round(clip_s * config.data.sample_rate))
    needs.check(front_end.n_bands, n_frames)
    transform = build_transform(config)
    if transform is not None and "log_mel" in transform.domains and config.encoder.file is not None:
        raise UserError(
            f"--transform {config.views.transform} changes spectrograms, and an encoder makes its own; leave masking "
            "out"
        )


def _contents(config: Config, listing: Listing) -> dict[str, str]:
    """Hash what settings name and do not tell."""
    transform, contents = build_transform(config), dict[str, str]()
    if transform is not None and (digest := transform.content_hash()) is not None:
        contents["views.transform"] = digest
    if listing.initial is not None:
        contents["training.initial_run"] = listing.initial.hash()
    if listing.pretrained is not None:
        contents["network.folder"] = listing.pretrained.digest
    return contents
