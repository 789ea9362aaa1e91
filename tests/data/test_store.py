import dataclasses
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from cohear.data import store_files
from cohear.data.clips import Clip, Clips
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.decoding import StoreSettings, decode_clips
from cohear.data.folds import with_folds
from cohear.data.store import open_store
from cohear.errors import UserError
from made_stores import RATE, SETTINGS, open_folder, steps, write, write_m4a


def test_16_bit_sources_come_back_exactly(sounds):
    opened = open_folder(sounds)
    assert [clip.path for clip in opened.clips] == [f"{c}/{n}.wav" for c in ("cat", "dog") for n in range(3)]
    np.testing.assert_array_equal(opened.read([5, 0]), np.stack([steps(12), steps(0)]) / np.float32(32768))
    assert opened.scales.tolist() == [1.0] * 6
    assert opened.rows.read([0]).dtype == np.int16


def test_labels_folds_and_groups_change_the_fingerprint_but_read_and_decode_nothing(sounds, decoded_paths, monkeypatch):
    dataset = read_dataset(sounds)
    open_store(dataset, SETTINGS, sounds.parent / "cache")
    monkeypatch.setattr("cohear.data.store_files._hash_file", lambda path: pytest.fail(f"{path} was read"))
    fingerprints = set()
    for change in ({}, {"labels": ("cow",)}, {"fold": 1}, {"group": "yard"}):
        clips = Clips.of((dataclasses.replace(dataset.clips[0], **change), *dataset.clips[1:]))
        changed = dataclasses.replace(dataset, clips=clips)
        opened = open_store(changed, SETTINGS, sounds.parent / "cache")
        fingerprints.add(opened.fingerprint)
    assert opened.groups[0] == "yard"
    assert len(fingerprints) == 4
    assert len(decoded_paths) == 6


def test_fingerprints_and_names_of_stores_stay_as_they_were_recorded(tmp_path):
    for label, n in (("cat", 3), ("dog; big", 4)):
        for number in range(n):
            path = tmp_path / "sounds" / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:  # its bytes depend on no library's version
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((np.arange(12000) * (7 * number + len(label)) % 20011).astype("<i2").tobytes())
    opened = open_store(
        with_folds(read_dataset(tmp_path / "sounds"), 3, 0), StoreSettings(RATE, 0.5), tmp_path / "cache"
    )
    assert (tmp_path / "cache" / "25ef7744f309b0309f0dc35292d9ff61").is_dir()
    assert opened.contents == "1fd80ef5e0a017868e90e79afccc75b5"
    assert opened.fingerprint == "8c9af4d541d55e084f929ffa753a852e"


def test_several_labels_are_kept_apart(sounds, decoded_paths):
    table = sounds / "t.csv"
    table.write_text("path,label\ncat/0.wav,paws;cat\ndog/0.wav,paws;dog\ncat/1.wav,\n")
    opened = open_store(read_dataset(table), SETTINGS, sounds.parent / "cache")
    assert opened.multi_label
    assert opened.classes == ("cat", "dog", "paws")
    assert [clip.label for clip in opened.clips] == ["cat;paws", "dog;paws", ""]
    one_text = Clips.of(dataclasses.replace(c, labels=(c.label,)) for c in read_dataset(table).clips)
    texts = dataclasses.replace(read_dataset(table), clips=one_text, multi_label=False)
    alike = open_store(texts, SETTINGS, sounds.parent / "cache")
    assert (alike.multi_label, alike.label_sets[0]) == (False, ("cat;paws",))
    assert alike.fingerprint != opened.fingerprint
    assert len(decoded_paths) == 3


