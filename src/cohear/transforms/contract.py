"""The contract of a transform: draw parameters from keys, apply them without chance.

A transform is a frozen dataclass whose fields are its configuration. `draw(keys)` returns a small frozen record with
one row per clip, on the host; `apply(batch, parameters)` is deterministic. So parameters can be logged, replayed and
shown, and the same key gives the same view in any batch, process or device.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_origin

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped, UInt64
from torch import Tensor

from cohear import keys
from cohear.keys import uniform
from cohear.tensors import Waveforms, on_device

Domain = Literal["waveform", "log_mel"]
P = TypeVar("P", bound="Parameters")


@dataclass(frozen=True, eq=False)
class Parameters(ABC):
    """What was drawn: numpy arrays whose first axis is the clip."""

    def __len__(self) -> int:
        return len(getattr(self, dataclasses.fields(self)[0].name))

    def take(self: P, rows: np.ndarray | Sequence[int]) -> P:
        """Return the parameters of some clips, in the order given."""
        rows = np.asarray(rows)
        values = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        return type(self)(**{n: tuple(m.take(rows) for m in v) if isinstance(v, tuple) else v[rows] for n, v in values})

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, exact: `from_json(to_json())` gives equal parameters.

        NaN, no number in JSON, is null. Keys are hexadecimal, since many readers round numbers above 2**53. Members of
        several transforms carry the name of their kind.
        """
        return {f.name: _to_plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls: type[P], data: dict[str, Any]) -> P:
        """Read what `to_json` wrote.

        Raises:
            ValueError: where a member is of a kind that is not known.
        """
        return cls(**{f.name: _from_plain(data[f.name], f.type) for f in dataclasses.fields(cls)})

    @abstractmethod
    def describe(self) -> list[str]:
        """Say for each clip what will be done to it, as `pitch +1.5 semitones`."""


@dataclass(frozen=True, eq=False)
class ClipFacts:
    """What is known of the clips of a batch beside their samples, one entry per clip; None is not known."""

    rows: Int64[np.ndarray, " batch"] | None = None
    """Which clip of the data set each is."""
    lengths: Int64[np.ndarray, " batch"] | None = None
    """Samples or frames, as the domain says, that are sound; what follows is padding."""

    def take(self, places: np.ndarray) -> "ClipFacts":
        """Return the facts of some clips, in the order given."""
        return ClipFacts(*(None if facts is None else facts[places] for facts in (self.rows, self.lengths)))


@dataclass(frozen=True)
class Transform(ABC, Generic[P]):
    """One random change of a signal that keeps its label."""

    domain: ClassVar[Domain] = "waveform"
    """What `apply` works on: waveforms `[B, T]` or log-mel spectrograms `[B, M, L]`."""

    def __post_init__(self) -> None:
        """Turn lists into tuples, so that the transform has a hash."""
        for field in dataclasses.fields(self):
            if isinstance(value := getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(value))

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Where the transform changes something, waveforms first; transforms made of transforms may have both."""
        return (self.domain,)

    @abstractmethod
    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> P:
        """Draw the parameters of one view per key, on the host."""

    @abstractmethod
    def apply(self, batch: Tensor, parameters: P) -> Tensor:
        """Return the changed batch, same shape, dtype and device; the input is not modified."""

    def apply_in(self, domain: Domain, batch: Tensor, parameters: P, facts: ClipFacts) -> Tensor:
        """Apply the part that works on one domain: waveforms before the front end, log-mels behind it.

        Of the clips more is known here than their samples; most transforms do not care.
        """
        del facts
        return self.apply(batch, parameters) if domain in self.domains else batch

    @property
    def variants(self) -> tuple[str, ...]:
        """Name all that may become of a clip's waveform, where that is one of few things; "" is the waveform itself."""
        return ("",) if "waveform" not in self.domains else ()

    def variants_of(self, parameters: P) -> list[str | None]:
        """Say for each clip which of the `variants` was drawn; None where it is none of them and must be made anew."""
        return ["" if "waveform" not in self.domains else None] * len(parameters)

    def content_hash(self) -> str | None:
        """Identify the sounds that the transform was given, such as a bank of rooms; None where it has none."""
        return None

    def __call__(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw and apply, for training loops without keys.

        Args:
            batch: waveforms `[T]`, `[B, T]` or `[B, 1, T]`, or log-mels `[M, L]`, `[B, M, L]` or `[B, 1, M, L]`, as
                `domain` says.
            generator: gives the one random seed from which all keys are made; None is torch's default generator.

        Returns:
            The changed batch, in the shape that was given.

        Raises:
            ValueError: for another shape, as that of several channels.
        """
        n_axes = 1 if self.domain == "waveform" else 2
        n_leading = batch.ndim - n_axes
        if not 0 <= n_leading <= 2 or (n_leading == 2 and batch.shape[1] != 1):
            shapes = "[T], [B, T] or [B, 1, T]" if n_axes == 1 else "[M, L], [B, M, L] or [B, 1, M, L]"
            raise ValueError(f"{self.domain}s of shape {tuple(batch.shape)}: give {shapes}")
        flat = batch[None] if n_leading == 0 else batch.reshape(len(batch), *batch.shape[-n_axes:])
        return self.apply(flat, self.draw(keys_from_generator(len(flat), generator))).reshape(batch.shape)


_DTYPES: dict[Any, Any] = {Float: np.float64, Int64: np.int64, UInt64: np.uint64, Bool: np.bool_, Shaped: np.str_}


def _to_plain(values: Any) -> list[Any]:
    if isinstance(values, tuple):
        return [{"kind": type(member).__name__, **member.to_json()} for member in values]
    if values.dtype == np.uint64:
        return [f"{key:016x}" for key in values.tolist()]
    if values.dtype.kind != "f":
        return values.tolist()
    numbers = values.astype(object)
    numbers[np.isnan(values)] = None
    return numbers.tolist()


def _from_plain(values: Any, kind: Any) -> Any:
    """Make what a field's annotation asks for; lists without an entry know neither type nor axes."""
    if get_origin(kind) is tuple:
        return tuple(_kind_of_parameters(member["kind"]).from_json(member) for member in values)
    dtype = _DTYPES.get(getattr(kind, "dtype", None))  # of other annotations the lists must tell
    array = np.array([int(key, 16) for key in values] if dtype is np.uint64 else values, dtype)
    return array.reshape(array.shape + (0,) * (len(getattr(kind, "dims", ())) - array.ndim))


def _kind_of_parameters(name: str) -> type[Parameters]:
    kinds = [Parameters]
    for known in kinds:  # grows while it is walked through: all kinds, however far derived
        if known.__name__ == name:
            return known
        kinds += known.__subclasses__()
    raise ValueError(f"parameters of the unknown kind {name!r}: give what to_json wrote, and import its transform")


def keys_from_generator(n: int, generator: torch.Generator | None = None) -> UInt64[np.ndarray, " {n}"]:
    """Make `n` keys from one number of a torch generator."""
    device = "cpu" if generator is None else generator.device
    seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=device).item()
    return keys.fold_in(keys.key(int(seed), "views"), np.arange(n))


