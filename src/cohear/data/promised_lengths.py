"""How many samples a file's own header promises, where the decoder would not tell.

libsndfile reads half a WAV, W64, AIFF or AU file without a word: it replaces the length in the header by what is
there. And it takes the length of an MP3 file that begins without a Xing frame from the bit rate of its first
frame, which is wrong when the rate varies. So these headers are read here, to be compared with what was
decoded.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cohear.data.audio_opening import not_given

_MOST_CHUNKS = 1000
"""Of a file; recorders write a dozen, and a file of nothing but empty ones would be walked through for minutes."""

_UNKNOWN_BYTES = (
    *(0xFFFFFFFF, 0xFFFFFFFF - 36),  # FFmpeg, by the standard of broadcasters; the whole file's size, less the header
    *(0x80000000, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x7FFFFF00),  # arecord, and other recorders that count with a sign
    *(0x7FFFF000, 0x7FFF0000),  # SoX and MPlayer, GStreamer
)
"""Writers to a pipe cannot know the length and put one of these there, SoX rounded down to whole blocks.

Whatever else is more than there is says that the file is cut short, or lies.
"""

_UNKNOWN_BYTES_64 = 1 << 62
"""In 64 bits they put all of them there, or all but the sign; a file of exabytes there is none."""

_FIXED_SIZE_FORMATS = {1, 3, 6, 7, 0xFFFE}
"""WAVE format tags whose block is one sample per channel: PCM, float, A-law, mu-law, extensible."""

_AIFC_SAMPLES = {
    *(b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"42ni", b"23ni"),
    *(b"fl32", b"FL32", b"fl64", b"FL64", b"ulaw", b"ULAW", b"alaw", b"ALAW"),
}
"""Compression types of AIFC whose frame is one sample per channel; of the others it is a packet of many."""

_AU_SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes of a sample by the encodings of AU that have whole ones: mu-law, 8 to 32 bits, floats, A-law."""

_W64_MAGIC = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"
_W64_HEADER = 40
"""Bytes before the first chunk of a W64 file."""

_MP3_KBIT_PER_S = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by MPEG version (2 stands for 2 and 2.5), ISO/IEC 11172-3 and 13818-3."""

_MP3_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Hz, by the two version bits of a frame header: MPEG 1, 2, 2.5."""

_CHUNK_BYTES = 64
"""What is looked at of a chunk."""

_XING_BYTES = 48
"""A Xing frame says so within its first 40 bytes: four of header, at most 32 of side information."""


def promised_n_samples(path: Path) -> int | None:
    """Read how many samples per channel a header promises; None where the decoder itself can be trusted.

    Raises:
        UserError: where its disk does not give the file.
    """
    try:
        with open(path, "rb") as file:
            return _promised(file, path.suffix.lower())
    except OSError:
        raise not_given(path) from None


def _promised(file: BinaryIO, suffix: str) -> int | None:
    """Read it of an open file; `suffix` is the end of its name, in small letters."""
    magic = file.read(12)
    if magic[:4] in (b"RIFF", b"RF64", b"RIFX") and magic[8:] == b"WAVE":
        return _wave_n_samples(file, "big" if magic[:4] == b"RIFX" else "little")
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return _aiff_n_samples(file, is_compressed=magic[8:] == b"AIFC")
    if magic[:4] in (b".snd", b"dns."):
        return _au_n_samples(magic + file.read(12), ">" if magic[:4] == b".snd" else "<")
    if magic == _W64_MAGIC:
        return _w64_n_samples(file) if _go_to(file, _W64_HEADER) else None
    if suffix == ".mp3" and _go_to(file, _id3_bytes(magic)):
        return _mp3_n_samples(file)
    return None


def _go_to(file: BinaryIO, place: int) -> bool:
    """Go to where a header points; False, and nothing done, beyond the file's end: no disk takes just any number."""
    is_within = place <= os.fstat(file.fileno()).st_size
    if is_within:
        file.seek(place)
    return is_within


def _wave_n_samples(file: BinaryIO, byte_order: str) -> int | None:
    """Divide the size of the data chunk by the size of a block."""
    mark = "<" if byte_order == "little" else ">"
    format, data_bytes_64 = None, None
    for name, n_bytes in _chunks(file, mark):
        if name == b"data":
            if format is None:
                return None
            if n_bytes == 0xFFFFFFFF and data_bytes_64 is not None:
                n_bytes, is_unknown = data_bytes_64, data_bytes_64 >= _UNKNOWN_BYTES_64
            else:
                block_bytes = max(1, format.block_bytes)
                is_unknown = n_bytes == 0 or any(0 <= unknown - n_bytes < block_bytes for unknown in _UNKNOWN_BYTES)
            return None if is_unknown else _n_samples(file, format, n_bytes)
        body = file.read(min(n_bytes, _CHUNK_BYTES))
        if name == b"ds64" and len(body) >= 16:
            data_bytes_64 = struct.unpack_from("<Q", body, 8)[0]
        if name == b"fmt ":
            format = _read_format(body, mark)
    return None


