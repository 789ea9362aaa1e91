"""Whether a file gets past the first check of its format, judged without our readers: its first header parses."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

_MEDIA = (".m4a", ".aac", ".wma", ".webm", ".mp4")


def _audio(path: Path) -> bool:
    if path.suffix.lower() in _MEDIA:
        import av

        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    import soundfile

    return soundfile.info(path).frames >= 0


def _table(path: Path) -> bool:
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".jsonl":
        return isinstance(json.loads(text.lstrip("\r\n").split("\n")[0]), dict)
    if path.suffix == ".txt":
        fields = text.split("\n")[0].rstrip("\r").split("\t")
        return "begin time (s)" in [field.lower() for field in fields] or float(fields[0].replace(",", ".")) >= 0
    first = text.lstrip("\r\n").split("\n")[0]
    names = {name.strip().lower() for mark in ",;\t" for name in next(csv.reader(io.StringIO(first), delimiter=mark))}
    return {"path", "label"} <= names or {"filename", "category", "fold"} <= names


def _configuration(path: Path) -> bool:
    if path.suffix == ".set":
        return b"=" in path.read_bytes().split(b"\n")[0]
    values = json.loads(path.read_bytes())
    return isinstance(values, dict) and "schema" in values


def _packed(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return "model.json" in archive.namelist()


def _checkpoint(path: Path) -> bool:
    data = path.read_bytes()
    n_bytes = int.from_bytes(data[:8], "little")
    return isinstance(json.loads(data[8 : 8 + n_bytes]), dict)


_PASSES: dict[str, Callable[[Path], bool]] = {
    "audio": _audio,
    "tables": _table,
    "configuration": _configuration,
    "packed": _packed,
    "checkpoints": _checkpoint,
}


def passes(reader: str, path: Path) -> bool:
    """Tell whether a file gets past the first check."""
    try:
        return _PASSES[reader](path)
    except Exception:  # whatever it is that the format's own reader stumbles over
        return False
