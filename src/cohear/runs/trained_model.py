"""A trained model: what it is and its weights, read from a run's folder or from one packed file.

The packed file, `model.cohear`, is a safetensors file of the network's state; its header holds the description, the
model card and a checksum. Nothing in it is run, and it is read strictly: what is damaged, unknown or out of range is
refused in one sentence.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError

from cohear.errors import UserError
from cohear.metrics.accuracy import wilson_interval
from cohear.models import FrontEnd, NetworkWithHead
from cohear.runs.build import build_front_end, build_network
from cohear.runs.config import EVERY_CLIP, Config, DataConfig, setting_values
from cohear.runs.description import FORMAT, Description, Expectation, Provenance
from cohear.runs.run import Run, first_error
from cohear.runtime.files import read_plain
from cohear.runtime.sealed_tensors import seal, unseal
from cohear.training.weights import load_weights

PACKED_SUFFIX = ".cohear"
ENCODER_INSIDE = "encoder.onnx"
MAX_FILE_BYTES = 2**30
MAX_TEXT_BYTES, MAX_VALUES = 2**22, 100_000
"""Of a description, for which pydantic keeps an error for each wrong value."""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What a run or a packed file holds; a `ValueError` where its weights do not fit its description."""

    description: Description
    weights: Mapping[str, np.ndarray]
    """The state of the network and its head, by name."""
    card: str = ""
    """Markdown."""
    encoder: bytes | None = None
    """The ONNX file that hears, where it is inside; None: there is none, or it lies elsewhere."""

    def __post_init__(self) -> None:
        with torch.device("meta"):  # names and shapes alone: what does not fit takes no memory
            expected = build_network(self.config, len(self.description.classes)).state_dict()
        if differing := sorted(expected.keys() ^ self.weights.keys()):
            lack = "lack" if differing[0] in expected else "have an unknown"
            raise ValueError(f"its weights {lack} {differing[0][:80]!r}")
        for name, tensor in expected.items():
            array = self.weights[name]
            wanted = str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)
            if (array.dtype.name, array.shape) != wanted:
                raise ValueError(
                    f"its weight {name!r} is {array.dtype} {list(array.shape)}, and not {wanted[0]} {list(wanted[1])}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"its weight {name!r} is not finite")

    @property
    def config(self) -> Config:
        """The part of a configuration that hearing needs."""
        about = self.description
        data = DataConfig(
            sample_rate=about.sample_rate, clip_s=about.clip_s, short=about.short, background=about.background
        )
        return Config(data=data, front_end=about.front_end, encoder=about.encoder, network=about.network)

    def front_end(self) -> FrontEnd:
        """Make what hears for the network.

        Raises:
            UserError: where it cannot be made, or its encoder is missing or another.
        """
        if self.encoder is None:
            return build_front_end(self.config)
        from cohear.models.onnx_files import open_bytes

        return build_front_end(self.config, open_bytes(self.encoder, self.description.encoder.file or "encoder"))

    def settings(self) -> dict[str, Any]:
        """Return the settings by which it hears, and those of its network, by dotted name."""
        about = self.description
        parts = {name: getattr(about, name).model_dump() for name in ("front_end", "encoder", "network")}
        named = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        elsewhere = {"encoder.file", "encoder.license", "encoder.n_views", "network.folder", "network.trained_blocks"}
        how = {name: value for name, value in named.items() if name not in elsewhere}
        return {"data.sample_rate": about.sample_rate, **how}

    def places(self) -> dict[str, str]:
        """Return where its encoder lies, where it has one, and whence its pretrained weights came.

        Raises:
            UserError: where that is inside.
        """
        file = self.description.encoder.file
        if file is not None and self.encoder is not None:
            raise UserError(f"the encoder '{file}' is inside the packed model; give its file by --encoder, too")
        found = {"encoder.file": file, "network.folder": self.description.network.folder}
        return {name: place for name, place in found.items() if place is not None}

    def hash(self) -> str:
        """Identify weights and classes, wherever they lie; hexadecimal."""
        digest = hashlib.blake2b("\n".join(self.description.classes).encode(), digest_size=16)
        for name, array in sorted(self.weights.items()):
            digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()

    def heard_test_clips(self, config: Config, data_fingerprint: str) -> str | None:
        """Say where a run that begins with these weights may be tested on clips that they have heard.

        Args:
            config: of the run.
            data_fingerprint: of its data.
        """
        of = self.description.provenance
        if of is None or config.fold == EVERY_CLIP:
            return None
        is_same_split = (of.data_fingerprint, of.fold) == (data_fingerprint, config.fold)
        if is_same_split and of.initial_weights is None:
            return None
        clips = f"the test clips of fold {config.fold}"
        if of.data_fingerprint != data_fingerprint:
            clips = f"clips of '{of.dataset}', maybe also some that are tested now"
        elif is_same_split:
            clips = "clips by which the weights that they began with themselves were found, maybe also of this test"
        return (
            f"the weights that training began with were trained on {clips}: if so, the accuracy is too good to be true."
        )

    def check_fits(self, config: Config) -> None:
        """Refuse to begin with these weights where they are of another network, or heard another front end.

        Raises:
            UserError: naming the setting.
        """
        now = setting_values(config)
        for name, value in self.settings().items():
            if now[name] != value:
                raise UserError(
                    f"'{config.training.initial_run}' has {name}={value}, and {now[name]} was chosen now; its weights "
                    "are of no use so, leave that setting to it"
                )

    def begin(self, network: NetworkWithHead, classes: tuple[str, ...]) -> None:
        """Give a network these weights to begin with; of the head, classes that they do not know keep the drawn ones.

        Args:
            network: of a run that they fit.
            classes: of the run.
        """
        theirs = {label: row for row, label in enumerate(self.description.classes)}
        taken = [row for row, label in enumerate(classes) if label in theirs]
        state = network.state_dict()
        for name, array in self.weights.items():
            tensor = torch.from_numpy(array)
            if name.startswith("head."):
                state[name][taken] = tensor[[theirs[classes[row]] for row in taken]]
            else:
                state[name].copy_(tensor)

    def build(self) -> NetworkWithHead:
        """Make the network, in eval mode on the CPU."""
        network = build_network(self.config, len(self.description.classes))
        network.load_state_dict({name: torch.from_numpy(array) for name, array in self.weights.items()})
        return network.eval()

    def to_bytes(self) -> bytes:
        """Return the packed file; equal models give equal bytes."""
        inside = {} if self.encoder is None else {ENCODER_INSIDE: np.frombuffer(self.encoder, np.uint8)}
        about = {"description": self.description.model_dump(mode="json"), "card": self.card}
        return seal({**self.weights, **inside}, about)


def read_model(path: Path) -> TrainedModel:
    """Read a finished run's folder or a packed file, whatever its name.

    Raises:
        UserError: where it is neither, or cannot be used.
    """
    is_packed = path.is_file() or (path.suffix == PACKED_SUFFIX and not path.is_dir())
    return read_packed(path) if is_packed else read_run(Run(path))


def hearing_of(initial: str | None) -> Literal["an encoder", "a pretrained network"] | None:
    """Return by what pretrained part a model hears with which training is to begin; None: by none, or nobody knows."""
    if initial is None:
        return None
    try:
        about = read_model(Path(initial).expanduser()).description
    except UserError:  # told where it is used
        return None
    if about.encoder.file is not None:
        return "an encoder"
    return None if about.network.folder is None else "a pretrained network"


def read_packed(path: Path) -> TrainedModel:
    """Read a packed file.

    Raises:
        UserError: where there is none, or it cannot be used.
    """
    try:
        data = read_plain(path, MAX_FILE_BYTES)
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be read ({error.strerror or error}); give a file that `cohear pack` made"
        ) from error
    model = parse_packed(data, path)
    return model if model.encoder is not None else _with_encoder_in(model, path.parent)


