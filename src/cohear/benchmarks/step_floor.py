"""What a training step of the network must compute, and about what it moves: the floor under its time.

Counted per layer of `VGG`, for convolutions alone: the linear layer, the objective and the optimizer together are
less than a hundredth at the paper's size.

Operations. A 3x3 convolution from C_in to C_out maps of P pixels takes 2 * 9 * C_in * C_out * P operations a signal,
once forward and twice backward, for the gradients of its input and of its weights. The first layer is no exception:
the batch norm before it learns.

Bytes. An estimate and no bound, since a compiler may fuse one pass or another. Batch norm in training mode needs the
statistics of a whole layer before it can change any of it, so an output of N numbers travels between memory and chip
again and again; pooling, after every other layer, is left out:

    forward    convolution writes it, statistics read it, normalization reads it and writes it anew, the next
               convolution reads that                                                                         5 N
    backward   reductions read gradient and output, the normalization's gradient reads both and writes one,
               and the two convolutions of this layer read that                                               7 N
               of the input, n numbers: its gradient is written, and it is read for the weights' gradient     2 n
"""

import itertools
from dataclasses import dataclass

from cohear.models.vgg import FEATURE_MAPS

_KERNEL = 9
_FORWARD_PASSES, _BACKWARD_PASSES, _INPUT_PASSES = 5, 7, 2


@dataclass(frozen=True)
class StepFloor:
    """The work of one step, forward and backward."""

    operations: float
    """Multiplications and additions."""
    traffic_bytes: float
    """Between memory and chip, an estimate."""

    def arithmetic_s(self, operations_per_s: float) -> float:
        """Seconds of arithmetic alone."""
        return self.operations / operations_per_s

    def traffic_s(self, bytes_per_s: float) -> float:
        """Seconds of traffic alone."""
        return self.traffic_bytes / bytes_per_s


def forward_operations(n_bands: int, n_frames: int, width: float = 1.0) -> float:
    """Count the operations of one signal's forward pass.

    Example:
        >>> round(forward_operations(128, 368) / 1e9, 2)  # the paper's network and input
        19.16
    """
    return sum(_operations(*layer) for layer in _layers(n_bands, n_frames, width))


def step_floor(n_signals: int, n_bands: int, n_frames: int, width: float = 1.0, bytes_per_number: int = 2) -> StepFloor:
    """Work out the floor of a step.

    Args:
        n_signals: of a batch, counting every view.
        n_bands: mel bands.
        n_frames: frames.
        width: factor on the feature maps.
        bytes_per_number: 2 for bfloat16 activations, 4 for float32.
    """
    layers = _layers(n_bands, n_frames, width)
    operations = 3 * sum(_operations(*layer) for layer in layers)
    numbers = 0.0
    for n_in, n_out, n_pixels in layers:
        numbers += (_FORWARD_PASSES + _BACKWARD_PASSES) * n_out * n_pixels + _INPUT_PASSES * n_in * n_pixels
    return StepFloor(n_signals * operations, n_signals * numbers * bytes_per_number)


def _layers(n_bands: int, n_frames: int, width: float) -> list[tuple[int, int, int]]:
    """List input maps, output maps and pixels of each convolution."""
    maps = [1, *(max(1, round(n * width)) for n in FEATURE_MAPS)]
    layers = []
    for block, (n_in, n_out) in enumerate(itertools.pairwise(maps)):
        n_pixels = (n_bands >> block) * (n_frames >> block)
        layers += [(n_in, n_out, n_pixels), (n_out, n_out, n_pixels)]
    return layers


def _operations(n_in: int, n_out: int, n_pixels: int) -> float:
    return 2.0 * _KERNEL * n_in * n_out * n_pixels
