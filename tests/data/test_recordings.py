"""Folders of noises and of impulse responses, and banks of these on disk."""

import numpy as np
import pytest
import safetensors.numpy

from cohear.data.recordings import load_bank, read_recordings, read_responses, save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from made_stores import write

BANK = ResponseBank(np.float32([[1, 0.5, 0.25], [0, -1, 0.125]]), 22050, ("hall.wav", "église/nef.wav"))


def test_every_sound_of_a_folder_is_read_in_the_order_of_paths_and_resampled(tmp_path):
    steps = np.random.default_rng(0).integers(-9000, 9000, 700).astype(np.int16)
    write(tmp_path / "b.wav", steps)
    write(tmp_path / "a" / "stereo.wav", np.stack((steps, -steps // 2), axis=1)[:300])
    write(tmp_path / "c.flac", np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000), 16_000)
    write(tmp_path / ".hidden" / "d.wav", steps)
    (tmp_path / ".notes.txt").write_text("rain")
    stereo, mono, tone = read_recordings(tmp_path, 8000).waveforms
    np.testing.assert_array_equal(mono * 32768, steps)
    np.testing.assert_array_equal(stereo * 32768, np.stack((steps, -steps // 2))[:, :300].mean(0))
    expected = np.sin(2 * np.pi * 500 * np.arange(8_000) / 8_000)
    np.testing.assert_allclose(tone[500:-500], expected[500:-500], atol=1e-4)


@pytest.mark.parametrize("read", [read_recordings, read_responses])
def test_whatever_is_no_folder_of_sounds_is_refused_by_name(tmp_path, read):
    def refused(name: str) -> None:
        with pytest.raises(UserError, match=name):
            read(tmp_path / "sounds", 8000)

    refused("sounds is no folder")
    (tmp_path / "sounds").mkdir()
    refused("sounds holds no sound file")
    for name, content in (("notes.txt", b"rain"), ("noise.wav", b"no sound at all")):
        (tmp_path / "sounds" / name).write_bytes(content)
        refused(name)
        (tmp_path / "sounds" / name).unlink()
    write(tmp_path / "sounds" / "silence.wav", np.zeros(100))
    refused(r"silence\.wav is silent")


def test_a_bank_is_read_as_it_was_written_and_nothing_is_left_beside_it(tmp_path):
    save_bank(BANK, tmp_path / "rooms.safetensors")
    found = load_bank(tmp_path / "rooms.safetensors")
    assert found == BANK
    assert (found.names, found.sample_rate, found.fingerprint) == (BANK.names, 22050, BANK.fingerprint)
    assert [path.name for path in tmp_path.iterdir()] == ["rooms.safetensors"]
    with pytest.raises(UserError, match="nowhere"):
        save_bank(BANK, tmp_path / "nowhere" / "bank")


def test_any_missing_damaged_or_foreign_bank_is_refused_by_name(tmp_path):
    save_bank(BANK, tmp_path / "bank")
    written = (tmp_path / "bank").read_bytes()
    described = {"format": "cohear response bank 1", "sample_rate": "8000", "names": "[]"}
    files = {
        "cut": written[:-4],
        "text": b"no bank at all\n" * 100,
        "foreign": safetensors.numpy.save({"weights": np.zeros(3)}),
        "bare": safetensors.numpy.save({"responses": np.ones((1, 3))}, described),
        "silent": safetensors.numpy.save({"responses": np.zeros((0, 3), np.float32)}, described),
        "nameless": safetensors.numpy.save({"responses": BANK.responses}, {"format": described["format"]}),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in (*files, "missing", "folder"):
        with pytest.raises(UserError, match=name):
            load_bank(tmp_path / name)
