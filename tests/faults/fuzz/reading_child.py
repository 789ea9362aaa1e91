"""A process that reads files for the fuzzer, one after another, until one kills it.

    python -m faults.fuzz.reading_child FOLDER N_BYTES

Requests come on standard input: a line of JSON with `reader`, `name` and `n_bytes`, then so many bytes; or with
`reader` and the `path` of what is there already. It answers with a line of JSON on what became of reading it. To bytes
it answers with a second line, whether they get past the first check of their format; that is found out after the first
was sent, since the format's own library may well die of what our reader survives.
"""

import builtins
import io
import json
import os
import resource
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import av  # noqa: F401 - imported before memory is limited, as everything else
import soundfile  # noqa: F401

from cohear.errors import UserError
from faults.fuzz.first_headers import passes
from faults.fuzz.readers import READ, lay_out, place
from faults.fuzz.small_disk import open_on_small_disk

_MOST_CHARACTERS = 2000
"""Of a sentence."""


def main(folder: Path, n_bytes: int) -> None:
    lines = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    warnings.simplefilter("error")
    lay_out(folder)
    builtins.open = io.open = open_on_small_disk
    limit_memory(n_bytes)
    _say(lines, {"ready": True, "torch": "torch" in sys.modules})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        reader = request["reader"]
        if "path" in request:
            _say(lines, {**judged(reader, Path(request["path"])), "torch": "torch" in sys.modules})
            continue
        data = sys.stdin.buffer.read(request["n_bytes"])
        path = place(reader, folder, request["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        _say(lines, {**judged(reader, path), "torch": "torch" in sys.modules})
        _say(lines, {"passes": passes(reader, path)})
        path.unlink()
        if path.parent.name == "meta":  # else every later table beside it would be taken for a part of ESC-50
            shutil.rmtree(path.parent)


def limit_memory(n_bytes: int) -> None:
    """Allow this process so many bytes of address space more than it has now."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + n_bytes, now + n_bytes))


def judged(reader: str, path: Path) -> dict[str, Any]:
    """Read a file; say how the reader failed at refusing it, or what it said."""
    try:
        READ[reader](path)
    except UserError as error:
        message = str(error)
        return {"said": message[:_MOST_CHARACTERS], "problem": _fault_of(message)}
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        words = f"{type(error).__name__} in {where}: {error!s:.200}"
        return {"said": None, "problem": words}
    return {"said": None, "problem": None}


def _fault_of(message: str) -> str | None:
    """Say why a message is not one sentence on one line."""
    if len(message) > _MOST_CHARACTERS:
        return f"a message of {len(message)} characters: {message[:200]!a}"
    if not message.strip():
        return "an empty message"
    if wrong := sorted({letter for letter in message if not (letter.isprintable() or letter.isspace())}):
        return f"a message with {wrong[0]!a}: {message[:200]!a}"
    return f"a message of several lines: {message[:200]!a}" if len(message.splitlines()) > 1 else None


def _say(lines: Any, values: dict[str, Any]) -> None:
    print(json.dumps(values), file=lines, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
