"""Tensors that are made once and kept: windows, filters, banks.

A tensor made under `torch.inference_mode()` can never take part in a gradient. What is kept may be made first while
somebody predicts and be used again while somebody trains, so it is always made outside inference mode.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def keep_tensors(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function of hashable arguments so that the last `maxsize` results are kept; nobody may change them."""

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        @functools.lru_cache(maxsize=maxsize)
        def kept(*args: P.args, **kwargs: P.kwargs) -> T:
            with torch.inference_mode(False), torch.no_grad():
                return make(*args, **kwargs)

        return functools.update_wrapper(kept, make)  # pyright: ignore[reportReturnType]

    return decorate
