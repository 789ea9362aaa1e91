"""Files that somebody thought out: headers that lie about lengths, strange names, lists of files, models too large."""

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.fuzz.inputs import corpus
from faults.fuzz.ways_out import Nasty


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


def nasties(folder: Path) -> Iterator[Nasty]:
    """Lay them out in an empty folder."""
    for reader, make in (
        ("audio", _lying_lengths),
        ("audio", _names),
        ("audio", _playlists),
        ("audio", _no_sounds),
        ("whole", _too_long),
        ("tables", _tables),
        ("packed", _lying_models),
    ):
        place = folder / make.__name__.strip("_") / reader
        place.mkdir(parents=True)
        for name, path, refused, said in make(place):
            yield Nasty(f"{reader}: {name}", reader, path, refused, said)
    for reader, file in (
        *(("audio", "x.wav"), ("audio", "x.mp4"), ("tables", "x.csv"), ("tables", "x.txt"), ("packed", "x.cohear")),
        *(("configuration", "config.json"), ("checkpoints", "checkpoint/epoch-1-step-2.safetensors")),
    ):
        for number, (name, make) in enumerate(NO_PLAIN_FILES.items()):
            path = folder / f"no-plain-{number}" / reader / file
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
            yield Nasty(f"{reader}: {name} named {path.name}", reader, path, True)


_Case = tuple[str, Path, bool, str]


def _lying_lengths(folder: Path) -> Iterator[_Case]:
    """Say of a tenth of a second that it is something else."""
    n_samples = 800
    sound = struct.pack(f"<{n_samples}h", *(1000 * (-1) ** (index // 20) for index in range(n_samples)))

    def wave(n_bytes: int) -> bytes:
        fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
        return struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + fmt + struct.pack("<4sI", b"data", n_bytes) + sound

    def aiff(n: int) -> bytes:
        common = struct.pack(">4sIHIH", b"COMM", 18, 1, n, 16) + b"\x40\x0b\xfa\0\0\0\0\0\0\0"
        chunks = common + struct.pack(">4sIII", b"SSND", len(sound) + 8, 0, 0) + sound
        return struct.pack(">4sI4s", b"FORM", len(chunks) + 4, b"AIFF") + chunks

    cut = "gives only"
    for name, data, refused, said in (
        ("size-0.wav", wave(0), True, "holds no samples"),
        ("size-unknown.wav", wave(0xFFFFFFFF), False, ""),
        ("size-too-large.wav", wave(100 * len(sound)), True, cut),
        ("size-too-small.wav", wave(len(sound) // 2), False, ""),
        ("frames-too-many.aiff", aiff(2**32 - 1), False, ""),
    ):
        (folder / name).write_bytes(data)
        yield name, folder / name, refused, said


def _names(folder: Path) -> Iterator[_Case]:
    """Give a whole sound strange names."""
    seeds = {seed.name: seed.data for seed in corpus("audio")}
    for name in ("e\u0301", "\u202egnp", "😀", "two\nlines", "-rf", "n" * 240, "a'b\"c", "concat:x", "http:"):
        for seed in ("pcm16.wav", "aac.m4a"):
            path = folder / f"{name}{Path(seed).suffix}"
            path.write_bytes(seeds[seed])
            yield f"the name {path.name[:20]!a}", path, False, ""


def _playlists(folder: Path) -> Iterator[_Case]:
    """Name another file by what FFmpeg takes for a list of files."""
    sound = next(seed.data for seed in corpus("audio") if seed.name == "adts.aac")
    (folder / "other.aac").write_bytes(sound)
    other = folder / "other.aac"
    for name, text in (
        ("hls.mp4", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n"),
        ("hls-beside.aac", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.aac\n#EXT-X-ENDLIST\n"),
        ("list.m4a", "ffconcat version 1.0\nfile other.aac\n"),
        (
            "dash.webm",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{other}</BaseURL></MPD>',
        ),
    ):
        (folder / name).write_text(text)
        yield f"a list of files named {name}", folder / name, True, "cannot be decoded"


def _no_sounds(folder: Path) -> Iterator[_Case]:
    """Leave 16 GiB of nothing under the name of every format."""
    for suffix in sorted({Path(seed.name).suffix for seed in corpus("audio")}):
        path = folder / f"hole{suffix}"
        write_hole(path, 2**34)
        yield f"16 GiB of zeros named {path.name}", path, True, ""
    chunks = folder / "empty-chunks.wav"
    chunks.write_bytes(b"RIFF\0\0\0\0WAVE" + b"note\0\0\0\0" * 2**20)
    yield "a million empty chunks", chunks, True, ""


def _too_long(folder: Path) -> Iterator[_Case]:
    """Declare more sound, truly there, than memory holds."""
    path = folder / "day.wav"
    write_hole(path, 2**31)
    with open(path, "r+b") as file:
        fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
        file.write(struct.pack("<4sI4s", b"RIFF", 2**31, b"WAVE") + fmt + struct.pack("<4sI", b"data", 2**31 - 2**20))
    yield "74 hours of silence in a sparse file", path, True, "is longer than"


def _tables(folder: Path) -> Iterator[_Case]:
    """Lay out tables that are no tables, or far too much of one."""
    for name, text, said in (
        ("columns.csv", "path,label," + ",".join(f"c{index}" for index in range(300_000)) + "\n", "lists no clips"),
        ("quote.csv", 'path,label\n"' + "a" * 10**7, "no valid CSV"),
        ("deep.jsonl", "[" * 10**6, "not a JSON object"),
        ("digits.jsonl", '{"path": "a.wav", "label": "x", "fold": ' + "9" * 10**6 + "}", "not a JSON object"),
        ("one-line.jsonl", '{"path": "' + "a/" * 10**6 + '", "label": "x"}', "no file can be named"),
    ):
        (folder / name).write_text(text)
        yield name, folder / name, True, said


def _lying_models(folder: Path) -> Iterator[_Case]:
    """Say of a packed model that its header, or a tensor, is far larger than the file, or that it is an archive."""
    seed = next(seed.data for seed in corpus("packed") if seed.name == "frogs.cohear")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", bytes(10**8))
    for number, (name, data) in enumerate(
        (
            ("a header of 2 ** 63 bytes", struct.pack("<Q", 2**63) + seed[8:]),
            ("a header of 100 MB of brackets", struct.pack("<Q", 10**8) + b"[" * 10**8),
            ("a tensor of 4 GiB", seed.replace(b'"data_offsets":[0,', b'"data_offsets":[4294967296,')),
            ("zeros, compressed", bomb.getvalue()),
        )
    ):
        path = folder / f"{number}.cohear"
        path.write_bytes(data)
        yield name, path, True, "no packed model that can be used"
