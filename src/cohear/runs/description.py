"""What a classifier is: how to use its weights rightly, and what is known of it.

One description serves the run's folder, the packed file, the metadata of an exported one and the model card.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cohear.evaluation.calibration import UNFITTED, Calibration
from cohear.metrics.tasks import SINGLE_LABEL, TASKS
from cohear.runs.config import (
    Count,
    EncoderConfig,
    Fold,
    FrontEndConfig,
    MethodName,
    NetworkConfig,
    Positive,
    Precision,
    Share,
)
from cohear.transforms.recipes import parse_recipe

FORMAT = 3
"""Raised when the meaning of a description changes."""
MAX_WINDOW_CELLS = 2**27
"""Frames of a clip times samples of a frame, which are transformed at once: 1 GiB."""
MAX_FILTER_CELLS = 2**22
"""Mel bands times samples of a frame."""

Label = Annotated[str, Field(min_length=1, max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Expectation(_Part):
    """What cross-validation with the same settings lets one expect of a model that was trained on every clip."""

    accuracy: Share
    """Mean over the folds."""
    standard_error: Annotated[float, Field(ge=0)] | None
    """Over the folds; None for one."""
    n_runs: Positive
    folds: tuple[Count, ...]
    n_clips: Positive
    """Test clips of all folds."""


class Provenance(_Part):
    """Where a classifier comes from, and how good it was found to be."""

    dataset: str
    """The name of the data, without its place."""
    data_fingerprint: str
    model: str
    """The paper's name of method and transform."""
    method: MethodName
    transform: str
    preset: str
    fold: Fold
    """The fold that was tested, or `all` where every clip was trained on."""
    seed: Count
    epochs: Positive
    """Planned."""
    kept_epoch: Count | None
    """Whose weights these are, counted from 1; None: of the last one."""
    precision: Precision
    initial_weights: str | None
    """Hash of the weights that training started from; None where they were drawn."""
    identity: str
    """Of the run."""
    n_train_clips: Count | None
    n_test_clips: Count
    accuracy: Share | None
    """On the clean test clips; None where there were none."""
    accuracy_interval: tuple[Share, Share] | None
    """Wilson's, 95 %."""
    nll: float | None
    """Nats, mean over the test clips."""
    jsd: float | None
    """Nats, mean over the test clips of the divergence between the clean clip and two views of `combination`."""
    false_alarms_per_hour: Annotated[float, Field(ge=0)] | None
    """In test clips of background, at the thresholds; None where there are none."""
    expected: Expectation | None
    """Where every clip was trained on and the folds were tested before."""
    warnings: tuple[str, ...]
    """What should be known of the run."""
    versions: dict[str, str]
    """Of the packages that trained it."""


def _in_range(calibration: Calibration) -> Calibration:
    return Calibration.from_json(calibration.to_json())


class Description(_Part):
    """A classifier, but for its weights."""

    format: Literal[3] = FORMAT
    classes: Annotated[tuple[Label, ...], Field(min_length=1)]
    sample_rate: Annotated[int, Field(ge=8000, le=192000)]
    """Hz; recordings of any rate are resampled to it."""
    clip_s: Annotated[float, Field(ge=0.01, le=600)]
    """Seconds of a window."""
    short: Literal["pad", "repeat"]
    """What fills a recording that is shorter than a window, as in training."""
    front_end: FrontEndConfig
    encoder: EncoderConfig = EncoderConfig()
    """What hears in the place of the front end, where there is one."""
    network: NetworkConfig
    task: str = SINGLE_LABEL.name
    """Whether a window has one label or any number of them, by its name in `cohear.metrics.tasks`."""
    background: str | None = None
    """The label that means 'none of these'; None where there is none (of several labels none may be true)."""
    calibration: Annotated[Calibration, AfterValidator(_in_range)] = UNFITTED
    """Temperature and thresholds, from the validation part of the run."""
    provenance: Provenance | None = None
    """None of what was never trained."""

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return round(self.clip_s * self.sample_rate)

    def without_places(self) -> "Description":
        """Leave out where on somebody's disk the sounds lie that the recipe names, since files are passed on."""
        about, changes = self.provenance, dict[str, Any]()
        if self.encoder.file is not None:
            changes["encoder"] = self.encoder.model_copy(update={"file": Path(self.encoder.file).name})
        if self.network.folder is not None:
            changes["network"] = self.network.model_copy(update={"folder": Path(self.network.folder).name})
        if about is None:
            return self.model_copy(update=changes)
        recipe = parse_recipe(about.transform).text(names_sounds=False)
        told = {"transform": recipe, "model": about.model.replace(about.transform, recipe)}
        return self.model_copy(update={**changes, "provenance": about.model_copy(update=told)})

    @model_validator(mode="after")
    def _check(self) -> "Description":
        if self.task not in TASKS:
            raise ValueError(f"there is no task {self.task[:80]!r}")
        if any(not label.strip() for label in self.classes):
            raise ValueError("a label is blank")
        label, n_times = Counter(self.classes).most_common(1)[0]
        if n_times > 1:
            raise ValueError(f"the label {label!r} is there {n_times} times")
        if foreign := sorted(self.calibration.thresholds.keys() - set(self.classes)):
            raise ValueError(f"there is a threshold for {foreign[0]!r}, which is no label")
        if self.background is not None and self.task == SINGLE_LABEL.name and self.background not in self.classes:
            raise ValueError(f"the background {self.background!r} is no label")
        n_fft, n_frames = self.front_end.n_fft, self.n_samples // self.front_end.hop_length + 1
        if n_fft * n_frames > MAX_WINDOW_CELLS or n_fft * self.front_end.n_mels > MAX_FILTER_CELLS:
            raise ValueError("the spectrogram of a clip takes more than 1 GiB to compute")
        return self
