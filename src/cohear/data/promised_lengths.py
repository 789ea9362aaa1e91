"""How many samples a file's header promises, where libsndfile would only say how many there are.

libsndfile reads half a WAV, W64, AIFF or AU file without a word: it replaces the length in the header by what is there.
Its log says both. And it takes the length of an MP3 file that begins without a Xing frame from the bit rate of its
first frame, which is wrong when the rate varies; so there the frames are counted.
"""

import os
import re
import struct
from pathlib import Path
from typing import BinaryIO

import soundfile

_BYTES = re.compile(r"^ *(?:data|Data [Ss]ize|SSND) *: (\d+)(?![x\d])(?: \(should be (\d+)\))?", re.MULTILINE)
"""A line of the log: the bytes that a header promises, and where they are too many the bytes that are there."""

_FILE_BYTES = re.compile(r"^Length : (\d+)", re.MULTILINE)
"""The line of the log with the length of the file; W64 and RF64 are not compared with it."""

_BYTES_PER_S = re.compile(r"^ *Bytes/sec *: (\d+)", re.MULTILINE)
_MUCH_S, _MUCH = 0.1, 0.01
"""Seconds, and share of the declared length: less than that are tags."""

_MP3_KBIT_PER_S = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III in MPEG 1, and in MPEG 2 and 2.5; ISO/IEC 11172-3 and 13818-3."""

_MP3_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Hz, by the two version bits of a frame header: MPEG 1, 2, 2.5."""

_XING_BYTES = 48
"""A Xing frame says so within its first 40 bytes: four of header, at most 32 of side information."""


def promised_n_samples(path: Path, file: soundfile.SoundFile) -> int:
    """Return how many samples per channel a header promises; what the decoder says where it can be trusted.

    Of files that are cut short it is about so many: the samples that are there, times the bytes promised over the bytes
    that are there. The log ends after 2048 characters; of a file with more notes before its sound the decoder is
    trusted.

    Args:
        path: of the file.
        file: the same, open.

    Raises:
        OSError: where the disk does not give the file.
    """
    if file.format == "MP3":
        return _mp3_n_samples(path) or file.frames
    log = file.extra_info
    found, length = _BYTES.search(log), _FILE_BYTES.search(log)
    if not found or not length:
        return file.frames
    n_promised, n_there = int(found[1]), int(found[2] or length[1])
    if n_promised <= n_there or not n_there or _is_unknown(n_promised):
        return file.frames
    return file.frames * n_promised // n_there


def seconds_beyond(path: Path, file: soundfile.SoundFile) -> float:
    """Return seconds of sound that a WAV or MP3 file holds beyond what its header declares, 0 unless that is much.

    A recorder that loses its battery leaves the header as it was. What lies behind the declared sound is then no chain
    of chunks; zeros alone are room that was kept free. MP3 files put one behind the other keep the header of the first.

    Args:
        path: of the file.
        file: the same, open.

    Raises:
        OSError: where the disk does not give the file.
    """
    rate = _BYTES_PER_S.search(file.extra_info)
    if file.format == "MP3":
        return _joined_s(path, file.frames / file.samplerate)
    if file.format not in ("WAV", "WAVEX") or not rate or not int(rate[1]):
        return 0.0
    n_bytes = os.stat(path).st_size
    with open(path, "rb") as raw:
        end = _data_end(raw, n_bytes)
        beyond_s = (n_bytes - end) / int(rate[1])
        if beyond_s <= max(_MUCH_S, _MUCH * file.frames / file.samplerate) or _chunks_end(raw, end, n_bytes) == n_bytes:
            return 0.0
        raw.seek(end)
        while block := raw.read(1 << 20):
            if any(block):
                return beyond_s
    return 0.0


