"""The whole configuration of a run: frozen, typed, every unknown key an error.

The defaults are the paper's. A field knows itself: its docstring is its help, its constraints are what is allowed, and
its `Setting` says what it can change, for which methods, and by which option of the command line it is chosen.
Identity, names of runs, tables and options all read it there and nowhere else.

Each field that settles something the paper leaves open is explained in `docs/reading-of-the-paper.md`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from cohear.errors import UserError, nearest
from cohear.transforms.recipes import parse_recipe

MethodName = Literal["none", "standard", "bda", "consistency"]
Precision = Literal["float32", "bf16", "auto"]
Effect = Literal["result", "clips", "computation", "shown"]

_METHODS: tuple[MethodName, ...] = ("none", "standard", "bda", "consistency")
_BATCHED: tuple[MethodName, ...] = ("bda", "consistency")
_CONSISTENCY: tuple[MethodName, ...] = ("consistency",)


@dataclass(frozen=True)
class Setting:
    """What a field of the configuration is, beside its type."""

    effect: Effect = "result"
    """What it can change: the `result` of a run; which `clips` there are, which the fingerprint of the data tells; only
    how the result is computed (`computation`: it may differ in its last bits, or come about at all); only what is
    `shown` of it."""
    methods: tuple[MethodName, ...] = _METHODS
    """Those that look at it; for others another value is the same run."""
    not_of: tuple[str, ...] = ()
    """Networks that do not look at it."""
    in_name: bool = False
    """Whether the name of a run or a model tells it."""
    replicates: bool = False
    """Whether runs that differ in it alone are one experiment."""
    is_schedule: bool = False
    """Whether it counts epochs, and is stretched with the training."""
    option: str | None = None
    """By which the command line offers it."""
    metavar: str | None = None
    unset: str | None = None
    """What stands for it where it is not chosen."""


Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveFloat = Annotated[float, Field(gt=0)]

EVERY_CLIP = "all"
"""The fold of a run that is trained on every clip and tested on none."""
VALIDATION_SHARE = 0.15
"""Of the training clips of data that bring no folds, where no other is chosen."""


def _read_fold(value: Any) -> Any:
    if value != EVERY_CLIP and not (isinstance(value, int | str) and str(value).strip().isdecimal()):
        raise ValueError(f"it must be a whole number or {EVERY_CLIP}")
    return value if value == EVERY_CLIP else int(value)


Fold = Annotated[int | Literal["all"], BeforeValidator(_read_fold)]
Recipe = Annotated[str, AfterValidator(lambda text: str(parse_recipe(text)))]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, validate_default=True
    )


class DataConfig(_Section):
    """What a clip is."""

    sample_rate: Annotated[int, Field(ge=8000, le=192000), Setting("clips")] = 44100
    """Hz; every file is resampled to it."""
    clip_s: Annotated[Annotated[float, Field(ge=0.01, le=600)] | None, Setting("clips")] = None
    """Length of a clip, seconds; unset: 5 for ESC-50, else chosen from the files."""
    short: Annotated[Literal["pad", "repeat"], Setting("clips")] = "pad"
    """What fills a clip that is too short: silence or itself."""
    windows: Annotated[Literal["all", "sounding"], Setting("clips")] = "all"
    """Of a clip that is longer than clip_s: all windows, or those between the begin and the end of what sounds in it;
    `sounding` where clip_s was chosen by how long sounds last."""
    sounds: Annotated[str | None, Setting("clips", option="--sounds", metavar="DIR")] = None
    """Where the sounds of a table lie, if not beneath its own folder; paths are relative to DIR."""
    esc10: Annotated[bool, Setting("clips", option="--esc10")] = False
    """Use the ten classes of ESC-10 of a data set in ESC-50's layout."""
    n_folds: Annotated[int, Field(ge=2), Setting("clips")] = 5
    """Folds that are made where the data brings none."""
    drop_small: Annotated[int, Field(ge=0), Setting("clips", option="--drop-small", metavar="N")] = 0
    """Leave out classes with fewer than N clips."""
    skip_bad: Annotated[bool, Setting("clips", option="--skip-bad")] = False
    """Leave out files that cannot be used, and list them."""
    validation_share: Annotated[
        Annotated[float, Field(ge=0, le=0.5)] | None,
        Setting(option="--validation", metavar="SHARE", unset="0.15, and 0 where the data brings folds"),
    ] = None
    """Part of the training clips kept back to choose by and to fit temperature and thresholds on, never divided within
    a group; 0 for none."""
    background: Annotated[str | None, Setting(option="--background", metavar="NAME")] = None
    """The label that means 'none of these'; annotated recordings lend their unlabeled parts to it."""


