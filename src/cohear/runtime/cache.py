"""Where things are kept that could be made again: decoded sounds, shifted versions, compiled programs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder: `$COHEAR_CACHE`, else `~/.cache/cohear`."""
    chosen = os.environ.get("COHEAR_CACHE")
    return Path(chosen).expanduser() if chosen else Path("~/.cache/cohear").expanduser()


def keep_compiled_programs() -> None:
    """Keep what `torch.compile` makes for later processes; to be said before torch is imported, which settles it.

    Where the environment says something else, that counts. Where nothing can be kept torch is left to its own folder,
    as its import would fail otherwise; whoever decodes sounds says so in words.
    """
    folder = cache_folder() / "compiled"
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