def _data_end(raw: BinaryIO, n_bytes: int) -> int:
    """Return where the declared sound of a WAV file ends; the end of the file where that is not found."""
    place = 12
    while place + 8 <= n_bytes:
        raw.seek(place)
        name, size = struct.unpack("<4sI", raw.read(8))
        place += 8 + size + size % 2
        if name == b"data":
            return n_bytes if _is_unknown(size) else min(place, n_bytes)
    return n_bytes


def _chunks_end(raw: BinaryIO, place: int, n_bytes: int) -> int:
    """Follow chunks, each with a name of letters, and return where they end."""
    while place + 8 <= n_bytes:
        raw.seek(place)
        name, size = struct.unpack("<4sI", raw.read(8))
        if not name.decode("latin-1").isprintable() or not name.isascii() or place + 8 + size > n_bytes:
            break
        place += 8 + size + size % 2
    return min(place, n_bytes) if n_bytes - place > 1 else n_bytes


def _is_unknown(n_bytes: int) -> bool:
    """Tell the numbers by which writers to a pipe say that they do not know the length.

    Standard and FFmpeg put all of 32 bits there, arecord and others all but the sign, less a header, a block or some
    whole KiB: SoX, MPlayer, GStreamer. In 64 bits there is no file of exabytes.
    """
    return 2**31 - 2**16 <= n_bytes <= 2**31 or 2**32 - 64 <= n_bytes < 2**32 or n_bytes >= 2**62


def _mp3_n_samples(path: Path) -> int | None:
    """Count the frames of layer III; None where a Xing frame tells the decoder, or something else is among them."""
    n_samples, n_bytes = 0, os.stat(path).st_size
    with open(path, "rb") as file:
        place = _id3_bytes(file.read(10))
        while place + 4 <= n_bytes:
            file.seek(place)
            start = file.read(_XING_BYTES)
            header = int.from_bytes(start[:4], "big")
            version, layer = header >> 19 & 3, header >> 17 & 3
            rate_index, sample_rate_index, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
            if header >> 21 != 0x7FF or version == 1 or layer != 1 or rate_index in (0, 15) or sample_rate_index == 3:
                # No longer a frame: a tag at the end, or damage, which the decoder knows to jump over, and we do not.
                return n_samples if start.startswith((b"TAG", b"APETAGEX", b"ID3")) else None
            if n_samples == 0 and (b"Xing" in start or b"Info" in start):
                return None
            is_mpeg_1 = version == 3
            n_frame_samples = 1152 if is_mpeg_1 else 576
            bits_per_s = 1000 * _MP3_KBIT_PER_S[is_mpeg_1][rate_index]
            place += n_frame_samples // 8 * bits_per_s // _MP3_SAMPLE_RATES[version][sample_rate_index] + padding
            n_samples += n_frame_samples
    return n_samples


def _joined_s(path: Path, declared_s: float) -> float:
    """Return about how many seconds lie behind the bytes that a Xing frame counts, where frames go on there."""
    n_bytes = os.stat(path).st_size
    with open(path, "rb") as file:
        first = _id3_bytes(file.read(10))
        file.seek(first)
        frame = file.read(_XING_BYTES + 12)
        place = max(frame.find(b"Xing", 0, _XING_BYTES), frame.find(b"Info", 0, _XING_BYTES))
        flags, n_declared = int.from_bytes(frame[place + 4 : place + 8], "big"), 0
        if place >= 0 and flags & 2:
            where = place + (12 if flags & 1 else 8)
            n_declared = int.from_bytes(frame[where : where + 4], "big")
        file.seek(first + n_declared)
        end = first + n_declared + _id3_bytes(file.read(10))
        file.seek(end)
        beyond_s = declared_s * (n_bytes - end) / n_declared if n_declared and file.read(1) == b"\xff" else 0.0
    return beyond_s if beyond_s > max(_MUCH_S, _MUCH * declared_s) else 0.0


def _id3_bytes(start: bytes) -> int:
    """Return the length of an ID3v2 tag before the sound; its header gives it in four times seven bits."""
    if start[:3] != b"ID3" or len(start) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
