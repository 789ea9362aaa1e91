"""Tensors in a safetensors file that knows when it was damaged: its header holds a checksum of all that it says.

A disk that flips a bit gives back weights that load and are wrong; here they are refused.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

_SEAL = "sealed"
"""The one entry of the metadata: safetensors writes several in any order, and equal tensors shall give equal bytes."""


def seal(tensors: Mapping[str, np.ndarray], about: Any) -> bytes:
    """Return a safetensors file.

    Args:
        tensors: by name.
        about: JSON values, kept exactly.
    """
    text = json.dumps(about, allow_nan=False)
    sealed = json.dumps({"checksum": _checksum(tensors, text), "about": text})
    return save(dict(tensors), {_SEAL: sealed})


def unseal(data: bytes) -> tuple[dict[str, np.ndarray], Any]:
    """Return the tensors of a file that `seal` made, and what was said about them.

    Raises:
        ValueError: where it is damaged, or of something else.
    """
    try:
        tensors, n_header = load(data), int.from_bytes(data[:8], "little")
        sealed = json.loads(json.loads(data[8 : 8 + n_header])["__metadata__"][_SEAL])
        if sealed["checksum"] == _checksum(tensors, sealed["about"]):
            return tensors, json.loads(sealed["about"])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is damaged, or has no checksum") from error
    raise ValueError("its checksum is wrong, so it is damaged")


def _checksum(tensors: Mapping[str, np.ndarray], text: str) -> str:
    """Hash names, types, shapes and values (BLAKE2b, 128 bits): all that is read, however it lies in the file."""
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name, array in sorted(tensors.items()):
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
