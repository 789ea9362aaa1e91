"""Transforms made of transforms: one of several for each clip, or one after the other.

Each member draws from keys of its own, so that what one draws says nothing about another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int64, UInt64
from torch import Tensor

from cohear.keys import fold_in, uniform
from cohear.tensors import on_device
from cohear.transforms.contract import ClipFacts, Domain, Parameters, Transform
from cohear.transforms.per_clip import keep_tuples

C = TypeVar("C", bound="ChainParameters")


@dataclass(frozen=True, eq=False)
class ChainParameters(Parameters):
    """The parameters of each member, for all clips."""

    members: tuple[Parameters, ...]
    """In the order of the transforms."""

    def __len__(self) -> int:
        return len(self.members[0])

    def take(self, rows: np.ndarray | Sequence[int]) -> "ChainParameters":
        """Return the parameters of some clips, in the order given."""
        return type(self)(members=tuple(member.take(rows) for member in self.members))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists; each member carries the name of its kind."""
        return {"members": [{"kind": type(member).__name__, **member.to_json()} for member in self.members]}

    @classmethod
    def from_json(cls: type[C], data: dict[str, Any], **others: Any) -> C:
        """Read what `to_json` wrote.

        Args:
            data: from `to_json`.
            others: fields that were read already.

        Raises:
            ValueError: where a member is of a kind that is not known.
        """
        return cls(members=tuple(_member_from_json(dict(member)) for member in data["members"]), **others)

    def describe(self) -> list[str]:
        """Join what the members say: `pitch +1 semitones, room 137 (RT60 0.62 s)`."""
        return [", ".join(texts) for texts in zip(*(m.describe() for m in self.members), strict=True)]


@dataclass(frozen=True, eq=False)
class ChooseParameters(ChainParameters):
    """The parameters of each member, for all clips, and which member each clip gets."""

    choice: Int64[np.ndarray, " batch"]
    """Index of the member."""

    def take(self, rows: np.ndarray | Sequence[int]) -> "ChooseParameters":
        """Return the parameters of some clips, in the order given."""
        members = tuple(member.take(rows) for member in self.members)
        return type(self)(members=members, choice=self.choice[np.asarray(rows)])

    def to_json(self) -> dict[str, Any]:
        """Return plain lists; each member carries the name of its kind."""
        return {**super().to_json(), "choice": self.choice.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any], **others: Any) -> "ChooseParameters":
        """Read what `to_json` wrote."""
        return super().from_json(data, choice=np.asarray(data["choice"], np.int64), **others)

    def describe(self) -> list[str]:
        """Say of each clip what its member says."""
        texts = [member.describe() for member in self.members]
        return [texts[chosen][row] for row, chosen in enumerate(self.choice)]


def _member_from_json(data: dict[str, Any]) -> Parameters:
    kind = data.pop("kind")
    kinds = [Parameters]
    for known in kinds:  # grows while it is walked through: all kinds, however far derived
        kinds += known.__subclasses__()
    chosen = next((known for known in kinds if known.__name__ == kind), None)
    if chosen is None:
        raise ValueError(f"parameters of the unknown kind {kind!r}: give what to_json wrote, and import its transform")
    return chosen.from_json(data)


@dataclass(frozen=True)
class Chain(Transform[ChainParameters]):
    """Apply several transforms of one domain, one after the other."""

    transforms: tuple[Transform[Any], ...]
    """At least one; all work on waveforms or all on log-mels."""

    def __post_init__(self) -> None:
        keep_tuples(self, "transforms")
        _check_members(self.transforms)

    @property
    def domain(self) -> Domain:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the members."""
        return self.transforms[0].domain

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ChainParameters:
        """Draw the parameters of every member."""
        return ChainParameters(members=_draw_members(self.transforms, keys))

    def apply(self, batch: Tensor, parameters: ChainParameters) -> Tensor:
        """Apply each member to what the one before made."""
        return self.apply_to(batch, parameters, ClipFacts())

    def apply_to(self, batch: Tensor, parameters: ChainParameters, facts: ClipFacts) -> Tensor:
        """As `apply`; only the first member sees clean clips."""
        for transform, member in zip(self.transforms, parameters.members, strict=True):
            batch = transform.apply_to(batch, member, facts)
            facts = ClipFacts(lengths=facts.lengths)
        return batch


@dataclass(frozen=True)
class Choose(Transform[ChooseParameters]):
    """Apply to each clip one of several transforms of one domain."""

    transforms: tuple[Transform[Any], ...]
    """At least one; all work on waveforms or all on log-mels."""
    probabilities: tuple[float, ...] | None = None
    """One per transform, together 1; None is equal probabilities."""

    def __post_init__(self) -> None:
        keep_tuples(self, "transforms", *(("probabilities",) if self.probabilities is not None else ()))
        _check_members(self.transforms)
        p = self.probabilities
        if p is not None and (len(p) != len(self.transforms) or min(p) < 0 or abs(sum(p) - 1) > 1e-9):
            raise ValueError(
                f"probabilities {p} for {len(self.transforms)} transforms: give one per transform, none negative, "
                "that add up to 1"
            )

    @property
    def domain(self) -> Domain:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the members."""
        return self.transforms[0].domain

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ChooseParameters:
        """Choose a member per key, and draw the parameters of every member."""
        n = len(self.transforms)
        # Member i is chosen between the sums of the probabilities up to i - 1 and up to i.
        limits = np.cumsum(self.probabilities or [1 / n] * n)[:-1]
        choice = np.searchsorted(limits, uniform(keys, 1)[:, 0], side="right")
        return ChooseParameters(members=_draw_members(self.transforms, keys), choice=choice)

    def apply(self, batch: Tensor, parameters: ChooseParameters) -> Tensor:
        """Apply to each clip its member; a member computes the clips that chose it."""
        return self.apply_to(batch, parameters, ClipFacts())

    def apply_to(self, batch: Tensor, parameters: ChooseParameters, facts: ClipFacts) -> Tensor:
        """As `apply`; each member learns of its clips."""
        changed = torch.empty_like(batch)
        for index, (transform, member) in enumerate(zip(self.transforms, parameters.members, strict=True)):
            rows = np.flatnonzero(parameters.choice == index)
            if len(rows):
                places = on_device(rows, batch.device)
                changed.index_copy_(0, places, transform.apply_to(batch[places], member.take(rows), facts.take(rows)))
        return changed


def _check_members(transforms: Sequence[Transform[Any]]) -> None:
    domains = sorted({transform.domain for transform in transforms})
    if len(domains) != 1:
        raise ValueError(
            f"transforms of {' and '.join(domains) or 'no domain'}: give at least one transform, all of waveforms or "
            "all of log-mels"
        )


def _draw_members(transforms: Sequence[Transform[Any]], keys: UInt64[np.ndarray, " batch"]) -> tuple[Parameters, ...]:
    return tuple(transform.draw(fold_in(keys, i)) for i, transform in enumerate(transforms))
