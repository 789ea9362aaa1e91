"""Sound files that lie: valid containers with fields and chunks that do not go with what follows."""

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from faults.fuzz.inputs import Input, corpus
from faults.fuzz.mutations import drawn_number, mutated

_HEADER, _W64_HEADER = 12, 40
"""Bytes before the first chunk."""
_LIES = (0, 1, 2, 3, 8, 100, 959, 961, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
_LONG_LIES = (*_LIES, *(2**45, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1))
"""Sizes in 64 bits."""
_EIGHT_KHZ = b"\x40\x0b\xfa\0\0\0\0\0\0\0"
"""As 80 bits of IEEE 754."""
_CHUNKED = {"RIFF": "<", "RF64": "<", "FORM": ">"}


def audio_inputs() -> st.SearchStrategy[Input]:
    """Draw sound files: broken ones of every format, and ones written with lying headers."""
    seeds = corpus("audio")
    chunked = [seed for seed in seeds if seed.data[:4].decode("latin-1") in _CHUNKED]
    ogg = [seed for seed in seeds if seed.data[:4] == b"OggS"]
    boxes = [seed for seed in seeds if seed.data[4:8] == b"ftyp"]
    flac = [seed for seed in seeds if seed.data[:4] == b"fLaC"]
    return st.one_of(
        mutated(seeds, in_front=64),
        mutated(seeds, in_front=64, most=2),
        _lying_wave(),
        _lying_wave(),
        _lying_w64([seed for seed in seeds if seed.name.endswith(".w64")]),
        _lying_ds64([seed for seed in seeds if seed.name.endswith(".rf64")]),
        _lying_aiff(),
        _lying_au(),
        _reordered(chunked),
        _lying_ogg(ogg),
        _lying_boxes(boxes),
        _lying_flac(flac),
        _frames_of_mp3(),
    )


@st.composite
def _lying_wave(draw: st.DrawFn) -> Input:
    data, lies = (
        _body(draw),
        _Lies(draw, ["tag", "bits", "channels", "rate", "block", "extra", "fmt", "kind", "size", "data", "chunks"]),
    )
    tag = lies.of("tag", 1, (3, 6, 7, 2, 0x11, 0x31, 0x14, 0x40, 0x50, 0x55, 0xFFFE))
    bits = lies.of("bits", 16, (8, 24, 32, 64, 4, 0, 1, 12, 255))
    n_channels = lies.of("channels", 1, (2, 6, 256, 1024, 0, 1025, 65535))
    rate = lies.of("rate", 8000, (44100, 192000, 0, 1, 7, 100, 655350, 2**31 - 1, 2**31, 2**32 - 1))
    block = lies.of("block", n_channels * bits // 8 % 2**16, (0, 1, 3, 2**16 - 1))
    extensible = struct.pack("<HHIH", 22, bits, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    body = struct.pack("<HHIIHH", tag, n_channels, rate, rate * block % 2**32, block, bits)
    body += lies.of("extra", b"", (b"\0\0", extensible))
    chunks = [(b"fmt ", body, lies.of("fmt", len(body), _LIES)), (b"data", data, lies.of("data", len(data), _LIES))]
    for _ in range(lies.of("chunks", 0, (1, 2))):
        name = draw(st.sampled_from((b"fact", b"LIST", b"smpl", b"cue ", b"bext", b"ds64", b"id3 ", b"PEAK", bytes(4))))
        part = draw(st.binary(max_size=60))
        n_bytes = draw(st.sampled_from((len(part), *_LIES)))
        chunks.insert(draw(st.integers(0, len(chunks))), (name, part, n_bytes))
    text = b"".join(name + struct.pack("<I", size) + part + b"\0" * (len(part) % 2) for name, part, size in chunks)
    kind = lies.of("kind", b"RIFF", (b"RF64", b"RIFX"))
    size = lies.of("size", len(text) + 4, (0, 2**32 - 1))
    return Input("lying.wav", kind + struct.pack("<I", size) + b"WAVE" + text)


@st.composite
def _lying_w64(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Write other sizes into the chunks of a W64 file, most of them such that libsndfile, of 32 bits, sees no lie."""
    seed = draw(st.sampled_from(seeds))
    place, chunks = _W64_HEADER, []
    while place + 24 <= len(seed.data):
        n_bytes = struct.unpack_from("<Q", seed.data, place + 16)[0]
        chunks.append(seed.data[place : place + n_bytes + -n_bytes % 8])
        place += len(chunks[-1])
    if draw(st.booleans()):
        part = draw(st.binary(max_size=40))
        head = draw(st.sampled_from((b"fact", b"levl", b"bext", b"junk"))) + chunks[0][4:16]
        chunks.insert(draw(st.integers(0, 1)), head + struct.pack("<Q", 24 + len(part)) + part + bytes(-len(part) % 8))
    for _ in range(draw(st.integers(1, 2))):
        index = draw(st.integers(0, len(chunks) - 1))
        chunk = chunks[index]
        chunks[index] = chunk[:16] + _long_size(draw, struct.unpack_from("<Q", chunk, 16)[0]) + chunk[24:]
    return Input(seed.name, seed.data[:_W64_HEADER] + b"".join(chunks))


@st.composite
def _lying_ds64(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Write other sizes into the chunk of an RF64 file that has those of the file and of the sound in 64 bits."""
    seed = draw(st.sampled_from(seeds))
    data, place = bytearray(seed.data), seed.data.index(b"ds64")
    for _ in range(draw(st.integers(1, 2))):
        start = place + 8 + 8 * draw(st.integers(0, 2))  # size of the file, of the sound, number of samples
        data[start : start + 8] = _long_size(draw, struct.unpack_from("<Q", data, start)[0])
    if not draw(st.integers(0, 3)):
        data[place + 4 : place + 8] = struct.pack("<I", draw(st.sampled_from(_LIES)))
    return Input(seed.name, bytes(data))


def _long_size(draw: st.DrawFn, truth: int) -> bytes:
    """Draw a size in 64 bits: one that is true in its lower half, or any lie."""
    high = draw(st.sampled_from((1, 2, 2**8, 2**13, 2**28, 2**30 - 1, 2**30, 2**31, 2**32 - 1)))
    return struct.pack("<Q", draw(st.sampled_from(_LONG_LIES)) if not draw(st.integers(0, 2)) else high << 32 | truth)


@st.composite
def _lying_aiff(draw: st.DrawFn) -> Input:
    data, lies = (
        _body(draw),
        _Lies(draw, ["kind", "codec", "rate", "channels", "bits", "samples", "sound", "common", "chunks", "order"]),
    )
    rate = lies.of("rate", _EIGHT_KHZ, (b"\x40\x0e\xac\x44\0\0\0\0\0\0", b"\xff" * 10, bytes(10)))
    n_channels = lies.of("channels", 1, (2, 1024, 0, 65535))
    bits = lies.of("bits", 16, (8, 24, 32, 0, 5, 255))
    common = struct.pack(">HIH", n_channels, lies.of("samples", len(data) // 2, _LIES), bits) + rate
    kind = lies.of("kind", b"AIFF", (b"AIFC",))
    if kind == b"AIFC":
        codecs = (b"sowt", b"fl32", b"fl64", b"ulaw", b"ima4", b"GSM ", b"DWVW", b"????")
        common += lies.of("codec", b"NONE", codecs) + draw(st.sampled_from((b"\0\0", b"\xff", b"\x0enot compressed\0")))
    chunks = [
        (b"COMM", common, lies.of("common", len(common), _LIES)),
        (b"SSND", bytes(8) + data, lies.of("sound", len(data) + 8, _LIES)),
    ]
    if lies.of("chunks", 0, (1,)):
        part = draw(st.binary(max_size=60))
        chunks.insert(0, (draw(st.sampled_from((b"MARK", b"INST", b"APPL", b"COMT", b"PEAK"))), part, len(part)))
    if lies.of("order", 0, (1,)):
        chunks.reverse()
    text = b"".join(name + struct.pack(">I", size) + part + b"\0" * (len(part) % 2) for name, part, size in chunks)
    return Input("lying.aiff", b"FORM" + struct.pack(">I", len(text) + 4) + kind + text)


@st.composite
def _lying_au(draw: st.DrawFn) -> Input:
    data, lies = _body(draw), _Lies(draw, ["offset", "size", "encoding", "rate", "channels"])
    header = struct.pack(
        ">5I",
        lies.of("offset", 28, (24, 29, *_LIES)),
        lies.of("size", len(data), _LIES),
        lies.of("encoding", 3, (1, 2, 5, 6, 7, 23, 24, 25, 26, 27, 0, 99)),
        lies.of("rate", 8000, (44100, *_LIES)),
        lies.of("channels", 1, (2, 0, 1024, 2**31)),
    )
    return Input("lying.au", b".snd" + header + b"note" + data)


def _body(draw: st.DrawFn) -> bytes:
    return draw(st.binary(min_size=2, max_size=64)) * draw(st.sampled_from((30, 1, 0)))


class _Lies:
    """Which fields of a file are not what they should be: at most two, or hardly a file would be believed at all."""

    def __init__(self, draw: st.DrawFn, fields: list[str]) -> None:
        self._draw = draw
        self._fields = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=2))

    def of(self, field: str, truth: Any, lies: Sequence[Any]) -> Any:
        """Return what stands in a field."""
        return self._draw(st.sampled_from(lies)) if field in self._fields else truth


@st.composite
def _reordered(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Take the chunks of a file apart and put them together otherwise."""
    seed = draw(st.sampled_from(seeds))
    order, place, chunks = _CHUNKED[seed.data[:4].decode()], _HEADER, []
    while place + 8 <= len(seed.data):
        n_bytes = min(struct.unpack_from(f"{order}I", seed.data, place + 4)[0], len(seed.data))
        chunks.append(seed.data[place : place + 8 + n_bytes + n_bytes % 2])
        place += 8 + n_bytes + n_bytes % 2
    chosen = list(draw(st.permutations(chunks)))
    if draw(st.booleans()):
        chosen.insert(draw(st.integers(0, len(chosen))), draw(st.sampled_from(chunks)))
    if draw(st.booleans()):
        index = draw(st.integers(0, len(chosen) - 1))
        size = struct.pack(f"{order}I", draw(st.sampled_from(_LIES)))
        chosen[index] = chosen[index][:4] + size + chosen[index][8:]
    return Input(seed.name, seed.data[:_HEADER] + b"".join(chosen))


@st.composite
def _lying_ogg(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Change pages and make their checksums right again, so that what they say is believed."""
    seed = draw(st.sampled_from(seeds))
    pages = ogg_pages(seed.data)
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(pages) - 1))
        page, what = bytearray(pages[index]), draw(st.integers(0, 5))
        if what == 0:
            page[6:14] = struct.pack("<Q", draw(st.sampled_from((*_LIES, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 1))))
        elif what == 1:
            page[5] = draw(st.integers(0, 7))
        elif what == 2:
            page[14:22] = draw(st.binary(min_size=8, max_size=8))
        elif what == 3:
            pages.insert(draw(st.integers(0, len(pages))), bytes(page))
        elif what == 4 and len(pages) > 2:
            del pages[draw(st.integers(1, len(pages) - 1))]
            continue
        else:
            number = drawn_number(draw)
            start = draw(st.integers(27, max(27, len(page) - len(number))))
            page[start : start + len(number)] = number
        pages[min(index, len(pages) - 1)] = bytes(page)
    return Input(seed.name, b"".join(sealed_page(page) for page in pages))


def ogg_pages(data: bytes) -> list[bytes]:
    """Split an Ogg file."""
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


def sealed_page(page: bytes) -> bytes:
    """Write the checksum of an Ogg page into it (RFC 3533: the polynomial 0x04c11db7, nothing reflected)."""
    checksum = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ _CRC[checksum >> 24 ^ byte]
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def _crc_of(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


_CRC = [_crc_of(byte) for byte in range(256)]


@st.composite
def _lying_boxes(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Write wrong numbers into the boxes of an MP4 file that say how much of what there is."""
    seed = draw(st.sampled_from(seeds))
    data = bytearray(seed.data)
    names = (b"mvhd", b"mdhd", b"tkhd", b"stts", b"stsc", b"stsz", b"stco", b"stsd", b"mp4a", b"esds", b"elst", b"mdat")
    for _ in range(draw(st.integers(1, 3))):
        place = data.find(draw(st.sampled_from(names)))
        number = struct.pack(">I", draw(st.sampled_from(_LIES)))
        start = max(0, place + draw(st.integers(-1, 12)) * 4)
        data[start : start + 4] = number
    return Input(seed.name, bytes(data))


@st.composite
def _lying_flac(draw: st.DrawFn, seeds: Sequence[Input]) -> Input:
    """Change what STREAMINFO says: rate (20 bits), channels (3), bits (5) and number of samples (36)."""
    data = bytearray(draw(st.sampled_from(seeds)).data)
    rate = draw(st.sampled_from((8000, 8000, 44100, 1, 0, 655350, 2**20 - 1)))
    n_samples = draw(st.sampled_from((960, 0, 1, 961, 10**6, 2**31, 2**32 - 1, 2**36 - 1)))
    packed = rate << 44 | draw(st.integers(0, 7)) << 41 | draw(st.sampled_from((15, 23, 7, 0, 31))) << 36 | n_samples
    data[18:26] = packed.to_bytes(8, "big")
    if draw(st.booleans()):
        data[8:12] = draw(st.binary(min_size=4, max_size=4))
    return Input("lying.flac", bytes(data))


@st.composite
def _frames_of_mp3(draw: st.DrawFn) -> Input:
    """Write frames of layer III with tags before, between and behind them."""
    parts = []
    if draw(st.booleans()):
        parts.append(b"ID3\x04\0\0" + draw(st.binary(min_size=4, max_size=4)) + draw(st.binary(max_size=40)))
    for _ in range(draw(st.integers(1, 6))):
        bits = draw(st.integers(0, 2**19 - 1))
        header = struct.pack(">I", 0x7FF << 21 | (3 << 19 | 1 << 17 if draw(st.booleans()) else 0) | bits)
        parts.append(header + draw(st.sampled_from((b"", b"Xing", b"\0" * 17 + b"Info", b"TAG"))) + bytes(413))
    return Input("lying.mp3", b"".join(parts))
