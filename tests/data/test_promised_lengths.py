import builtins
import errno
import io
import struct
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from cohear.data import promised_lengths
from cohear.data.audio_files import AUDIO_SUFFIXES, decode, probe
from cohear.data.audio_stream import AudioStream
from cohear.data.datasets import read_dataset
from cohear.data.decoding import StoreSettings
from cohear.data.promised_lengths import promised_n_samples
from cohear.data.store import open_store
from cohear.errors import UserError
from faults.fuzz.inputs import CORPUS, REGRESSIONS
from faults.fuzz.small_disk import open_on_small_disk


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


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("n_bytes", [2**33 + 40, 2**45 + 40, 2**60 + 40, (1 << 62) - 1])
def test_a_chunk_that_ends_beyond_the_file_ends_the_search(tmp_path, monkeypatch, n_bytes):
    whole = (CORPUS / "audio" / "long.w64").read_bytes()
    place = whole.index(b"fmt ") + 16
    path = written(tmp_path / "a.w64", whole[:place] + struct.pack("<Q", n_bytes) + whole[place + 8 :])
    monkeypatch.setattr(builtins, "open", open_on_small_disk)
    assert promised_n_samples(path) is None


def test_chunks_of_gibibytes_lead_nowhere_on_a_small_disk(tmp_path, monkeypatch):
    far = 2**32 - 3
    wave = written(tmp_path / "a.wav", b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"note", far) + bytes(100))
    aiff = written(tmp_path / "a.aiff", b"FORM\0\0\0\0AIFF" + struct.pack(">4sI", b"note", far) + bytes(100))
    monkeypatch.setattr(builtins, "open", open_on_small_disk)
    with open(wave, "rb") as file, pytest.raises(OSError, match="Invalid argument"):
        file.seek(20 + far)
    assert promised_n_samples(wave) is None
    assert promised_n_samples(aiff) is None


def test_a_tag_or_a_last_frame_that_is_cut_short_is_no_place_to_go_to(tmp_path):
    frames = mp3_frames(3)
    assert promised_n_samples(written(tmp_path / "a.mp3", frames[:-100])) == 3 * 1152
    tag = b"ID3\x04\x00\x00" + bytes([127, 127, 127, 127])
    assert promised_n_samples(written(tmp_path / "b.mp3", tag + frames)) is None


def test_a_sound_with_such_a_chunk_is_one_sound_like_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(builtins, "open", open_on_small_disk)
    path = REGRESSIONS / "audio" / "chunk-beyond-the-disk.w64"
    assert probe(path).duration_s == pytest.approx(0.12)
    assert len(decode(path).waveform) == 960
    assert sum(map(len, AudioStream(path, 8000))) == 960


class SickFile(io.FileIO):
    def readinto(self, _buffer, /):
        raise OSError(errno.EIO, "Input/output error")


def test_a_disk_that_does_not_give_a_header_is_told_of_the_file(tmp_path, monkeypatch):
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
        for number in range(2):
            soundfile.write(tmp_path / label / f"{number}.wav", np.full(800, 0.1), 8000)

    def sick_open(path: Path, mode: str) -> IO[bytes]:
        return io.BufferedReader(SickFile(path)) if path.name == "1.wav" else open(path, mode)

    monkeypatch.setattr(promised_lengths, "open", sick_open, raising=False)
    path, said = (
        tmp_path / "x" / "1.wav",
        r"x/1\.wav cannot be read, its disk does not give it: see to the disk, or leave",
    )
    for read in (probe, decode, lambda path: AudioStream(path, 8000)):
        with pytest.raises(UserError, match=said):
            read(path)
    store = open_store(read_dataset(tmp_path), StoreSettings(8000, 0.1), tmp_path / "cache", skip_bad=True)
    assert [clip.path for clip in store.clips] == ["x/0.wav", "y/0.wav"]
    assert [clip_id for clip_id, _ in store.report.skipped] == ["x/1.wav", "y/1.wav"]
    with pytest.raises(UserError, match="2 of 4 clips cannot be used") as error:
        open_store(read_dataset(tmp_path), StoreSettings(8000, 0.1), tmp_path / "cache")
    assert "COHEAR_CACHE" not in str(error.value)
