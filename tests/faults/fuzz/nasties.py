"""Files that somebody thought out: headers that lie about lengths, strange names, lists of files, zip bombs."""

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.fuzz.audio_inputs import ogg_pages, sealed_page
from faults.fuzz.child import Outcome
from faults.fuzz.inputs import corpus
from faults.fuzz.no_plain_files import NO_PLAIN_FILES, write_hole
from faults.fuzz.packed_inputs import unzipped, zipped


@dataclass(frozen=True)
class Nasty:
    """A place to be read, and how that must end."""

    name: str
    reader: str
    path: Path
    refused: bool
    said: str = ""
    """Part of the sentence."""

    def problem(self, outcome: Outcome) -> str | None:
        """Say how a reader failed on it."""
        if outcome.problem is not None:
            return outcome.problem
        if self.refused != outcome.refused:
            return f"it is refused: {outcome.said}" if outcome.refused else "it is read"
        return None if self.said in (outcome.said or "") else f"it is refused otherwise: {outcome.said}"


def nasties(folder: Path) -> Iterator[Nasty]:
    """Lay them out in an empty folder."""
    for reader, make in (
        ("audio", _lying_lengths),
        ("audio", _names),
        ("audio", _playlists),
        ("audio", _no_sounds),
        ("whole", _too_long),
        ("tables", _tables),
        ("packed", _zip_bombs),
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

    seeds = {seed.name: seed.data for seed in corpus("audio")}

    def flac(n: int) -> bytes:
        data = bytearray(seeds["pcm16.flac"])
        data[21] = data[21] & 0xF0 | n >> 32
        data[22:26] = struct.pack(">I", n % 2**32)
        return bytes(data)

    def ogg(granule: int) -> bytes:
        *first, last = ogg_pages(seeds["vorbis.ogg"])
        return b"".join([*first, sealed_page(last[:6] + struct.pack("<Q", granule) + last[14:])])

    def long(name: str, chunk: bytes, offset: int, n_bytes: int) -> bytes:
        start = seeds[name].index(chunk) + offset
        return seeds[name][:start] + struct.pack("<Q", n_bytes) + seeds[name][start + 8 :]

    cut = "gives only"
    for name, data, refused, said in (
        ("size-0.wav", wave(0), True, "holds no samples"),
        ("size-unknown.wav", wave(0xFFFFFFFF), False, ""),
        ("size-nearly-2-gib.wav", wave(0x7FFFFFFE), False, ""),
        ("size-too-large.wav", wave(100 * len(sound)), True, cut),
        ("size-hardly-too-large.wav", wave(len(sound) + 4), False, ""),
        ("size-too-small.wav", wave(len(sound) // 2), False, ""),
        ("size-of-half-a-sample.wav", wave(1), True, "holds no samples"),
        ("chunk-of-exabytes.w64", long("long.w64", b"fmt ", 16, 2**60 + 40), False, ""),
        ("sound-of-exabytes.w64", long("long.w64", b"data", 16, 2**60), True, cut),
        ("sound-of-exabytes.rf64", long("long.rf64", b"ds64", 16, 2**60), True, cut),
        ("sound-without-end.rf64", long("long.rf64", b"ds64", 16, 2**63 - 1), False, ""),
        ("sound-of-less-than-nothing.rf64", long("long.rf64", b"ds64", 16, 2**64 - 1), True, "cannot be read as sound"),
        ("frames-too-many.aiff", aiff(2**32 - 1), True, cut),
        ("frames-too-few.aiff", aiff(400), False, ""),
        ("frames-none.aiff", aiff(0), False, ""),
        ("samples-unknown.flac", flac(0), True, "does not say how long it is"),
        ("samples-too-many.flac", flac(2**36 - 1), True, ""),
        ("samples-too-few.flac", flac(500), False, ""),
        ("granule-too-large.ogg", ogg(2**62), False, ""),
        ("granule-none.ogg", ogg(2**64 - 1), True, "cannot be read as sound"),
        ("granule-0.ogg", ogg(0), True, "holds no samples"),
    ):
        (folder / name).write_bytes(data)
        yield name, folder / name, refused, said


def _names(folder: Path) -> Iterator[_Case]:
    """Give a whole sound strange names."""
    sound = next(seed.data for seed in corpus("audio") if seed.name == "pcm16.wav")
    unicode = ("é", "e\u0301", "\u05d0\u05d1", "\u202egnp", "😀")
    for name in (*unicode, "two\nlines", "-rf", "n" * 240, "a'b\"c", "concat:x"):
        path = folder / f"{name}.wav"
        path.write_bytes(sound)
        yield f"the name {name[:20]!a}", path, False, ""
    aac = next(seed.data for seed in corpus("audio") if seed.name == "aac.m4a")
    for name in ("concat:x", "http:", "two\nlines", "😀"):
        path = folder / f"{name}.m4a"
        path.write_bytes(aac)
        yield f"the name {name!a} for FFmpeg", path, False, ""


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
    """Leave 16 GiB of nothing, and text and archives, under the name of every format."""
    for suffix in sorted({Path(seed.name).suffix for seed in corpus("audio")}):
        path = folder / f"hole{suffix}"
        write_hole(path, 2**34)
        yield f"16 GiB of zeros named {path.name}", path, True, ""
    for suffix in ("wav", "mp3", "m4a"):
        (folder / f"zip.{suffix}").write_bytes(zipped([("a.wav", b"RIFF")]))
        yield f"an archive named zip.{suffix}", folder / f"zip.{suffix}", True, ""
    chunks = folder / "empty-chunks.wav"
    chunks.write_bytes(b"RIFF\0\0\0\0WAVE" + b"note\0\0\0\0" * 2**20)
    yield "a million empty chunks", chunks, True, ""


def _too_long(folder: Path) -> Iterator[_Case]:
    """Declare more sound, truly there, than memory holds."""
    path = folder / "day.wav"
    with open(path, "wb") as file:
        data = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8) + struct.pack(
            "<4sI", b"data", 2**31 - 2**20
        )
        file.write(struct.pack("<4sI4s", b"RIFF", 2**31, b"WAVE") + data)
        file.truncate(2**31)
    yield "74 hours of silence in a sparse file", path, True, "too long to be taken whole"


def _tables(folder: Path) -> Iterator[_Case]:
    """Lay out tables that are no tables, or far too much of one."""
    for name, text, said in (
        ("columns.csv", "path,label," + ",".join(f"c{index}" for index in range(300_000)) + "\n", "columns"),
        ("quote.csv", 'path,label\n"' + "a" * 10**7, "no valid CSV"),
        ("deep.jsonl", "[" * 10**6, "not a JSON object"),
        ("digits.jsonl", '{"path": "a.wav", "label": "x", "fold": ' + "9" * 10**6 + "}", "not a JSON object"),
        ("one-line.jsonl", '{"path": "' + "a/" * 10**6 + '", "label": "x"}', "no file can be named"),
    ):
        (folder / name).write_text(text)
        yield name, folder / name, True, said


def _zip_bombs(folder: Path) -> Iterator[_Case]:
    """Pack what would unpack to far more, and what points to the same bytes again and again."""
    seed = next(seed.data for seed in corpus("packed") if seed.name == "frogs.cohear")
    entries = unzipped(seed)
    items = list(entries.items())
    nested = zipped([("model.json", zipped([("model.json", bytes(10**6))], zipfile.ZIP_DEFLATED)), *items[1:]])
    yield from _packed(
        folder,
        {
            "a gigabyte of zeros, compressed": zipped([("model.json", bytes(10**9)), *items[1:]], zipfile.ZIP_DEFLATED),
            "a packed archive for a description": nested,
            "sizes of 4 GiB": _patched(seed, 20, struct.pack("<II", 2**32 - 2, 2**32 - 2)),
            "one size of 4 GiB": _patched(seed, 24, struct.pack("<I", 2**32 - 2)),
            "sizes that Zip64 fields should give": _patched(seed, 20, b"\xff" * 8),
            "entries that overlap": _overlapping(seed),
            "60000 entries": _of_many(60_000),
            "a name that leads out": zipped([*items, ("../../x.md", b"x")]),
            "an absolute name": zipped([*items, ("/x.md", b"x")]),
            "a name with a line break": zipped([*items, ("a\nb.md", b"x")]),
            "a symbolic link": _with_link(items),
        },
    )


def _packed(folder: Path, files: dict[str, bytes]) -> Iterator[_Case]:
    for number, (name, data) in enumerate(files.items()):
        path = folder / f"{number}.cohear"
        path.write_bytes(data)
        yield name, path, True, "no packed model that can be used"


def _patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Change a field of the directory's first record."""
    start = data.index(b"PK\x01\x02") + offset
    return data[:start] + value + data[start + len(value) :]


def _overlapping(data: bytes) -> bytes:
    """Have the directory's records all point to the first entry (Fifield, A better zip bomb, 2019)."""
    changed = bytearray(data)
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + 42 : place + 46] = bytes(4)
        place = data.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def _of_many(n_entries: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(n_entries):
            archive.writestr(zipfile.ZipInfo(f"a{index}.md"), b"")
    return file.getvalue()


def _with_link(entries: list[tuple[str, bytes]]) -> bytes:
    """Make the card a symbolic link to a file of the system; what it says is then no more than a name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries[:-1]:
            archive.writestr(zipfile.ZipInfo(name), content)
        link = zipfile.ZipInfo("passwd")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, b"/etc/passwd")
    return file.getvalue()