@pytest.mark.parametrize(
    ("duration_s", "short", "expected", "place_s", "said"),
    [
        (0.4, "pad", np.pad(steps(50, 0.4), (0, 4800)), (0.0, 0.4), "1 padded with silence (by up to 0.60 s)"),
        (0.4, "repeat", np.resize(steps(50, 0.4), RATE), (0.0, 0.4), "1 repeated (by up to 0.60 s)"),
        (1.4, "pad", steps(50, 1.4)[1600:9600], (0.2, 1.2), "1 cropped to the middle (by up to 0.40 s)"),
    ],
)
def test_recordings_of_other_lengths_become_clips_of_one(sounds, duration_s, short, expected, place_s, said):
    write(sounds / "cat" / "9.wav", steps(50, duration_s))
    opened = open_folder(sounds, StoreSettings(RATE, 1.0, short))
    np.testing.assert_array_equal(opened.read([3])[0] * 32768, expected)
    assert opened.clips[3].id == "cat/9.wav"
    assert (opened.clips[3].start_s, opened.clips[3].end_s) == place_s
    assert said in opened.report.lines


def test_what_is_done_to_sounds_is_told(sounds):
    high = steps(7, sample_rate=16000)
    loud = 3 * np.sin(np.arange(RATE) / 7).astype(np.float32)
    write(sounds / "dog" / "6.wav", high, 16000)
    write(sounds / "dog" / "7.wav", loud, subtype="FLOAT")
    write(sounds / "dog" / "8.wav", np.stack([steps(1), steps(2)], axis=1))
    write(sounds / "dog" / "9.wav", np.zeros(RATE))
    short = write(sounds / "dog" / "99.wav", steps(61, 1.4))
    short.write_bytes(short.read_bytes()[: -2 * 480])
    opened = open_folder(sounds)
    resampled = soxr.resample(high.astype(np.float32) / 32768, 16000, RATE, quality="HQ")
    assert np.abs(opened.read([6])[0] - resampled).max() <= np.abs(resampled).max() / 65000
    np.testing.assert_allclose(opened.read([7])[0], loud, atol=3 / 60000)
    lines = opened.report.lines
    assert any("silence" in line and "dog/9.wav" in line for line in lines)
    assert any("dog/99.wav" in line and "0.06 s" in line for line in lines)


def test_long_recordings_are_cut_into_windows_of_one_group(sounds):
    write(sounds / "cat" / "9.wav", steps(52, 2.5))
    opened = open_folder(sounds)
    windows = opened.clips[3:6]
    assert [clip.id for clip in windows] == ["cat/9.wav#0-1", "cat/9.wav#1-2", "cat/9.wav#1.5-2.5"]
    assert {clip.group for clip in windows} == {"cat/9.wav"}
    np.testing.assert_array_equal(opened.read([5])[0] * 32768, steps(52, 2.5)[12000:])
    assert len(set(opened.clip_keys.tolist())) == len(opened) == 9
    assert any(line.startswith("1 cut into 3 windows") for line in opened.report.lines)


def test_segments_are_stored_as_clips_of_their_own(sounds):
    write(sounds / "long.wav", steps(53, 4.0))
    segments = [("x", 0.5, 1.5), ("y", 2.0, 4.0), ("x", 0.0, 2.0), ("y", 1.0, 3.0)]
    clips = tuple(Clip("long.wav", (label,), start_s=start_s, end_s=end_s) for label, start_s, end_s in segments)
    opened = open_store(Dataset("d", sounds, Clips.of(clips), "annotations"), SETTINGS, sounds.parent / "cache")
    ids = [
        f"long.wav#{place}" for place in ("0.5-1.5", "2-4#2-3", "2-4#3-4", "0-2#0-1", "0-2#1-2", "1-3#1-2", "1-3#2-3")
    ]
    assert [clip.id for clip in opened.clips] == ids
    assert len(set(opened.clip_keys.tolist())) == 7
    expected = [steps(53, 4.0)[first : first + RATE] for first in (4000, 16000, 24000)]
    np.testing.assert_array_equal(opened.read(range(3)) * 32768, np.stack(expected))
    assert opened.groups == ["long.wav"] * 7


