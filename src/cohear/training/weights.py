"""Files of weights: a network's state dict, sealed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cohear.errors import UserError
from cohear.runtime.files import read_plain, write_bytes
from cohear.runtime.sealed_tensors import seal, unseal

MOST_BYTES = 2**34
"""Of a file of weights, or of a checkpoint: a thousand times the paper's."""


def save_weights(path: Path, network: nn.Module, about: dict[str, str]) -> None:
    """Write a network's state dict, equal bytes for equal weights."""
    write_bytes(path, seal(to_arrays(network.state_dict()), about))


def load_weights(path: Path, network: nn.Module) -> None:
    """Read a network's state dict, strictly.

    Raises:
        UserError: where the file is missing, damaged, or of another network.
    """
    try:
        network.load_state_dict(to_tensors(unseal(read_plain(path, MOST_BYTES))[0]))
    except (ValueError, OSError, RuntimeError) as error:
        kind = "they are of another network: " if isinstance(error, RuntimeError) else ""
        raise UserError(
            f"the weights '{path}' cannot be used ({kind}{one_line(error)}); copy those of this run there again, or "
            "remove metrics.json beside them and go on with --resume"
        ) from error


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Return tensors on the host, by name."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def to_tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return tensors that share the memory of arrays, by name."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def one_line(error: Exception) -> str:
    """Word an error in one line: torch heads a list of all tensors that do not fit, the first says enough."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[:2][-1].rstrip(".") if lines else type(error).__name__
