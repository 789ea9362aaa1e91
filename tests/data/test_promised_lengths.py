import struct

import numpy as np
import pytest
import soundfile

from cohear.data.audio_files import AUDIO_SUFFIXES, decode
from cohear.data.promised_lengths import promised_n_samples
from cohear.errors import UserError
from faults.fuzz.inputs import CORPUS


@pytest.mark.parametrize(
    ("name", "subtype", "n_channels"),
    [
        ("a.wav", "PCM_16", 1),
        ("a.wav", "PCM_24", 2),
        ("a.wav", "FLOAT", 3),
        ("a.wav", "ULAW", 1),
        ("a.aiff", "PCM_16", 2),
        *(
            ("a.au", subtype, 2)
            for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
        ),
        ("a.w64", "PCM_24", 3),
        ("a.w64", "FLOAT", 1),
    ],
)
def test_promise_survives_the_loss_of_the_second_half(tmp_path, name, subtype, n_channels):
    soundfile.write(tmp_path / name, np.zeros((5000, n_channels)), 8000, subtype=subtype)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert promised_n_samples(tmp_path / name) == 5000


@pytest.mark.parametrize("name", ["a.wav", "a.w64"])
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_packets_promise_where_some_are_missing(tmp_path, name, subtype):
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), 8000, subtype=subtype)
    assert promised_n_samples(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert promised_n_samples(path) == pytest.approx(80_000, rel=0.02)
    with pytest.raises(UserError, match=rf"{name} gives only [45]\.\d\d of (9|10)\.\d\d s"):
        decode(path)


def test_rf64_promises_by_its_64_bit_size(tmp_path):
    path = tmp_path / "a.wav"
    format_chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, 2 * 4000, 4000, 0)
    data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + bytes(100)
    path.write_bytes(struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + format_chunk + data)
    assert promised_n_samples(path) == 4000


def test_chunks_of_odd_length_are_followed_by_a_byte_of_padding(tmp_path):
    path = tmp_path / "a.wav"
    format_chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    odd_chunk = struct.pack("<4sI", b"note", 3) + b"abc" + bytes(1)
    data = struct.pack("<4sI", b"data", 2 * 700) + bytes(100)
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + odd_chunk + format_chunk + data)
    assert promised_n_samples(path) == 700


def mp3_frames(n_frames: int, first: bytes = b"") -> bytes:
    # MPEG 1 layer III, 128 kbit/s, 44.1 kHz, no padding: 144 * 128000 / 44100 = 417 bytes.
    frame = bytes.fromhex("fffb9064") + bytes(413)
    return first + frame * n_frames


def test_mp3_frames_are_counted_behind_an_id3_tag(tmp_path):
    path = tmp_path / "a.mp3"
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 2, 3]) + bytes(2 * 128 + 3)
    path.write_bytes(mp3_frames(10, first=tag) + b"TAG" + bytes(125))
    assert promised_n_samples(path) == 10 * 1152


def test_mp3_with_damage_is_left_to_the_decoder(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3_frames(5) + bytes(100) + mp3_frames(5))
    assert promised_n_samples(path) is None


def test_mp3_with_a_xing_frame_is_left_to_the_decoder(tmp_path):
    path = tmp_path / "a.mp3"
    xing = bytes.fromhex("fffb9064") + bytes(32) + b"Xing" + bytes(377)
    path.write_bytes(mp3_frames(10, first=xing))
    assert promised_n_samples(path) is None


def test_formats_that_the_decoder_checks_itself_promise_nothing(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(5000), 8000)
    assert promised_n_samples(tmp_path / "a.flac") is None


def test_compressed_aiff_counts_packets_and_promises_nothing(tmp_path):
    soundfile.write(tmp_path / "a.aifc", np.zeros(5000), 8000, subtype="IMA_ADPCM", format="AIFF")
    assert promised_n_samples(tmp_path / "a.aifc") is None
    for subtype in ("ULAW", "FLOAT", "PCM_S8"):
        soundfile.write(tmp_path / "b.aifc", np.zeros(5000), 8000, subtype=subtype, format="AIFF")
        assert promised_n_samples(tmp_path / "b.aifc") == 5000


@pytest.mark.parametrize("path", sorted((CORPUS / "audio").iterdir()), ids=lambda path: path.name)
def test_whole_files_of_every_kind_give_all_of_their_sound(path):
    assert path.suffix in AUDIO_SUFFIXES
    audio = decode(path)
    assert 0.09 <= len(audio.waveform) / audio.sample_rate <= 0.2  # of 0.12 s; codecs pad, and WMA drops its delay
    assert np.abs(audio.waveform).max() > 0.2


def test_a_file_of_nothing_but_chunks_is_left_to_the_decoder(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"note\0\0\0\0" * 100_000 + b"data\x64\0\0\0" + bytes(100))
    assert promised_n_samples(path) is None