class ViewsConfig(_Section):
    """How views are made of a clip."""

    transform: Annotated[
        Recipe,
        Setting(option="--transform", metavar="RECIPE", unset="combination, and none with --method none", in_name=True),
    ] = "combination"
    """A recipe of transforms: `pitch,reverb` is one of the two per view, `noise+pitch` one after the other,
    `noise(snr_db=0..20)` with parameters; the paper's are pitch, reverb, masking and combination."""
    n_transformed: Annotated[Positive, Setting(methods=("standard", "bda", "consistency"))] = 2
    """Transformed views of a clip beside the clean one."""
    standard_reads: Annotated[Literal["all", "one"], Setting(methods=("standard",), in_name=True)] = "all"
    """What `standard` hears of a clip in an epoch: `all` of its views, as signals of their own, or `one` of them."""
    kept: Annotated[bool, Setting()] = False
    """Make log-mels of clean clips and of transforms with few outcomes, such as pitch, once and keep them in the cache
    folder, in steps of 0.01 dB."""


_PICTURED = Setting(not_of=("encoder",))
"""With an encoder it is a picture, which nobody learns from."""


class FrontEndConfig(_Section):
    """The log-mel spectrogram."""

    n_fft: Annotated[int, Field(ge=1, le=1 << 17), _PICTURED] = 1024
    """Samples of a window."""
    hop_length: Annotated[Positive, _PICTURED] = 600
    """Samples between frames."""
    n_mels: Annotated[Positive, _PICTURED] = 128
    """Mel bands."""
    f_min: Annotated[float, Field(ge=0), _PICTURED] = 0.0
    """Hz, lower edge of the lowest band."""
    f_max: Annotated[PositiveFloat | None, _PICTURED] = None
    """Hz, upper edge of the highest band; unset: half the sample rate."""
    filters: Annotated[Literal["slaney", "kaldi"], _PICTURED] = "slaney"
    """The bands: `slaney` as librosa's, or `kaldi` with frames and pre-emphasis as Kaldi's, which AST hears."""


_OTHERS = ("timm", "encoder", "transformers")
HEAR_SPECTROGRAMS = ("vgg", "timm", "transformers")
"""Networks that hear spectrograms."""
_ON_ENCODER = Setting(not_of=HEAR_SPECTROGRAMS)


class EncoderConfig(_Section):
    """A pretrained network that stands in the place of the spectrogram and stays as it is."""

    file: Annotated[str | None, Setting("shown", option="--encoder", metavar="FILE")] = None
    """An ONNX model from waveforms to embeddings; only what stands on it is trained."""
    digest: Annotated[str | None, _ON_ENCODER] = None
    """Of the file, by which it is known wherever it lies; unset: computed."""
    license: Annotated[str | None, Setting("shown")] = None
    """Of the file; unset: as it says."""
    window: Annotated[Positive | None, _ON_ENCODER] = None
    """Samples that it hears at once; unset: as the file says."""
    n_features: Annotated[Positive | None, _ON_ENCODER] = None
    """Numbers that it gives; unset: as many as it does."""
    input: Annotated[str | None, _ON_ENCODER] = None
    """The name of what it takes; unset: where it takes one thing."""
    output: Annotated[str | None, _ON_ENCODER] = None
    """The name of the embedding; unset: where it gives one thing."""
    peak: Annotated[PositiveFloat | None, _ON_ENCODER] = None
    """What the loudest sample of a window is scaled to, its mean being zero; unset: windows are left as they are."""
    pooling: Annotated[Literal["mean", "max"], _ON_ENCODER] = "mean"
    """How the embeddings of a clip's windows become one."""
    n_views: Annotated[Positive, Setting(methods=("standard", "bda", "consistency"), not_of=HEAR_SPECTROGRAMS)] = 8
    """Transformed views that are made of each clip, once; epochs draw theirs from these."""

    def heard_by(self) -> dict[str, Any]:
        """Return all that decides what is made of a window."""
        return self.model_dump(exclude={"file", "license", "n_views"})


