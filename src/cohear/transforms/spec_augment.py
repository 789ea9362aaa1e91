"""SpecAugment: bands and frames of a log-mel spectrogram hidden, in number, width and place of each clip's own.

Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition", Interspeech 2019,
without its time warping. What is hidden takes the mean of the clip, since 0 dB would be loud, and the mean of a batch
would tell about its neighbors.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64, UInt64
from torch import Tensor

from cohear.keys import uniform
from cohear.tensors import LogMels, on_device
from cohear.transforms.contract import ClipFacts, Domain, Parameters, Transform


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

    band_masks: tuple[int, int] = (1, 2)
    """Least and greatest number of masks over mel bands."""
    frame_masks: tuple[int, int] = (1, 2)
    """Least and greatest number of masks over frames."""
    max_band_share: float = 0.2
    """Greatest width of a mask over mel bands, share of all bands, in [0, 1]."""
    max_frame_share: float = 0.2
    """Greatest width of a mask over frames, share of the clip's frames, in [0, 1] (p of Park et al.)."""
    fill: Literal["mean"] | float = "mean"
    """What is hidden becomes the mean of its clip, or this number, dB."""

    def __post_init__(self) -> None:
        super().__post_init__()
        bands, frames = (self.band_masks, self.max_band_share), (self.frame_masks, self.max_frame_share)
        for (least, greatest), share in (bands, frames):
            if not (0 <= least <= greatest and 0 <= share <= 1):
                given = f"from {least} to {greatest} masks of up to {share:g} of the whole"
                raise ValueError(f"{given}: give 0 <= least <= greatest, and a share from 0 to 1")
        if self.fill != "mean" and (isinstance(self.fill, str) or not math.isfinite(self.fill)):
            raise ValueError(f"fill {self.fill!r}: give 'mean' or a finite number of dB")

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> SpecAugmentParameters:
        """Draw numbers, widths and starts per key."""
        n_bands, n_frames = self.band_masks[1], self.frame_masks[1]
        u = uniform(keys, 2 + 2 * n_bands + 2 * n_frames)
        numbers, *masks = np.split(u, 2 + np.cumsum([0, n_bands, n_bands, n_frames]), axis=1)
        least, greatest = np.transpose((self.band_masks, self.frame_masks))
        n_masks = least + np.floor(numbers * (greatest - least + 1)).astype(np.int64)
        return SpecAugmentParameters(*n_masks.T, *masks)

    def apply(self, batch: LogMels, parameters: SpecAugmentParameters) -> LogMels:
        """Hide what the parameters say."""
        return self.apply_in(self.domain, batch, parameters, ClipFacts())

    def apply_in(self, domain: Domain, batch: Tensor, parameters: SpecAugmentParameters, facts: ClipFacts) -> Tensor:
        """Hide what the parameters say; of a padded clip only the sound counts, for masks and for the mean.

        Hidden cells are squeezed between two equal bounds, all others lie between infinite ones and keep every bit.
        Bounds of bands and of frames are small, and three passes over the batch are faster than one with a mask.
        """
        if domain != self.domain:
            return batch
        if batch.ndim != 3 or len(batch) != len(parameters):
            given = f"log-mels of shape {tuple(batch.shape)} with parameters of {len(parameters)} clips"
            raise ValueError(f"{given}: give log-mels [B, M, L] and one row of parameters per clip")
        n_clips, n_bands, n_frames = batch.shape
        lengths = np.full(n_clips, n_frames) if facts.lengths is None else np.minimum(facts.lengths, n_frames)
        fill = _means(batch, lengths) if self.fill == "mean" else batch.new_full((n_clips, 1), float(self.fill))
        hidden = on_device(self._hidden(n_bands, n_frames, lengths, parameters), batch.device)
        low, low_frames = torch.where(hidden, fill, -torch.inf).split((n_bands, n_frames), dim=1)
        high, high_frames = torch.where(hidden, fill, torch.inf).split((n_bands, n_frames), dim=1)
        masked = batch.clamp(low_frames[:, None], high_frames[:, None])
        return masked.clamp_min_(low[:, :, None]).clamp_max_(high[:, :, None])

    def _hidden(
        self, n_bands: int, n_frames: int, lengths: Int64[np.ndarray, " batch"], parameters: SpecAugmentParameters
    ) -> Bool[np.ndarray, "batch band_or_frame"]:
        """Mark which bands and, in the columns behind them, which frames lie in a mask."""
        p = parameters
        bands = _spans(np.array([[n_bands]]), self.max_band_share, p.n_band_masks, p.band_widths, p.band_starts)
        frames = _spans(lengths[:, None], self.max_frame_share, p.n_frame_masks, p.frame_widths, p.frame_starts)
        firsts, ends = np.concatenate((bands, frames + n_bands), axis=2)
        columns = np.arange(n_bands + n_frames, dtype=firsts.dtype)
        hidden = np.zeros((len(lengths), len(columns)), bool)
        for first, end in zip(firsts.T, ends.T, strict=True):
            hidden |= (columns >= first[:, None]) & (columns < end[:, None])
        return hidden


def _means(batch: LogMels, lengths: Int64[np.ndarray, " batch"]) -> Float[Tensor, "batch 1"]:
    """Return the mean of each clip's sound, summed in float32 at least."""
    n_bands, n_frames = batch.shape[1:]
    exact = torch.promote_types(batch.dtype, torch.float32)
    if (lengths == n_frames).all():
        return batch.mean(dim=(1, 2), dtype=exact)[:, None].to(batch.dtype)
    is_sound = on_device(np.arange(n_frames) < lengths[:, None], batch.device)
    totals = batch.sum(dim=1, dtype=exact).masked_fill(~is_sound, 0.0).sum(dim=1, keepdim=True)
    n_cells = on_device(n_bands * np.maximum(lengths, 1), batch.device, exact)[:, None]
    return (totals / n_cells).to(batch.dtype)


def _spans(
    lengths: Int64[np.ndarray, "batch_or_one 1"],
    max_share: float,
    n_masks: Int64[np.ndarray, " batch"],
    widths: Float[np.ndarray, "batch mask"],
    starts: Float[np.ndarray, "batch mask"],
) -> Int32[np.ndarray, "2 batch mask"]:
    """Return the first place of each mask and the one after its last.

    A mask is 0 to floor(max_share * length) wide and wholly within the length, each width and each place equally
    probable; masks that a clip does not have are empty.
    """
    width = np.floor(widths * (np.floor(max_share * lengths) + 1))
    first = np.floor(starts * (lengths - width + 1))
    width[np.arange(widths.shape[1]) >= n_masks[:, None]] = 0
    return np.stack((first, first + width)).astype(np.int32)