class _Format(NamedTuple):
    """What the format chunk of a WAV or W64 file says first."""

    tag: int
    n_channels: int
    sample_rate: int
    bytes_per_s: int
    block_bytes: int


def _read_format(body: bytes, mark: str) -> _Format | None:
    return _Format(*struct.unpack_from(f"{mark}HHIIH", body)) if len(body) >= 14 else None


def _n_samples(file: BinaryIO, format: _Format | None, n_bytes: int) -> int | None:
    """Turn the size of a data chunk, at whose body the file stands, into samples; of packets only if some are missing.

    How many samples are in a packet the decoder knows; about how many are missing the bytes of a second tell.
    """
    if format is None:
        return None
    if format.tag in _FIXED_SIZE_FORMATS:
        return n_bytes // format.block_bytes if format.block_bytes else None
    is_whole = n_bytes <= os.fstat(file.fileno()).st_size - file.tell()
    return None if is_whole or not format.bytes_per_s else n_bytes * format.sample_rate // format.bytes_per_s


def _w64_n_samples(file: BinaryIO) -> int | None:
    """Divide the size of the data chunk by the size of a block; sizes count the 24 bytes before a chunk's body."""
    format = None
    for _ in range(_MOST_CHUNKS):
        head = file.read(24)
        if len(head) < 24:
            return None
        start, n_bytes = file.tell(), struct.unpack_from("<Q", head, 16)[0]
        if not 24 <= n_bytes < _UNKNOWN_BYTES_64:
            return None
        if head[:4] == b"data":
            return _n_samples(file, format, n_bytes - 24)
        if head[:4] == b"fmt ":
            format = _read_format(file.read(_CHUNK_BYTES), "<")
        if not _go_to(file, start + n_bytes - 24 + -n_bytes % 8):
            return None
    return None


def _au_n_samples(header: bytes, mark: str) -> int | None:
    """Divide the size of the sound by the size of a sample of every channel; all ones say that it is not known."""
    if len(header) < 24:
        return None
    _, n_bytes, encoding, _, n_channels = struct.unpack_from(f"{mark}5I", header, 4)
    block_bytes = _AU_SAMPLE_BYTES.get(encoding, 0) * n_channels
    return None if n_bytes == 0xFFFFFFFF or not block_bytes else n_bytes // block_bytes


def _aiff_n_samples(file: BinaryIO, is_compressed: bool) -> int | None:
    """Read the number of sample frames of the common chunk."""
    for name, n_bytes in _chunks(file, ">"):
        if name == b"COMM":
            body = file.read(min(n_bytes, _CHUNK_BYTES))
            if len(body) < 6 or (is_compressed and body[18:22] not in _AIFC_SAMPLES):
                return None
            return struct.unpack_from(">HI", body)[1]
    return None


def _chunks(file: BinaryIO, mark: str) -> Iterator[tuple[bytes, int]]:
    """Give name and size of chunk after chunk, the file standing at its body; what is read of it does not matter."""
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        name, n_bytes = struct.unpack(f"{mark}4sI", head)
        start = file.tell()
        yield name, n_bytes
        if not _go_to(file, start + n_bytes + n_bytes % 2):
            return


def _mp3_n_samples(file: BinaryIO) -> int | None:
    """Count the frames of layer III; None where a Xing frame tells the decoder, or there is no frame."""
    n_samples = 0
    while len(start := file.read(_XING_BYTES)) >= 4:
        header = int.from_bytes(start[:4], "big")
        version, layer = header >> 19 & 3, header >> 17 & 3
        rate_index, sample_rate_index, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
        if header >> 21 != 0x7FF or version == 1 or layer != 1 or rate_index in (0, 15) or sample_rate_index == 3:
            # No longer a frame: a tag at the end, or damage, which the decoder knows to jump over and this does not.
            return n_samples if start.startswith((b"TAG", b"APETAGEX", b"ID3")) and n_samples else None
        if n_samples == 0 and (b"Xing" in start or b"Info" in start):
            return None
        n_granules = 2 if version == 3 else 1
        bits_per_s = 1000 * _MP3_KBIT_PER_S[1 if version == 3 else 2][rate_index]
        # A frame is 576 samples per granule. At a bit rate r and a sample rate s they take 576 n r / s bits.
        n_bytes = 72 * n_granules * bits_per_s // _MP3_SAMPLE_RATES[version][sample_rate_index] + padding
        n_samples += 576 * n_granules
        if not _go_to(file, file.tell() + n_bytes - len(start)):
            break
    return n_samples or None


def _id3_bytes(start: bytes) -> int:
    """Return the length of an ID3v2 tag before the sound; its header gives it in four times seven bits."""
    if start[:3] != b"ID3" or len(start) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