def test_clips_of_an_m4a_are_decoded_together_and_keep_their_order(sounds, monkeypatch):
    for name in ("a.m4a", "b.m4a"):
        write_m4a(sounds / name, np.random.default_rng(0).normal(0, 0.1, (2, 6 * 44100)))
    listed = [("a.m4a", 0), ("b.m4a", 2), ("cat/0.wav", 0), ("a.m4a", 4), ("b.m4a", 1), ("a.m4a", 9), ("a.m4a", 2)]
    clips = tuple(Clip(path, ("xy"[start > 1],), start_s=start, end_s=start + 1) for path, start in listed)
    n_together = []
    monkeypatch.setattr(
        store_files, "decode_clips", lambda *given: n_together.append(len(given[1])) or decode_clips(*given)
    )
    dataset = Dataset("d", sounds, Clips.of(clips), "annotations")
    opened = open_store(dataset, SETTINGS, sounds.parent / "cache", skip_bad=True)
    assert sorted(n_together) == [1, 2, 4]
    assert [clip_id for clip_id, _ in opened.report.skipped] == ["a.m4a#9-10"]
    heard = [clip for clip in clips if clip.start_s != 9]
    assert [clip.id for clip in opened.clips] == [clip.id for clip in heard]
    for row, clip in enumerate(heard):
        (alone,) = decode_clips(sounds, [clip], SETTINGS)
        np.testing.assert_array_equal(opened.rows.read([row]), alone.waveforms)


@pytest.fixture
def with_bad_files(sounds) -> Path:
    (sounds / "cat" / "text.wav").write_text("words\n" * 30)
    half = write(sounds / "dog" / "half.flac", steps(60, 4.0))
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    write(sounds / "dog" / "nan.wav", np.full(RATE, np.nan), subtype="FLOAT")
    write(sounds / "dog" / "none.wav", np.zeros(0))
    return sounds


def test_bad_files_are_refused_together_and_nothing_is_left(with_bad_files):
    with pytest.raises(UserError, match=r"4 of 10 clips .*--skip-bad.*text\.wav.*half\.flac.*1 more"):
        open_folder(with_bad_files)
    left = {path.name.split(".")[-1] for path in (with_bad_files.parent / "cache").iterdir()}
    assert left <= {"lock", "json"}


def test_bad_files_are_skipped_and_listed_on_request(with_bad_files):
    opened = open_folder(with_bad_files, skip_bad=True)
    assert len(opened) == 6
    bad = ["cat/text.wav", "dog/half.flac", "dog/nan.wav", "dog/none.wav"]
    assert [clip_id for clip_id, _ in opened.report.skipped] == bad
    assert sum(line.startswith("skipped: ") for line in opened.report.lines) == 4
    np.testing.assert_array_equal(opened.read([3])[0] * 32768, steps(10))
    with pytest.raises(UserError, match="4 of 10 clips cannot be used"):
        open_folder(with_bad_files)


def test_clips_left_out_and_back_again_are_other_contents(sounds, monkeypatch):
    def one_fails(root: Path, clips, settings):
        return [UserError("not now")] if clips[0].path == "cat/1.wav" else decode_clips(root, clips, settings)

    with monkeypatch.context() as patch:
        patch.setattr(store_files, "decode_clips", one_fails)
        fewer = open_folder(sounds, skip_bad=True)
    shutil.rmtree(sounds.parent / "cache")
    assert len(fewer) == len(open_folder(sounds)) - 1
    assert fewer.contents != open_folder(sounds).contents


def test_missing_file_is_bad_until_it_appears(sounds):
    clips = (Clip("cat/0.wav", ("cat",)), Clip("cow/0.wav", ("cow",)))
    dataset, cache = Dataset("d", sounds, Clips.of(clips), "table"), sounds.parent / "cache"
    with pytest.raises(UserError, match=r"cow/0\.wav cannot be opened"):
        open_store(dataset, SETTINGS, cache)
    with pytest.raises(UserError, match="fewer than two classes"):
        open_store(dataset, SETTINGS, cache, skip_bad=True)
    with pytest.raises(UserError, match="not one clip of d can be used"):
        open_store(Dataset("d", sounds, Clips.of(clips[1:]), "table"), SETTINGS, cache, skip_bad=True)
    write(sounds / "cow" / "0.wav", steps(1))
    assert len(open_store(dataset, SETTINGS, cache)) == 2
