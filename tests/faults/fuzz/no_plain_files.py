"""What is no plain file where one is expected: pipes, devices, folders, links, and a file without end."""

import os
from collections.abc import Callable
from pathlib import Path


def write_hole(path: Path, n_bytes: int) -> None:
    """Write so many zeros, which take no room on the disk."""
    with open(path, "wb") as file:
        file.truncate(n_bytes)


NO_PLAIN_FILES: dict[str, Callable[[Path], None]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to("/dev/null"),
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "1 TiB of zeros": lambda path: write_hole(path, 2**40),
}
"""How each comes to lie at a path."""
