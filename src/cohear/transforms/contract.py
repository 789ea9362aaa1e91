"""The contract of a transform: draw parameters from keys, apply them without chance.

A transform is a frozen dataclass whose fields are its configuration. `draw(keys)` returns a small frozen record with
one row per clip, on the host; `apply(batch, parameters)` is deterministic. So parameters can be logged, replayed and
shown, and the same key gives the same view in any batch, process or device.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt64
from torch import Tensor

from cohear import keys

Domain = Literal["waveform", "log_mel"]
P = TypeVar("P", bound="Parameters")


@dataclass(frozen=True, eq=False)
class Parameters(ABC):
    """What was drawn: numpy arrays whose first axis is the clip."""

    def __len__(self) -> int:
        return len(getattr(self, dataclasses.fields(self)[0].name))

    def take(self: P, rows: np.ndarray | Sequence[int]) -> P:
        """Return the parameters of some clips, in the order given."""
        return type(self)(**{f.name: getattr(self, f.name)[np.asarray(rows)] for f in dataclasses.fields(self)})

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, exact: `from_json(to_json())` gives equal parameters. NaN, no number in JSON, is null."""
        return {f.name: _to_lists(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls: type[P], data: dict[str, Any]) -> P:
        """Read what `to_json` wrote."""
        kinds = {f.name: f.type for f in dataclasses.fields(cls)}
        return cls(**{name: _from_lists(values, kinds[name]) for name, values in data.items()})

    @abstractmethod
    def describe(self) -> list[str]:
        """Say for each clip what will be done to it, as `pitch +1.5 semitones`."""


@dataclass(frozen=True, eq=False)
class ClipFacts:
    """What is known of the clips of a batch beside their samples, one entry per clip; None is not known."""

    rows: Int64[np.ndarray, " batch"] | None = None
    """Which clip of the data set each is, while it is still the clean clip."""
    lengths: Int64[np.ndarray, " batch"] | None = None
    """Samples or frames, as the domain says, that are sound; what follows is padding."""

    def take(self, places: np.ndarray) -> "ClipFacts":
        """Return the facts of some clips, in the order given."""
        return ClipFacts(*(None if facts is None else facts[places] for facts in (self.rows, self.lengths)))


@dataclass(frozen=True)
class Transform(ABC, Generic[P]):
    """One random change of a signal that keeps its label."""

    domain: ClassVar[Domain]
    """What `apply` works on: waveforms `[B, T]` or log-mel spectrograms `[B, M, L]`."""

    @abstractmethod
    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> P:
        """Draw the parameters of one view per key, on the host."""

    @abstractmethod
    def apply(self, batch: Tensor, parameters: P) -> Tensor:
        """Return the changed batch, same shape, dtype and device; the input is not modified."""

    def apply_to(self, batch: Tensor, parameters: P, facts: ClipFacts) -> Tensor:
        """Apply to clips of which more is known than their samples; most transforms do not care."""
        del facts
        return self.apply(batch, parameters)

    def __call__(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw and apply, for training loops without keys.

        Args:
            batch: waveforms `[B, T]` or log-mels `[B, M, L]`, as `domain` says.
            generator: gives the one random seed from which all keys are made; None is torch's default generator.
        """
        return self.apply(batch, self.draw(keys_from_generator(len(batch), generator)))


def _to_lists(array: np.ndarray) -> list[Any]:
    if array.dtype.kind != "f":
        return array.tolist()
    numbers = array.astype(object)
    numbers[np.isnan(array)] = None
    return numbers.tolist()


def _from_lists(values: Any, kind: Any) -> np.ndarray:
    """Make the array that a field's annotation asks for; lists without an entry know neither type nor axes."""
    dtypes = getattr(kind, "dtypes", ())
    if getattr(kind, "dtype", None) is Float:
        array = np.asarray(values, np.float64)  # null becomes NaN
    elif isinstance(dtypes, tuple) and len(dtypes) == 1:
        array = np.asarray(values, dtypes[0])
    else:
        array = np.asarray(values)
        if getattr(kind, "dtype", None) is Shaped and not array.size:
            array = array.astype(str)
    return array.reshape(array.shape + (0,) * (len(getattr(kind, "dims", ())) - array.ndim))


def keys_from_generator(n: int, generator: torch.Generator | None = None) -> UInt64[np.ndarray, " {n}"]:
    """Make `n` keys from one number of a torch generator."""
    device = "cpu" if generator is None else generator.device
    seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=device).item()
    return keys.fold_in(keys.key(int(seed), "views"), np.arange(n))