def _with_encoder_in(model: TrainedModel, folder: Path) -> TrainedModel:
    """Return a model that looks for its encoder in a folder, by its name; one that has none stays as it is."""
    about = model.description
    if about.encoder.file is None:
        return model
    there = about.encoder.model_copy(update={"file": str(folder / Path(about.encoder.file).name)})
    return replace(model, description=about.model_copy(update={"encoder": there}))


def parse_packed(data: bytes, path: str | Path) -> TrainedModel:
    """Read the bytes of a packed file.

    Args:
        data: the whole file.
        path: what messages call it.

    Raises:
        UserError: where they are damaged, incomplete, of another format, or of something else.
    """
    try:
        weights, values = unseal(data)
        about, card = values["description"], values["card"]
        text = json.dumps(about)
        if about["format"] > FORMAT:
            raise ValueError("a newer cohear packed it")
        if max(len(text), len(card)) > MAX_TEXT_BYTES or text.count(",") > MAX_VALUES:
            raise ValueError("its description is too long")
        inside = weights.pop(ENCODER_INSIDE, None)
        encoder = None if inside is None else inside.tobytes()
        return TrainedModel(Description.model_validate_json(text, strict=True), weights, card, encoder)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"'{path}' is no packed model that can be used ({_reason(error)}); copy it again, or make it anew by "
            "`cohear pack`"
        ) from error