ENCODER_FACTS = set(EncoderConfig.model_fields) - {"file", "pooling", "n_views"}
"""What a file decides, beside the sample rate."""


class NetworkConfig(_Section):
    """What hears the spectrograms, or stands on an encoder."""

    name: Annotated[str, Field(min_length=1), Setting()] = "vgg"
    """`vgg`, `timm:MODEL` (of PyTorch Image Models, as `timm:resnet10t`), `encoder` (what stands on one), what an
    installed package brings, or with pretrained weights `transformers:FOLDER` (AST, CLAP) or `timm:local-dir:FOLDER`.
    """
    folder: Annotated[str | None, Setting("shown")] = None
    """Where its pretrained weights came from; unset: from the name, or drawn."""
    architecture: Annotated[str | None, Setting(not_of=("vgg", "encoder"))] = None
    """What it is, as JSON; unset: as its folder says."""
    trained_blocks: Annotated[Count | None, Setting()] = None
    """Train its last blocks only; 0: only the linear layer after it; unset: all."""
    hidden: Annotated[Count, Setting(not_of=HEAR_SPECTROGRAMS)] = 0
    """Units of a hidden layer between an encoder and the linear layer; 0: there is none."""
    width: Annotated[float, Field(gt=0, le=64), Setting(not_of=_OTHERS)] = 1.0
    """Factor on the feature maps 64, 128, 256, 512; of the VGG alone."""
    pooling: Annotated[Literal["max", "average"], Setting(not_of=_OTHERS)] = "max"
    """Of 2x2 cells after each block; of the VGG alone."""
    global_pooling: Annotated[Literal["max", "average"], Setting(not_of=("encoder", "transformers"))] = "average"
    """Over bands and frames before the linear layer."""
    normalize_input: Annotated[bool, Setting(not_of=("transformers",))] = True
    """A one-channel batch norm before the first convolution."""


class ObjectiveConfig(_Section):
    """What training minimizes."""

    consistency_weight: Annotated[float, Field(ge=0), Setting(methods=_CONSISTENCY)] = 5.0
    """Lambda of Eq. (3), from the end of the ramp on."""
    ramp_epochs: Annotated[float, Field(ge=0), Setting(methods=_CONSISTENCY, is_schedule=True)] = 10.0
    """Epochs until the weight is reached; 0: at once."""
    ramp_offset: Annotated[float, Field(ge=0), Setting(methods=_CONSISTENCY)] = 0.0
    """Epochs of the ramp already climbed at epoch 0."""
    divergence: Annotated[str, Setting(methods=_CONSISTENCY)] = "jsd"
    """How far views disagree: `jsd` (Jensen-Shannon), `kl` (Kullback-Leibler, two views), `symmetric_kl`, `l2`
    (Euclidean), or one that an installed package brings."""
    representation: Annotated[Literal["probabilities", "embedding"], Setting(methods=_CONSISTENCY)] = "probabilities"
    """G(x): the class distribution or the penultimate layer (`l2` only)."""
    classified_views: Annotated[Literal["all", "clean"], Setting(methods=_BATCHED)] = "all"
    """Whose cross-entropy counts."""
    over_views: Annotated[Literal["mean", "sum"], Setting(methods=_BATCHED)] = "mean"
    """Mean or sum of the views' cross-entropies."""

    @model_validator(mode="after")
    def _check(self) -> "ObjectiveConfig":
        if self.representation == "embedding" and self.divergence != "l2":
            raise ValueError("representation 'embedding' goes with divergence 'l2' only")
        return self


