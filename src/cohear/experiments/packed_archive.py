"""The zip file around a packed model: a few plain entries, stored as they are, equal bytes for equal entries.

Nothing is compressed and nothing is unpacked to disk, so no entry can be larger than the file and none can land
anywhere.
"""

import io
import re
import struct
import zipfile
from collections.abc import Mapping

MAX_ENTRIES = 16
_MARK, _MAX_MARKS = b"PK\x01\x02", 1000
"""Of a directory's entries, in a whole file: weights hold such four bytes by chance, once in 4 GB."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+\.[a-z]+")
_OF_DAMAGED_BYTES = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError, struct.error)
"""What `zipfile` raises, depending on where it stumbles."""


def write_archive(entries: Mapping[str, bytes]) -> bytes:
    """Return a zip file with these entries, in their order, of no date and no owner."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)  # of 1 January 1980
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Unix, wherever it is written
            archive.writestr(info, content)
    return file.getvalue()


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the entries of a zip file by name.

    Raises:
        ValueError: where it is damaged, or has an entry that is compressed, encrypted, there twice, or not plainly
            named, or more entries than `MAX_ENTRIES`.
    """
    if data.count(_MARK) > _MAX_MARKS:  # which `zipfile` would all read first
        raise _Refused(f"it has more entries than {MAX_ENTRIES}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive.infolist(), len(data))
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except _Refused:
        raise
    except _OF_DAMAGED_BYTES as error:
        raise ValueError("it is no zip file, or a damaged one") from error


class _Refused(ValueError):
    """A whole zip file that cannot be a packed model's."""


def _check_directory(infos: list[zipfile.ZipInfo], n_bytes: int) -> None:
    if len(infos) > MAX_ENTRIES:
        raise _Refused(f"it has {len(infos)} entries, more than {MAX_ENTRIES}")
    names = [info.orig_filename for info in infos]  # as written: `filename` ends at a zero byte
    for info, name in zip(infos, names, strict=True):
        if not _PLAIN_NAME.fullmatch(name):
            raise _Refused(f"it has an entry {name[:80]!r}, which is no plain file name")
        if names.count(name) > 1:
            raise _Refused(f"it has {name!r} twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise _Refused(f"its {name!r} is compressed or encrypted, and entries are stored as they are")
        if info.file_size != info.compress_size or info.file_size > n_bytes:
            raise _Refused(f"its {name!r} claims a size that it cannot have")
        n_bytes -= info.file_size