def check_range(name: str, limits: tuple[float, float], unit: str) -> None:
    """Refuse limits that are not finite or in the wrong order.

    Raises:
        ValueError: that names what the limits are of, and its unit.
    """
    low, high = limits
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"{name} from {low:g} to {high:g} {unit}: give two finite numbers, the smaller one first")


def draw_between(keys: UInt64[np.ndarray, " batch"], limits: tuple[float, float]) -> Float[np.ndarray, " batch"]:
    """Draw one number per key, uniform from the lower limit to the upper."""
    low, high = limits
    return low + (high - low) * uniform(keys, 1)[:, 0]


def check_sample_rate(sample_rate: int, sounds_rate: int | None = None) -> None:
    """Refuse a rate that is not positive, or other than that of sounds that the transform was given.

    Raises:
        ValueError: that names the rates, Hz.
    """
    if sample_rate <= 0:
        raise ValueError(f"a sample rate of {sample_rate} Hz: give a positive number")
    if sounds_rate not in (None, sample_rate):
        raise ValueError(f"sounds of {sounds_rate} Hz for clips of {sample_rate} Hz: give sounds of the clips' rate")


def check_batch(batch: Waveforms, n_rows: int) -> None:
    """Refuse what is not a batch of waveforms with one row of parameters, or one response, each.

    Raises:
        ValueError: if the shapes do not fit, there is no sample, or the samples are integers.
    """
    if batch.ndim != 2 or not batch.shape[1] or len(batch) != n_rows:
        given = f"waveforms of shape {tuple(batch.shape)} with parameters of {n_rows} clips"
        raise ValueError(f"{given}: give waveforms [B, T] with T at least 1, and one row of parameters per clip")
    if not batch.is_floating_point():
        raise ValueError(f"waveforms of {batch.dtype}: give floating-point samples in [-1, 1]")


def exact(batch: Waveforms, parameters: Parameters) -> Waveforms:
    """Check a batch and return it in float32 or wider, so that half precision is rounded only once, at the end."""
    check_batch(batch, len(parameters))
    return batch.to(torch.promote_types(batch.dtype, torch.float32))


def beside(numbers: Float[np.ndarray, " batch"], samples: Waveforms) -> Float[Tensor, "batch 1"]:
    """Lay numbers beside the samples of their clips: same device and precision, one row per clip."""
    return on_device(numbers, samples.device, samples.dtype)[:, None]


def factors(level_db: Float[np.ndarray, " batch"], samples: Waveforms) -> Float[Tensor, "batch 1"]:
    """Lay beside the samples of clips the factors that change their levels by so many dB.

    Example:
        >>> factors(np.array([0.0, -20.0]), torch.zeros(2, 5)).tolist()
        [[1.0], [0.10000000149011612]]
    """
    return beside(10.0 ** (level_db / 20.0), samples)
