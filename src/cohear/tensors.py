"""What the axes mean: one legend for annotations and for the suffixes of names.

| axis in an annotation | suffix | meaning                                          |
|-----------------------|--------|--------------------------------------------------|
| `view`                | V      | versions of a clip; view 0 is the clean clip     |
| `batch`               | B      | clips                                            |
| `time`                | T      | time-domain samples                              |
| `tap`                 | R      | samples of an impulse response                   |
| `bin`                 | F      | frequency bins of a Fourier transform            |
| `band`                | M      | mel bands                                        |
| `frame`               | L      | frames of a short-time Fourier transform         |
| `label`               | K      | classes                                          |

Annotations are checked while the tests run (jaxtyping with beartype) and cost nothing elsewhere.

Numbers are drawn on the host and go to the device by `on_device` alone, so that no step waits for a device.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")

Waveforms = Float[Tensor, "batch time"]
"""Waveforms of a batch, full scale is [-1, 1]."""

LogMels = Float[Tensor, "batch band frame"]
"""Log-mel spectrograms of a batch, dB."""


def on_device(array: np.ndarray, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Bring numbers to a device; the host goes on while they travel.

    On the CPU the result may share the array's memory. A copy to a GPU leaves from page-locked memory, which torch
    keeps until it has arrived: from elsewhere the host would wait for the work that is queued there.

    Args:
        array: of the host.
        device: where it is wanted.
        dtype: of the result; None: as the array's.
    """
    tensor = torch.from_numpy(array).to(dtype=dtype)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def keep_tensors(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function of hashable arguments so that the last `maxsize` results are kept; nobody may change them.

    A tensor made under `torch.inference_mode()` can never take part in a gradient. What is kept (windows, filters,
    banks) may be made first while somebody predicts and be used again while somebody trains, so it is always made
    outside inference mode.
    """

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        @functools.lru_cache(maxsize=maxsize)
        def kept(*args: P.args, **kwargs: P.kwargs) -> T:
            with torch.inference_mode(False), torch.no_grad():
                return make(*args, **kwargs)

        return functools.update_wrapper(kept, make)  # pyright: ignore[reportReturnType]

    return decorate
