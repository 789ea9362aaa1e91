"""The whole configuration of a run: frozen, typed, every unknown key an error.

The defaults are the paper's. Each field that settles something the paper leaves open is explained in
`docs/reading-of-the-paper.md`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0.1, le=10)]
Share = Annotated[float, Field(ge=0, le=1)]

MethodName = Literal["none", "standard", "bda", "consistency"]
TransformName = Literal["none", "pitch", "reverb", "masking", "combination"]
Precision = Literal["float32", "bf16"]

EVERY_CLIP = "all"
"""The fold of a run that is trained on every clip and tested on none."""
MADE_UP, SIMULATED = "made-up", "simulated"
"""Banks of rooms that need no files."""


def _read_fold(value: Any) -> Any:
    if value == EVERY_CLIP or isinstance(value, int):
        fold = value
    elif isinstance(value, str) and value.strip().isdecimal():
        fold = int(value)
    else:
        raise ValueError(f"it must be a whole number or {EVERY_CLIP}")
    if isinstance(fold, int) and fold < 0:
        raise ValueError("it must be at least 0")
    return fold


Fold = Annotated[int | Literal["all"], BeforeValidator(_read_fold)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, validate_default=True
    )


class DataConfig(_Section):
    """What a clip is."""

    sample_rate: Annotated[int, Field(ge=8000, le=192000)] = 44100
    """Hz; every file is resampled to it."""
    clip_s: Annotated[float, Field(ge=0.01, le=600)] | None = None
    """Length of a clip, seconds; unset: 5 for ESC-50, else chosen from the files."""
    short: Literal["pad", "repeat"] = "pad"
    """What fills a clip that is too short: silence or itself."""
    sounds: Annotated[str, Field(min_length=1)] | None = None
    """The folder to which the paths of a table are relative, and which they do not leave; unset: the table's own."""
    esc10: bool = False
    """Use the ten classes of ESC-10 of a data set in ESC-50's layout."""
    pitch_cache: bool = False
    """Keep each shifted version of each clip, in 16 bits, once it was made: on the GPU where they fit, else on disk."""
    n_folds: Annotated[int, Field(ge=2)] = 5
    """Folds that are made where the data brings none."""
    drop_small: Annotated[int, Field(ge=0)] = 0
    """Leave out classes with fewer clips."""
    skip_bad: bool = False
    """Leave out files that cannot be used, and list them."""
    validation_share: Annotated[float, Field(ge=0, le=0.5)] | None = None
    """Part of the training clips kept back to choose by, never divided within a group; unset: 0.15, and 0 where the
    data brings its folds."""
    background: str | None = None
    """The label that means 'none of these'; annotated recordings lend their unlabelled parts to it."""


class ViewsConfig(_Section):
    """How views are made of a clip."""

    transform: TransformName = "combination"
    """`combination` is pitch or reverb with equal probability."""
    n_transformed: Positive = 2
    """Transformed views of a clip beside the clean one."""
    pitch_semitones: tuple[Annotated[float, Field(ge=-12, le=12)], ...] = (
        -2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5,
    )  # fmt: skip
    """One of these is drawn, each as likely."""
    room_bank: Annotated[str, Field(min_length=1)] = MADE_UP
    """Rooms: `made-up`, `simulated` (by pyroomacoustics), a saved bank or a folder of recorded responses."""
    n_rooms: Annotated[int, Field(ge=1, le=20_000)] = 500
    """Impulse responses made beforehand, where they are not recorded."""
    room_rt60_s: tuple[Seconds, Seconds] = (0.2, 1.0)
    """Reverberation times, seconds, lowest and highest, of rooms that are not recorded."""
    n_band_masks: tuple[Count, Count] = (1, 2)
    """Masks over mel bands, fewest and most."""
    n_frame_masks: tuple[Count, Count] = (1, 2)
    """Masks over frames, fewest and most."""
    max_band_share: Share = 0.2
    """Widest band mask, as a share of the bands."""
    max_frame_share: Share = 0.2
    """Widest frame mask, as a share of the frames."""

    @model_validator(mode="after")
    def _check(self) -> "ViewsConfig":
        for name, order in (("room_rt60_s", "lowest"), ("n_band_masks", "fewest"), ("n_frame_masks", "fewest")):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"views.{name} is {low:g},{high:g}; give the {order} first")
        return self