class OptimizerConfig(_Section):
    """AdamW and its schedule."""

    schedule: Annotated[Literal["steps", "cosine"], Setting()] = "steps"
    """How the learning rate changes: by `steps`, or with each update up to its highest and along a `cosine` to zero."""
    learning_rate: Annotated[PositiveFloat, Setting()] = 5e-4
    """The highest: by steps that of the first epoch."""
    warmup_epochs: Annotated[float, Field(ge=0), Setting(is_schedule=True)] = 0.0
    """Before the cosine, in which the rate rises from zero."""
    weight_decay: Annotated[float, Field(ge=0), Setting()] = 0.01
    """Decoupled, on every parameter."""
    decay_factor: Annotated[float, Field(gt=0, le=1), Setting()] = 0.9
    """By steps the learning rate is multiplied by it ..."""
    decay_epochs: Annotated[PositiveFloat, Setting(is_schedule=True)] = 2.0
    """... after every so many epochs."""
    layer_decay: Annotated[float, Field(gt=0, le=1), Setting()] = 1.0
    """The learning rate of each block of the network is that of the block after it times this."""
    averaging_epochs: Annotated[float, Field(ge=0), Setting(is_schedule=True)] = 0.0
    """Measure and keep a moving average of the weights over about so many epochs; 0: the last ones."""


class TrainingConfig(_Section):
    """The loop."""

    epochs: Annotated[Positive, Setting()] = 72
    """Passes over the training clips."""
    batch_size: Annotated[Positive, Setting()] = 120
    """Signals in a batch, counting every view."""
    mixup: Annotated[float, Field(ge=0), Setting()] = 0.0
    """Mix each clip with another of its batch, all views alike, by shares from Beta(mixup, mixup); 0: none."""
    precision: Annotated[Precision, Setting()] = "float32"
    """`bf16`: bfloat16 autocast with the loss in float32; `auto`: that where the processor or GPU is
    faster in it, else `float32`."""
    initial_run: Annotated[str | None, Setting(option="--init", metavar="RUN")] = None
    """A run or packed model whose weights to begin with; classes that it does not know begin with drawn ones."""
    balance: Annotated[Literal["none", "weights", "sampling"], Setting(option="--balance")] = "none"
    """For classes of unequal size: weigh their loss, or draw each class equally often."""
    patience: Annotated[Positive | None, Setting(option="--patience", metavar="N", unset="never")] = None
    """Stop when the validation loss has not fallen for N epochs, and go back to the best one."""
    on_nonfinite: Annotated[Literal["stop", "skip"], Setting("computation", option="--on-nonfinite")] = "stop"
    """What to do about a step whose loss or gradients are not finite: stop the run, or drop the step and count it; a
    stopped run goes on with skip."""
    threshold_precision: Annotated[float, Field(gt=0, lt=1), Setting()] = 0.9
    """Thresholds of labels are fitted so that this share of the validation answers above them is right."""
    compile: Annotated[bool | None, Setting("computation")] = None
    """Compile the network, which changes last bits as another device does; unset: on a GPU with Triton."""


class Config(_Section):
    """Everything that can change a run's result, but the clips themselves."""

    preset: Annotated[str, Setting("shown")] = "paper"
    """Where the values come from; a name only."""
    method: Annotated[MethodName, Setting(option="--method", in_name=True)] = "consistency"
    """How transforms are used."""
    fold: Annotated[
        Fold, Setting(option="--fold", metavar="N|all", unset="the first", in_name=True, replicates=True)
    ] = 1
    """The fold that is tested, the others are trained on; `all` trains on every clip and tests on none."""
    seed: Annotated[
        int, Field(ge=0, lt=2**63), Setting(option="--seed", metavar="N", in_name=True, replicates=True)
    ] = 0
    """Of weights, order and views."""
    data: DataConfig = DataConfig()
    views: ViewsConfig = ViewsConfig()
    front_end: FrontEndConfig = FrontEndConfig()
    encoder: EncoderConfig = EncoderConfig()
    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if (self.method == "none") != (self.views.transform == "none"):
            raise ValueError(
                f"method '{self.method}' does not go with transform '{self.views.transform}'; only method 'none' "
                "has transform 'none'"
            )
        if self.method == "consistency" and self.objective.divergence == "kl" and self.views.n_transformed != 1:
            raise ValueError("objective.divergence 'kl' compares two views; use it with views.n_transformed=1")
        if self.encoder.file is not None and self.encoder.n_views < self.views.n_transformed:
            raise ValueError("encoder.n_views must be at least views.n_transformed, as an epoch draws from them")
        return self