def read_run(run: Run) -> TrainedModel:
    """Read a finished run: what it is, its numbers, its weights, and its calibration where there is one.

    Raises:
        UserError: where it is not finished, or a file of it is damaged.
    """
    _ = run.record, run.metrics
    weights = {name: tensor.contiguous().numpy() for name, tensor in load_network(run).state_dict().items()}
    try:
        model = TrainedModel(_describe(run), weights)
        file = model.description.encoder.file
        return model if file is None or Path(file).exists() else _with_encoder_in(model, run.folder)
    except (ValueError, KeyError, TypeError) as error:  # numbers of `metrics.json` that are none
        if isinstance(error, UserError):
            raise
        raise UserError(f"the run '{run.folder}' cannot be used ({_reason(error)}); train it again") from error


def load_network(run: Run) -> NetworkWithHead:
    """Rebuild a run's network, in eval mode on the CPU.

    Raises:
        UserError: where the folder is no run, or its weights are missing, damaged or of another network.
    """
    network = build_network(run.record.config, len(run.record.classes))
    load_weights(run.weights_path, network)
    return network.eval()


def _describe(run: Run) -> Description:
    record, metrics = run.record, run.metrics
    config = record.config
    accuracy, n_clips, expected = metrics["accuracy"], metrics["n_clips"], metrics.get("expected")
    provenance = Provenance(
        dataset=record.dataset,
        data_fingerprint=record.data_fingerprint,
        model=record.model,
        method=config.method,
        transform=config.views.transform,
        preset=config.preset,
        fold=config.fold,
        seed=config.seed,
        epochs=config.training.epochs,
        kept_epoch=metrics.get("kept_epoch"),
        precision=config.training.precision,
        initial_weights=record.contents.get("training.initial_run") or record.contents.get("network.folder"),
        identity=record.identity,
        n_train_clips=metrics.get("n_train_clips"),
        n_test_clips=n_clips,
        accuracy=accuracy,
        accuracy_interval=None if accuracy is None else wilson_interval(round(accuracy * n_clips), n_clips),
        nll=metrics.get("nll"),
        jsd=metrics["jsd"],
        false_alarms_per_hour=metrics.get("false_alarms_per_hour"),
        expected=None if expected is None else Expectation(**expected),
        warnings=tuple(metrics.get("warnings", ())),
        versions=_versions(run),
    )
    return Description(
        classes=record.classes,
        sample_rate=config.data.sample_rate,
        clip_s=record.clip_s,
        short=config.data.short,
        front_end=config.front_end,
        encoder=config.encoder,
        network=config.network,
        task=record.task,
        background=config.data.background,
        calibration=run.calibration,
        provenance=provenance,
    )


def _versions(run: Run) -> dict[str, str]:
    """Return the versions that it was made with; without the file that says so it can be used all the same."""
    if not (run.folder / "environment.json").exists():
        return {}
    environment = run.environment
    return {"python": environment["python"], **environment["packages"]}


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"its description is wrong: {first_error(error)}"
    return str(error) if isinstance(error, ValueError) else f"it lacks {error}"
