import csv
import errno
import hashlib
from collections import Counter

import numpy as np
import pytest
from scipy import signal

from cohear import keys
from cohear.data.synthetic import PEAK_LIMIT, PLACES, VOICES, made_up_sound, write_sounds
from cohear.errors import UserError
from cohear.runtime import disk

pytestmark = pytest.mark.slow

RATE = 22050
N_SAMPLES = 2 * RATE


def fingerprints(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def play(label, seed, pitch=1.0):
    return VOICES[label](keys.key(seed, "test"), N_SAMPLES, RATE, pitch)


def spectrum(sound):
    return signal.welch(sound, RATE, nperseg=8192)


def center_hz(sound):
    frequency_hz, power = spectrum(sound)
    return float((power * frequency_hz).sum() / power.sum())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sounds(tmp_path_factory.mktemp("made up") / "sounds", n_clips=2, clip_s=1.0)


def test_table_lists_every_label_in_every_fold(folder):
    rows = list(csv.DictReader((folder / "sounds.csv").read_text().splitlines()))
    assert Counter((row["label"], row["fold"]) for row in rows) == dict.fromkeys(
        ((label, fold) for label in VOICES for fold in "123"), 2
    )
    assert len({row["group"] for row in rows}) == len(rows) == 60
    assert {row["path"] for row in rows} | {"sounds.csv"} == set(fingerprints(folder))


def test_the_demos_sounds_stay_as_they_were_recorded(folder, tmp_path):
    small, whole = fingerprints(write_sounds(tmp_path / "again", n_clips=1, clip_s=1.0)), fingerprints(folder)
    assert all(whole[path] == wav for path, wav in small.items() if path.endswith(".wav"))
    assert len(set(whole.values())) == len(whole)
    played = [made_up_sound(label, place, keys.key(0, "test"), RATE) for label in VOICES for place in PLACES]
    # In 8 bits, in which the last bits of processors are not heard.
    heard = np.round(100 * np.concatenate(played)).astype(np.int8)
    assert hashlib.sha256(heard.tobytes()).hexdigest().startswith("023300de169334c9")


def test_the_table_comes_last_and_a_broken_off_writing_is_begun_anew(folder, tmp_path, monkeypatch):
    n_written, write = 0, disk.write

    def fill_up(file, data):
        nonlocal n_written
        n_written += 1
        if n_written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", fill_up)
        with pytest.raises(UserError, match="cannot be written"):
            write_sounds(tmp_path / "sounds", n_clips=2, clip_s=1.0)
    assert not (tmp_path / "sounds" / "sounds.csv").exists()
    assert fingerprints(write_sounds(tmp_path / "sounds", n_clips=2, clip_s=1.0)) == fingerprints(folder)


@pytest.mark.parametrize("label", VOICES)
def test_every_voice_is_heard_over_the_noise_never_clips_and_follows_the_pitch(label):
    for place in PLACES:
        recording = made_up_sound(label, place, keys.key(0, "test"), N_SAMPLES)
        assert 0.1 < np.abs(recording).max() <= PEAK_LIMIT + 1e-12
        frames = recording[: N_SAMPLES // 1100 * 1100].reshape(-1, 1100)  # of 50 ms
        assert 10 * np.log10((frames**2).mean(axis=1).max()) > place.noise_db + 5
    ratios = [center_hz(play(label, seed, 1.25)) / center_hz(play(label, seed)) for seed in range(6)]
    assert 1.1 < np.median(ratios) < 1.4
