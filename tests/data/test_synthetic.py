import csv
import errno
import hashlib
from collections import Counter

import numpy as np
import pytest
import soundfile

from cohear.data.synthetic import write_sounds
from cohear.data.synthetic_places import PEAK_LIMIT
from cohear.data.synthetic_voices import VOICES
from cohear.errors import UserError
from cohear.runtime import disk

pytestmark = pytest.mark.slow

RATE = 22050


def fingerprints(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sounds(tmp_path_factory.mktemp("made up") / "sounds", n_clips=2, clip_s=1.0)


def test_table_lists_every_label_in_every_fold(folder):
    with (folder / "sounds.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert list(rows[0]) == ["path", "label", "fold", "group"]
    assert Counter((row["label"], row["fold"]) for row in rows) == {
        (label, fold): 2 for label in VOICES for fold in "123"
    }
    assert len({row["group"] for row in rows}) == len(rows) == 60
    assert {row["path"] for row in rows} | {"sounds.csv"} == set(fingerprints(folder))
    assert "place1/siren-02.wav" in {row["path"] for row in rows}


def test_files_are_16_bit_and_peak_limited(folder):
    for path in folder.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_16", RATE, 1, RATE)
        samples, _ = soundfile.read(path, dtype="int16")
        assert 0.1 * 32767 < np.abs(samples.astype(int)).max() <= round(PEAK_LIMIT * 32767)


def test_same_seed_writes_the_same_bytes_and_another_seed_others(folder, tmp_path):
    again = fingerprints(write_sounds(tmp_path / "again", n_clips=1, clip_s=1.0))
    other = fingerprints(write_sounds(tmp_path / "other", seed=1, n_clips=1, clip_s=1.0))
    whole = fingerprints(folder)
    for path, digest in again.items():
        if path.endswith(".wav"):
            assert whole[path] == digest  # a smaller set is a part of the larger one
            assert other[path] != digest
    assert len(set(whole.values())) == len(whole)


def test_fewer_folds_are_the_first_places(folder, tmp_path):
    one = fingerprints(write_sounds(tmp_path / "one", n_folds=1, n_clips=1, clip_s=1.0))
    assert {path.split("/")[0] for path in one} == {"place1", "sounds.csv"}


def test_a_folder_that_holds_files_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        write_sounds(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    assert write_sounds(tmp_path / "empty", n_folds=1, n_clips=1, clip_s=1.0).joinpath("sounds.csv").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    write, n_written = disk.write, 0

    def fill_up(file, data):
        nonlocal n_written
        n_written += 1
        if n_written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    monkeypatch.setattr(disk, "write", fill_up)
    with pytest.raises(UserError, match=r"cannot be written to .*sounds \(No space left on device\)"):
        write_sounds(tmp_path / "sounds", clip_s=1.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_folds": 4}, "n_folds is 4, but there are 3 places"),
        ({"n_clips": 0}, "n_clips is 0"),
        ({"clip_s": 0.5}, r"clip_s is 0\.5"),
        ({"clip_s": float("nan")}, "clip_s is nan"),
        ({"sample_rate": 8000}, "sample_rate is 8000 Hz"),
    ],
)
def test_settings_out_of_range_are_named(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_sounds(tmp_path / "sounds", **settings)
