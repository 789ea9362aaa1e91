"""Transforms made of transforms: one of several for each clip, or one after the other.

Each member draws from keys of its own, so that what one draws says nothing about another.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int64, UInt64
from torch import Tensor

from cohear.keys import fold_in, uniform
from cohear.tensors import on_device
from cohear.transforms.contract import ClipFacts, Domain, Parameters, Transform

C = TypeVar("C", bound="ChainParameters")


@dataclass(frozen=True, eq=False)
class ChainParameters(Parameters):
    """The parameters of each member, for all clips."""

    members: tuple[Parameters, ...]
    """In the order of the transforms."""

    def __len__(self) -> int:
        return len(self.members[0])

    def describe(self) -> list[str]:
        """Join what the members say: `pitch +1 semitones, room 137 (RT60 0.62 s)`."""
        return [", ".join(texts) for texts in zip(*(m.describe() for m in self.members), strict=True)]


@dataclass(frozen=True, eq=False)
class ChooseParameters(ChainParameters):
    """The parameters of each member, for all clips, and which member each clip gets."""

    choice: Int64[np.ndarray, " batch"]
    """Index of the member."""

    def describe(self) -> list[str]:
        """Say of each clip what its member says."""
        texts = [member.describe() for member in self.members]
        return [texts[chosen][row] for row, chosen in enumerate(self.choice)]


@dataclass(frozen=True)
class _Several(Transform[C]):
    """Transforms that draw each from keys of its own."""

    transforms: tuple[Transform[Any], ...]
    """At least one. Those of log-mels work behind the front end, those of waveforms before it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.transforms:
            raise ValueError("no transform: give at least one")

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Those of the members."""
        of_members = {domain for transform in self.transforms for domain in transform.domains}
        return tuple(domain for domain in ("waveform", "log_mel") if domain in of_members)

    @property
    def domain(self) -> Domain:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the members, where it is one.

        Raises:
            ValueError: where they work on waveforms and on log-mels.
        """
        if len(self.domains) != 1:
            raise ValueError("some transforms of waveforms and some of log-mels: make views of them with a ViewMaker")
        return self.domains[0]

    def content_hash(self) -> str | None:
        """Identify the sounds that the members were given, in their order."""
        hashes = [transform.content_hash() for transform in self.transforms]
        return hashlib.blake2b(repr(hashes).encode(), digest_size=16).hexdigest() if any(hashes) else None

    def apply(self, batch: Tensor, parameters: C) -> Tensor:
        """Apply what was drawn."""
        return self.apply_in(self.domain, batch, parameters, ClipFacts())

    def _draw_members(self, keys: UInt64[np.ndarray, " batch"]) -> tuple[Parameters, ...]:
        return tuple(transform.draw(fold_in(keys, i)) for i, transform in enumerate(self.transforms))


@dataclass(frozen=True)
class Chain(_Several[ChainParameters]):
    """Apply several transforms one after the other, those of waveforms before those of log-mels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for first, then in pairwise(self.transforms):
            if "log_mel" in first.domains and "waveform" in then.domains:
                order = f"{type(first).__name__} of log-mels before {type(then).__name__} of waveforms"
                raise ValueError(f"{order}: give transforms of waveforms first")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ChainParameters:
        """Draw the parameters of every member."""
        return ChainParameters(members=self._draw_members(keys))

    def apply_in(self, domain: Domain, batch: Tensor, parameters: ChainParameters, facts: ClipFacts) -> Tensor:
        """Apply each member of a domain to what the one before made."""
        for transform, member in zip(self.transforms, parameters.members, strict=True):
            batch = transform.apply_in(domain, batch, member, facts)
        return batch

    @property
    def variants(self) -> tuple[str, ...]:
        """Name those of the one member that works on waveforms; of several there are too many."""
        return self._of_waveforms[0].variants if len(self._of_waveforms) == 1 else super().variants

    def variants_of(self, parameters: ChainParameters) -> list[str | None]:
        """Say which variant that member drew."""
        if len(self._of_waveforms) != 1:
            return super().variants_of(parameters)
        (only,) = self._of_waveforms
        return only.variants_of(parameters.members[self.transforms.index(only)])

    @property
    def _of_waveforms(self) -> tuple[Transform[Any], ...]:
        return tuple(transform for transform in self.transforms if "waveform" in transform.domains)


@dataclass(frozen=True)
class Choose(_Several[ChooseParameters]):
    """Apply to each clip one of several transforms; the choice holds in both domains."""

    probabilities: tuple[float, ...] | None = None
    """One per transform, together 1; None is equal probabilities."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.probabilities is None:
            return
        p = self.probabilities
        if len(p) != len(self.transforms) or min(p) < 0 or abs(sum(p) - 1) > 1e-9:
            allowed = "one per transform, none negative, that add up to 1"
            raise ValueError(f"probabilities {p} for {len(self.transforms)} transforms: give {allowed}")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> ChooseParameters:
        """Choose a member per key, and draw the parameters of every member."""
        n = len(self.transforms)
        # Member i is chosen between the sums of the probabilities up to i - 1 and up to i.
        limits = np.cumsum(self.probabilities or [1 / n] * n)[:-1]
        choice = np.searchsorted(limits, uniform(keys, 1)[:, 0], side="right")
        return ChooseParameters(members=self._draw_members(keys), choice=choice)

    def apply_in(self, domain: Domain, batch: Tensor, parameters: ChooseParameters, facts: ClipFacts) -> Tensor:
        """Apply to each clip its member; a member computes the clips that chose it."""
        changed = torch.empty_like(batch)
        for index, (transform, member) in enumerate(zip(self.transforms, parameters.members, strict=True)):
            rows = np.flatnonzero(parameters.choice == index)
            if len(rows):
                places = on_device(rows, batch.device)
                made = transform.apply_in(domain, batch[places], member.take(rows), facts.take(rows))
                changed.index_copy_(0, places, made)
        return changed

    @property
    def variants(self) -> tuple[str, ...]:
        """Name those of all members."""
        return tuple(dict.fromkeys(name for transform in self.transforms for name in transform.variants))

    def variants_of(self, parameters: ChooseParameters) -> list[str | None]:
        """Say which variant the chosen member drew."""
        of_members = [t.variants_of(m) for t, m in zip(self.transforms, parameters.members, strict=True)]
        return [of_members[chosen][row] for row, chosen in enumerate(parameters.choice)]
