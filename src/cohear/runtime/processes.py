"""Several processes that train one network together, as torchrun started them."""

import os


def n_processes() -> int:
    """Return how many processes train one network together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def n_processes_here() -> int:
    """Return how many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def process_rank() -> int:
    """Return which of the processes of one training this is, counted from 0, before any of them have met."""
    return int(os.environ.get("RANK", "0"))
