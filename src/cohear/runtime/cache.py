"""Where things are kept that could be made again: decoded sounds, shifted versions, compiled programs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder: `$COHEAR_CACHE`, else `~/.cache/cohear`."""
    chosen = os.environ.get("COHEAR_CACHE")
    return Path(chosen).expanduser() if chosen else Path("~/.cache/cohear").expanduser()


def keep_compiled_programs() -> None:
    """Keep what `torch.compile` makes for later processes; to be said before torch is imported, which settles it.

    Where the environment says something else, that counts.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
