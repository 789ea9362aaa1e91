"""What is in each file, by a hash that is taken again only where the file's size or time has changed."""

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cohear.runtime import disk
from cohear.runtime.files import remove_partials, replacing
from cohear.runtime.locks import waiting_for

MISSING = "missing"
"""Stands for the content of a file that cannot be read."""


def content_hashes(root: Path, paths: Sequence[str], cache_dir: Path) -> dict[str, str]:
    """Hash the contents of files (BLAKE2b, 128 bits).

    Args:
        root: the folder to which the paths are relative.
        paths: the files; a file that cannot be read is `MISSING`.
        cache_dir: where the hashes are remembered, with each file's size and time of last change.
    """
    name = hashlib.blake2b(str(root.resolve()).encode(), digest_size=16).hexdigest()
    index_path = cache_dir / f"contents-{name}.json"
    with waiting_for(Path(f"{index_path}.lock"), "is reading these files"):
        index = _read_index(index_path)
        stamps = {path: _stamp(root / path) for path in dict.fromkeys(paths)}
        changed = [path for path, stamp in stamps.items() if stamp and index.get(path, [])[:2] != stamp]
        with ThreadPoolExecutor() as pool:  # hashing lets other threads run
            hashes = dict(zip(changed, pool.map(lambda path: _hash_file(root / path), changed), strict=True))
        index |= {path: [*(stamps[path] or ()), content] for path, content in hashes.items() if content}
        if changed:
            remove_partials(cache_dir, index_path.name)
            with replacing(index_path) as file:
                disk.write(file, json.dumps(index).encode())
    is_there = {path for path, stamp in stamps.items() if stamp and hashes.get(path, MISSING)}
    return {path: index[path][2] if path in is_there else MISSING for path in stamps}


def _read_index(path: Path) -> dict[str, list]:
    """Read the remembered hashes; a damaged index only means hashing again."""
    try:
        index = json.loads(path.read_text("utf-8"))
        return {name: kept for name, kept in index.items() if isinstance(kept, list) and len(kept) == 3}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def _stamp(path: Path) -> list[int] | None:
    """Return size (bytes) and time of last change (ns), None where there is no readable file."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_readable = stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK)
    return [status.st_size, status.st_mtime_ns] if is_readable else None


def _hash_file(path: Path) -> str | None:
    """Return the hash of a file; None where its disk does not give it, which is not remembered."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return None
