"""Files that are cut short, or say of themselves what is not so, against what was written to them."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.data.audio_decoding import AudioStream, decode
from cohear.data.audio_files import probe
from cohear.errors import UserError
from made_stores import write

RATE = 8000
NOISE = np.random.default_rng(2).uniform(-0.5, 0.5, 4 * RATE)


def cut(path: Path, part: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        *((f"a.{suffix}", {}) for suffix in ("wav", "aiff", "au", "w64", "rf64", "mp3", "flac", "caf")),
        *(("a.wav", {"subtype": subtype}) for subtype in ("FLOAT", "ULAW", "IMA_ADPCM")),
        ("a.aifc", {"subtype": "ALAW", "format": "AIFF"}),
    ],
)
def test_half_a_file_is_refused_with_its_name(tmp_path, name, kwargs):
    path = write(tmp_path / name, NOISE, RATE, **kwargs)
    assert probe(path).duration_s == pytest.approx(4, abs=0.1)
    assert len(decode(path).waveform) == pytest.approx(4 * RATE, abs=0.1 * RATE)
    cut(path, 0.5)
    with pytest.raises(UserError, match=rf"{name} (gives only [12]\.\d\d of [34]\.\d\d s|is damaged|cannot be read)"):
        decode(path)


def test_nearly_whole_file_is_used_and_its_shortfall_told(tmp_path):
    decoded = decode(cut(write(tmp_path / "a.wav", NOISE, RATE), 0.97))
    assert decoded.shortfall_s == pytest.approx(0.12, abs=0.001)
    assert len(decoded.waveform) == pytest.approx(0.97 * 4 * RATE, abs=50)


def test_segment_of_half_a_file_is_used_where_it_is_there(tmp_path):
    path = cut(write(tmp_path / "a.wav", NOISE, RATE), 0.5)
    assert decode(path, 0.5, 1.5).shortfall_s == 0.0
    with pytest.raises(UserError, match=r"gives only 0\.50 of 1\.50 s from 1\.5 s on"):
        decode(path, 1.5, 3.0)


def claiming(path: Path, n_bytes: int, subtype: str = "PCM_16") -> Path:
    """Write a second of sound whose header declares another number of bytes."""
    content = bytearray(write(path, NOISE[:RATE], RATE, subtype=subtype).read_bytes())
    position = content.index(b"data") + 4
    content[position : position + 4] = struct.pack("<I", n_bytes)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("n_bytes", "subtype"),
    [
        *((n, "PCM_16") for n in (0xFFFFFFFF, 0xFFFFFFDB, 0x80000000, 0x7FFF0000)),
        (0x7FFFF000 // 3 * 3, "PCM_24"),  # as SoX rounds it
    ],
)
def test_wav_of_unknown_length_is_used_whole(tmp_path, n_bytes, subtype):
    decoded = decode(claiming(tmp_path / "a.wav", n_bytes, subtype))
    assert (len(decoded.waveform), decoded.shortfall_s) == (RATE, 0.0)


@pytest.mark.parametrize("n_bytes", [4_000_000_000, 0xFFFFFFFF - 1000, 0x80000002, 32_000])
def test_wav_that_claims_more_than_there_is_is_refused(tmp_path, n_bytes):
    with pytest.raises(UserError, match=rf"a\.wav gives only 1\.00 of {n_bytes // 2 / RATE:.2f} s: it is cut short"):
        decode(claiming(tmp_path / "a.wav", n_bytes))


def test_mp3_of_varying_rate_without_length_is_not_cut_silently(tmp_path):
    # The first frame is a Xing frame with the length; without it, libsndfile guesses from the bit rate of the next,
    # and ends there.
    path = write(tmp_path / "a.mp3", np.random.default_rng(3).normal(0, 0.02, 4 * 44100), 44100)
    content = path.read_bytes()
    path.write_bytes(content[content.index(content[:2], 4) :])
    assert soundfile.info(path).duration < 3.5
    with pytest.raises(UserError, match=r"a\.mp3 gives only [123]\.\d\d of 4\.\d\d s"):
        decode(path)
    stream = AudioStream(path, RATE)
    assert sum(map(len, stream)) > RATE
    assert "gives only" in str(stream.damage)


# MPEG 1 layer III, 128 kbit/s, 44.1 kHz, no padding: 144 * 128000 / 44100 = 417 bytes.
FRAME = bytes.fromhex("fffb9064") + bytes(413)
TAG = b"ID3\x04\x00\x00" + bytes([0, 0, 2, 3]) + bytes(2 * 128 + 3)


@pytest.mark.parametrize(
    "content",
    [FRAME * 10, TAG + FRAME * 10 + b"TAG" + bytes(125), FRAME * 9 + FRAME[:300]],
    ids=["bare", "tags", "cut"],
)
def test_mp3_frames_are_counted(tmp_path, content):
    (tmp_path / "a.mp3").write_bytes(content)
    assert probe(tmp_path / "a.mp3").duration_s == pytest.approx(10 * 1152 / 44100)
