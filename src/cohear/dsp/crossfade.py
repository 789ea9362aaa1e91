"""Crossfades that keep the level, whether or not the two signals agree.

Where a signal u fades out with the weight h and v fades in with 1 - h, and both have the power s^2 and the
correlation r, their sum has the power

    (h^2 + (1 - h)^2 + 2 r h (1 - h)) s^2.

For equal signals, r = 1, that is s^2 all the way. For unrelated ones it sinks to half of it, 3 dB, in the middle: this
is how a phase vocoder loses the level of noise, whose frames agree only in part. Divided by the root of the bracket
the sum has the power s^2 for any r. The correlation is measured over each crossfade (Fink, Holters and Zoelzer,
"Signal-matched power-complementary cross-fading and dry-wet mixing", DAFx 2016).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from cohear.dsp.kept_tensors import keep_tensors


def fade_window(hop_length: int) -> Float[Tensor, " {2*hop_length}"]:
    """Return the weights of a frame of two hops: in over the first, out over the second (Hann), float64."""
    return torch.hann_window(2 * hop_length, dtype=torch.float64)


@keep_tensors(maxsize=16)
def _fades(
    hop_length: int, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, " {hop_length}"], Float[Tensor, " {hop_length}"]]:
    fade_in, fade_out = fade_window(hop_length).to(device, dtype).split(hop_length)
    return fade_in, fade_out


def crossfade(frames: Float[Tensor, "batch frame two_hops"]) -> Float[Tensor, "batch time"]:
    """Join frames that have been multiplied by `fade_window`, each a hop after the last.

    The gradient takes the correlations as constants.

    Args:
        frames: at least two.

    Returns:
        The signal from the middle of the first frame to the middle of the last.
    """
    hop_length = frames.shape[-1] // 2
    fade_in, fade_out = _fades(hop_length, frames.dtype, frames.device)
    leaving, coming = frames[:, :-1, hop_length:], frames[:, 1:, :hop_length]
    with torch.no_grad():
        # leaving = h u and coming = (1 - h) v; all three sums are weighted by h (1 - h). Where a weight is zero so is
        # the product: the first sample of each fade.
        agreement = (leaving * coming).sum(-1)
        power_leaving = (leaving.square() * (fade_in / fade_out)).sum(-1)
        power_coming = (coming.square()[..., 1:] * (fade_out / fade_in)[1:]).sum(-1)
        smallest = torch.finfo(frames.dtype).tiny
        correlations = (agreement / (power_leaving * power_coming).sqrt().clamp(min=smallest)).clamp(0.0, 1.0)
        both = 2.0 * fade_in * fade_out
        gains = (fade_in.square() + fade_out.square() + correlations[..., None] * both).rsqrt()
    return ((leaving + coming) * gains).flatten(1)
