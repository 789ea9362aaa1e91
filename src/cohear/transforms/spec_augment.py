"""SpecAugment: bands and frames of a log-mel spectrogram hidden, in number, width and place of each clip's own.

Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition", Interspeech 2019,
without its time warping. What is hidden takes the mean of the clip, since 0 dB would be loud, and the mean of a batch
would tell about its neighbors.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt64

from cohear.keys import uniform
from cohear.tensors import LogMels
from cohear.transforms.contract import Domain, Parameters, Transform


@dataclass(frozen=True, eq=False)
class SpecAugmentParameters(Parameters):
    """Masks as fractions, so that they do not depend on the size of the spectrogram.

    A width is a fraction of the greatest width allowed, a start one of the room that the width leaves. Of each row
    only as many masks are used as the clip has.
    """

    n_band_masks: Int64[np.ndarray, " batch"]
    """Number of masks over mel bands."""
    n_frame_masks: Int64[np.ndarray, " batch"]
    """Number of masks over frames."""
    band_widths: Float[np.ndarray, "batch band_mask"]
    """In [0, 1)."""
    band_starts: Float[np.ndarray, "batch band_mask"]
    """In [0, 1)."""
    frame_widths: Float[np.ndarray, "batch frame_mask"]
    """In [0, 1)."""
    frame_starts: Float[np.ndarray, "batch frame_mask"]
    """In [0, 1)."""

    def describe(self) -> list[str]:
        """Say `2 band masks, 1 frame mask`."""
        return [
            f"{bands} band mask{'' if bands == 1 else 's'}, {frames} frame mask{'' if frames == 1 else 's'}"
            for bands, frames in zip(self.n_band_masks, self.n_frame_masks, strict=True)
        ]


@dataclass(frozen=True)
class SpecAugment(Transform[SpecAugmentParameters]):
    """Hide bands and frames of each spectrogram; number, width and place of the masks are random and uniform."""

    domain: ClassVar[Domain] = "log_mel"

    n_band_masks: tuple[int, int] = (1, 2)
    """Least and greatest number of masks over mel bands."""
    n_frame_masks: tuple[int, int] = (1, 2)
    """Least and greatest number of masks over frames."""
    max_band_share: float = 0.2
    """Greatest width of a mask over mel bands, share of all bands, in [0, 1]."""
    max_frame_share: float = 0.2
    """Greatest width of a mask over frames, share of all frames, in [0, 1]."""
    fill: Literal["mean"] | float = "mean"
    """What is hidden becomes the mean of its clip, or this number, dB."""

    def __post_init__(self) -> None:
        for name, (least, greatest) in (("band", self.n_band_masks), ("frame", self.n_frame_masks)):
            if not 0 <= least <= greatest:
                raise ValueError(f"from {least} to {greatest} {name} masks: give 0 <= least <= greatest")
        for name, share in (("band", self.max_band_share), ("frame", self.max_frame_share)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} masks of up to {share:g} of the whole: give a share from 0 to 1")
        if isinstance(self.fill, str) and self.fill != "mean":
            raise ValueError(f"fill {self.fill!r}: give 'mean' or a number of dB")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> SpecAugmentParameters:
        """Draw numbers, widths and starts per key."""
        n_bands, n_frames = self.n_band_masks[1], self.n_frame_masks[1]
        u = uniform(keys, 2 + 2 * n_bands + 2 * n_frames)
        numbers, *masks = np.split(u, 2 + np.cumsum([0, n_bands, n_bands, n_frames]), axis=1)
        return SpecAugmentParameters(
            _integer_between(self.n_band_masks, numbers[:, 0]),
            _integer_between(self.n_frame_masks, numbers[:, 1]),
            *masks,
        )

    def apply(self, batch: LogMels, parameters: SpecAugmentParameters) -> LogMels:
        """Hide what the parameters say."""
        if batch.ndim != 3 or len(batch) != len(parameters):
            raise ValueError(
                f"log-mels of shape {tuple(batch.shape)} with parameters of {len(parameters)} clips: give log-mels "
                "[B, M, L] and one row of parameters per clip"
            )
        p = parameters
        bands = _hidden(batch.shape[1], self.max_band_share, p.n_band_masks, p.band_widths, p.band_starts)
        frames = _hidden(batch.shape[2], self.max_frame_share, p.n_frame_masks, p.frame_widths, p.frame_starts)
        hidden = (
            torch.from_numpy(bands).to(batch.device)[:, :, None] | torch.from_numpy(frames).to(batch.device)[:, None, :]
        )
        if self.fill != "mean":
            return batch.masked_fill(hidden, self.fill)
        exact = torch.promote_types(batch.dtype, torch.float32)
        return torch.where(hidden, batch.mean(dim=(1, 2), keepdim=True, dtype=exact).to(batch.dtype), batch)


def _integer_between(limits: tuple[int, int], u: Float[np.ndarray, " batch"]) -> Int64[np.ndarray, " batch"]:
    least, greatest = limits
    return least + np.floor(u * (greatest - least + 1)).astype(np.int64)


def _hidden(
    n: int,
    max_share: float,
    n_masks: Int64[np.ndarray, " batch"],
    widths: Float[np.ndarray, "batch mask"],
    starts: Float[np.ndarray, "batch mask"],
) -> Bool[np.ndarray, "batch {n}"]:
    """Mark which of `n` bands or frames lie in a mask.

    A mask is 0 to floor(max_share * n) wide and wholly inside, each width and each place equally probable.
    """
    width = np.floor(widths * (np.floor(max_share * n) + 1))
    first = np.floor(starts * (n - width + 1))
    width = np.where(np.arange(widths.shape[1]) < n_masks[:, None], width, 0.0)
    places = np.arange(n)[:, None]
    return ((places >= first[:, None]) & (places < (first + width)[:, None])).any(axis=2)