def _fields(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


FIELDS: Mapping[str, FieldInfo] = dict(_fields(Config))
"""Every setting by its dotted name."""


def setting_of(name: str) -> Setting:
    """Return what a field says of itself."""
    return next(data for data in FIELDS[name].metadata if isinstance(data, Setting))


def settings_where(holds: Callable[[Setting], object]) -> tuple[str, ...]:
    """Return the settings whose field says something of itself, by dotted name."""
    return tuple(name for name in FIELDS if holds(setting_of(name)))


IN_NAME = settings_where(lambda setting: setting.in_name)
REPLICATES = settings_where(lambda setting: setting.replicates)
SCHEDULES = settings_where(lambda setting: setting.is_schedule)


def setting_values(config: Config) -> dict[str, Any]:
    """Return the value of every setting by its dotted name, as `--set` knows it."""
    return {name: _get(config, name) for name in FIELDS}


def result_settings(config: Config) -> dict[str, Any]:
    """Return the settings that can change what comes out of a run of its method and network on given clips."""
    settings = {name: setting_of(name) for name in FIELDS}
    network = config.network.name.partition(":")[0]
    return {
        name: value
        for name, value in setting_values(config).items()
        if settings[name].effect == "result"
        if config.method in settings[name].methods and network not in settings[name].not_of
    }


def differences(config: Config, other: Config) -> dict[str, Any]:
    """Return the settings that can change a result and that `other` has otherwise, by dotted name."""
    theirs = setting_values(other)
    return {name: value for name, value in result_settings(config).items() if value != theirs[name]}


def change(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a configuration with some fields changed, checked as a whole.

    Args:
        config: where to start.
        changes: values by dotted name, as `{"training.epochs": 4}`; text is read as the field's type.

    Raises:
        UserError: for an unknown name, with the nearest valid one, or a value of the wrong type or range.
    """
    values = config.model_dump()
    for name, value in changes.items():
        if name not in FIELDS:
            how = "`cohear train --settings` lists them all"
            if "epoch" in name.lower():
                how = "--epochs N, or epochs=N in Python, trains for N epochs with all schedules scaled to them"
            raise UserError(f"there is no setting '{name}'{nearest(name, FIELDS)}; {how}")
        section, _, last = name.rpartition(".")
        (values[section] if section else values)[last] = value
    try:
        return type(config).model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error)) from error


def check_track(track: str | None) -> str | None:
    """Refuse a time of measurements that cannot be followed.

    Raises:
        UserError: for anything but None, `every`, `end` or a number of epochs.
    """
    if track not in (None, "every", "end") and not (track.isascii() and track.isdigit() and int(track) > 0):
        raise UserError(f"--track {track} is not known; use every, end, or a number of epochs such as 5")
    return track


def is_tracked(track: str, epoch: int, n_epochs: int) -> bool:
    """Whether clips are measured after an epoch; the last one always is.

    Args:
        track: `every`, `end`, or a number N of epochs.
        epoch: counted from 0.
        n_epochs: of the run.
    """
    every = {"every": 1, "end": n_epochs}.get(track) or int(track)
    return epoch == n_epochs - 1 or (epoch + 1) % every == 0


def parse_override(text: str) -> tuple[str, Any]:
    """Split `training.epochs=4` into name and value; `None` unsets a setting that may be unset.

    Raises:
        UserError: where there is no `=`.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UserError(f"'--set {text}' has no value; write it as --set training.epochs=4")
    return name, None if value == "None" else value


def _get(config: Config, name: str) -> Any:
    section, _, last = name.rpartition(".")
    return getattr(getattr(config, section) if section else config, last)


_REASONS = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "it must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "it must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "it must be true or false"),
}
"""By pydantic's type of error, where its own words are those of a programmer."""


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(part for part in first["loc"] if isinstance(part, str))
    reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    reason = _REASONS.get(first["type"], reason)
    if not place or isinstance(first["input"], dict):
        return reason
    return f"'{place}' cannot be '{first['input']}': {reason}"
