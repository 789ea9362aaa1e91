"""Recordings at addresses such as `s3://bucket/site/`, by fsspec: what lies there, and a copy of it for a while.

Which packages know which address is fsspec's to say: `s3fs` for `s3://`, `gcsfs` for `gs://`. Keys and endpoints are
read from where these packages look for them.
"""

import glob
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from cohear.data.audio_files import is_audio
from cohear.errors import UserError, in_one_line

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(text: str) -> bool:
    """Tell an address from a path.

    Example:
        >>> is_address("s3://bucket/night.wav"), is_address("C:/night.wav")
        (True, False)
    """
    return _ADDRESS.match(text) is not None


def list_address(address: str) -> list[tuple[str, PurePosixPath]]:
    """List the sounds that an address means: one, those below a folder, or those that match a pattern.

    Returns:
        Of each its own address, and its path within the folder, or before the first wildcard.

    Raises:
        UserError: where nobody knows such addresses, nobody answers, or no sound is there.
    """
    with _explained(address):
        system, path = _open(address)
        with suppress(FileNotFoundError):
            if system.info(path)["type"] != "directory":
                return [(address, PurePosixPath(PurePosixPath(path).name))]
        if "::" in address:
            raise UserError(f"'{address}' is a folder or a pattern within a file; name the sounds one by one")
        if glob.has_magic(path):
            found = system.glob(path)
            base, fixed = (_before_wildcards(text) for text in (path, address))
        else:
            found = system.find(path)
            base, fixed = path, address.rstrip("/")
        places = [PurePosixPath(one).relative_to(base) for one in sorted(found) if is_audio(Path(one))]
        listed = [(f"{fixed}/{place}", place) for place in places]
    if not listed:
        raise UserError(f"no sound lies at '{address}'")
    return listed


def _before_wildcards(pattern: str) -> str:
    parts = pattern.split("/")
    return "/".join(parts[: next(place for place, part in enumerate(parts) if glob.has_magic(part))])


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """Give a copy of what lies at an address, which is removed afterwards.

    Raises:
        UserError: where it cannot be had, or there is no room for it (`TMPDIR`).
    """
    with tempfile.TemporaryDirectory(prefix="cohear-") as folder:
        copy = Path(folder) / PurePosixPath(address).name
        with _explained(address):
            system, path = _open(address)
            system.get_file(path, str(copy))
        yield copy


def _open(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise UserError(f"'{address}' needs fsspec: pip install 'cohear[bulk]'") from error
    return url_to_fs(address)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Turn what goes wrong there into a sentence: each kind of address has errors of its own."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"'{address}' needs a package that is not here: {in_one_line(str(error))}") from error
    except Exception as error:
        said = in_one_line(str(error))[:200] or type(error).__name__
        remedy = "see to its name, your keys, and the room in TMPDIR"
        raise UserError(f"'{address}' cannot be read ({said}); {remedy}") from error
