"""Random rectangular rooms, each with a source and a microphone: what every bank of rooms is computed for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt64
from torch import Tensor

from cohear import keys


@dataclass(frozen=True, eq=False)
class Shoeboxes:
    """Rooms with one corner at the origin; the absorption of all walls is the same."""

    sizes: Float[Tensor, "room 3"]
    """Length, width and height, meters."""
    sources: Float[Tensor, "room 3"]
    """Where the sound comes from, meters."""
    microphones: Float[Tensor, "room 3"]
    """Where it is heard, meters."""
    tilts: Float[Tensor, " room"]
    """How much faster high frequencies decay than low ones, 0 to 0.3: the exponent of frequency."""

    @cached_property
    def distances(self) -> Float[Tensor, " room"]:
        """From source to microphone, meters."""
        return (self.sources - self.microphones).norm(dim=1)

    @cached_property
    def volumes(self) -> Float[Tensor, " room"]:
        """Cubic meters."""
        return self.sizes.prod(dim=1)

    @cached_property
    def surfaces(self) -> Float[Tensor, " room"]:
        """Of all six walls, square meters."""
        return 2 * self.volumes * (1 / self.sizes).sum(dim=1)

    def absorptions(self, rt60_s: Float[Tensor, " room"]) -> Float[Tensor, " room"]:
        """Return the share of energy that the walls absorb where the reverberation time is `rt60_s` (Eyring)."""
        return 1 - torch.exp(-0.161 * self.volumes / (self.surfaces * rt60_s))


def shoebox_keys(n: int, seed: int) -> UInt64[np.ndarray, " {n}"]:
    """Make the keys of the first `n` rooms under a seed: room i is the same whatever `n` is."""
    return keys.fold_in(keys.key(seed, "rooms"), np.arange(n))


def shoeboxes(room_keys: UInt64[np.ndarray, " room"]) -> Shoeboxes:
    """Draw a room per key.

    Dimensions from 3 x 3 x 2.4 m to 10 x 8 x 4 m; source and microphone stand at least 0.5 m from the walls and 0.6 m
    from each other.

    Args:
        room_keys: from `shoebox_keys`. The first number of a key is the room's reverberation time (`room_targets`),
            the next ten are the room.
    """
    u = torch.from_numpy(keys.uniform(room_keys, 11)[:, 1:]).float()
    smallest, ranges = torch.tensor([[3.0, 3.0, 2.4], [7.0, 5.0, 1.6]], dtype=torch.float32)  # m
    sizes = smallest + u[:, :3] * ranges
    # The source in one part of the room, the microphone in the other, apart by a fifth of its length.
    nearest, span = torch.full_like(sizes, 0.5), sizes - 1.0
    span[:, 0] = 0.4 * sizes[:, 0] - 0.5
    sources = nearest + u[:, 3:6] * span
    microphones = nearest + u[:, 6:9] * span
    microphones[:, 0] = sizes[:, 0] - microphones[:, 0]
    return Shoeboxes(sizes, sources, microphones, 0.3 * u[:, 9])
