"""Where training reads its clips: in the memory of the GPU where the data set fits there, else on the host."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int16, Int64
from torch import Tensor

from cohear.data.decoding import FULL_SCALE
from cohear.data.store import Store
from cohear.tensors import on_device

ReadWaveforms = Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]]
"""Rows of a store to waveforms on the device of training."""

_GPU_SHARE = 0.25
"""Of a GPU's free memory that the clips may take."""


@dataclass(frozen=True, eq=False)
class ResidentClips:
    """All clips of a store on one device, in 16 bits."""

    waveforms: Int16[Tensor, "clip time"]
    scales: Float32[Tensor, " clip"]

    @classmethod
    def of(cls, store: Store, device: torch.device) -> "ResidentClips":
        """Copy a store to a device."""
        steps = store.rows.read(np.arange(len(store)))
        return cls(torch.from_numpy(steps).to(device), torch.from_numpy(store.scales).to(device))

    def read(self, rows: Int64[np.ndarray, " batch"]) -> Float32[Tensor, "batch time"]:
        """Return the waveforms of some rows, bit for bit those of `Store.read`."""
        places = on_device(rows, self.waveforms.device)
        return self.waveforms[places].float() * (self.scales[places] / FULL_SCALE)[:, None]


def waveform_reader(store: Store, device: torch.device) -> ReadWaveforms:
    """Return how a device gets the clips of a store; what is copied to a GPU stays there for the runs that follow."""
    resident = _resident(store, device) if device.type == "cuda" else None
    return (lambda rows: on_device(store.read(rows), device)) if resident is None else resident.read


@functools.lru_cache(maxsize=1)
def _resident(store: Store, device: torch.device) -> ResidentClips | None:
    fits = store.rows.n_bytes < _GPU_SHARE * torch.cuda.mem_get_info(device)[0]
    return ResidentClips.of(store, device) if fits else None