class FrontEndConfig(_Section):
    """The log-mel spectrogram."""

    n_fft: Annotated[int, Field(ge=1, le=1 << 17)] = 1024
    """Samples of a window."""
    hop_length: Positive = 600
    """Samples between frames."""
    n_mels: Positive = 128
    """Mel bands."""
    f_min: Annotated[float, Field(ge=0)] = 0.0
    """Hz, lower edge of the lowest band."""
    f_max: PositiveFloat | None = None
    """Hz, upper edge of the highest band; unset: half the sample rate."""


class NetworkConfig(_Section):
    """The VGG."""

    width: Annotated[float, Field(gt=0, le=64)] = 1.0
    """Factor on the feature maps 64, 128, 256, 512."""
    pooling: Literal["max", "average"] = "max"
    """Of 2x2 cells after each block."""
    global_pooling: Literal["max", "average"] = "average"
    """Over bands and frames before the linear layer."""
    normalize_input: bool = True
    """A one-channel batch norm before the first convolution."""


class ObjectiveConfig(_Section):
    """What training minimizes."""

    consistency_weight: Annotated[float, Field(ge=0)] = 5.0
    """Lambda of Eq. (3), from the end of the ramp on."""
    ramp_epochs: Annotated[float, Field(ge=0)] = 10.0
    """Epochs until the weight is reached; 0: at once."""
    ramp_offset: Annotated[float, Field(ge=0)] = 0.0
    """Epochs of the ramp already climbed at epoch 0."""
    divergence: Literal["jsd", "kl", "l2"] = "jsd"
    """How far views disagree: Jensen-Shannon, Kullback-Leibler (two views), Euclidean."""
    representation: Literal["probabilities", "embedding"] = "probabilities"
    """G(x): the class distribution or the penultimate layer (`l2` only)."""
    classified_views: Literal["all", "clean"] = "all"
    """Whose cross-entropy counts."""
    over_views: Literal["mean", "sum"] = "mean"
    """Mean or sum of the views' cross-entropies."""

    @model_validator(mode="after")
    def _check(self) -> "ObjectiveConfig":
        if self.representation == "embedding" and self.divergence != "l2":
            raise ValueError("representation 'embedding' goes with divergence 'l2' only")
        return self


class OptimizerConfig(_Section):
    """AdamW and its schedule."""

    learning_rate: PositiveFloat = 5e-4
    """Of the first epoch."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled, on every parameter."""
    decay_factor: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The learning rate is multiplied by it ..."""
    decay_epochs: PositiveFloat = 2.0
    """... after every so many epochs."""


class TrainingConfig(_Section):
    """The loop."""

    epochs: Positive = 72
    """Passes over the training clips."""
    batch_size: Positive = 120
    """Signals in a batch, counting every view."""
    precision: Precision = "float32"
    """`bf16`: bfloat16 autocast with the loss in float32."""
    initial_run: str | None = None
    """A run or packed model whose weights to begin with; classes that it does not know begin with drawn ones."""
    balance: Literal["none", "weights", "sampling"] = "none"
    """What is done about classes of unequal size: weigh their loss, or draw them equally often."""
    patience: Positive | None = None
    """Epochs without a lower validation loss after which training stops and goes back to its best; unset: never."""
    on_nonfinite: Literal["stop", "skip"] = "stop"
    """What is done about a step whose loss or gradients are not finite: stop the run, or drop the step and count it."""
    threshold_precision: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Thresholds of labels are fitted so that this share of the validation answers above them is right."""
    compile: bool | None = None
    """Compile the network, which changes last bits as another device does; unset: on a GPU with Triton."""


class Config(_Section):
    """Everything that can change a run's result, but the clips themselves."""

    preset: str = "paper"
    """Where the values come from; a name only."""
    method: MethodName = "consistency"
    """How transforms are used."""
    fold: Fold = 1
    """The fold that is tested, the others are trained on; `all` trains on every clip and tests on none."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of weights, order and views."""
    data: DataConfig = DataConfig()
    views: ViewsConfig = ViewsConfig()
    front_end: FrontEndConfig = FrontEndConfig()
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
        return self
