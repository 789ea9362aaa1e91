import dataclasses
import os
import subprocess
import sys
import wave

import numpy as np
import pytest
import soxr

from cohear import keys
from cohear.data import decoding, store_building
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.decoding import StoreSettings, quantize
from cohear.data.decoding_report import DecodingReport
from cohear.data.folds import with_folds
from cohear.data.store import open_store
from cohear.errors import UserError
from made_stores import RATE, SETTINGS, open_folder, steps, write


def test_16_bit_sources_come_back_exactly(sounds):
    opened = open_folder(sounds)
    assert [clip.path for clip in opened.clips] == [f"{c}/{n}.wav" for c in ("cat", "dog") for n in range(3)]
    np.testing.assert_array_equal(opened.read([5, 0]), np.stack([steps(12), steps(0)]) / np.float32(32768))
    assert opened.scales.tolist() == [1.0] * 6
    assert opened.rows.read([0]).dtype == np.int16


def test_labels_groups_and_keys_belong_to_the_rows(sounds):
    dataset = with_folds(read_dataset(sounds), 3, seed=0)
    opened = open_store(dataset, SETTINGS, sounds.parent / "cache")
    assert opened.classes == ("cat", "dog")
    assert opened.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert opened.folds.tolist() == [clip.fold for clip in dataset.clips]
    assert opened.groups == [clip.path for clip in dataset.clips]
    assert opened.clip_keys.tolist() == [keys.hash_text(clip.path) for clip in dataset.clips]
    assert (len(opened), opened.sample_rate, opened.n_samples) == (6, RATE, RATE)
    with pytest.raises(ValueError, match="not every clip of this store has a fold"):
        _ = open_folder(sounds).folds


def test_second_opening_decodes_nothing_and_says_the_same(sounds, decoded_paths):
    first = open_folder(sounds)
    assert len(decoded_paths) == 6
    second = open_folder(sounds)
    assert len(decoded_paths) == 6
    assert second.report == first.report
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(second.read(range(6)), first.read(range(6)))


def test_unchanged_files_are_not_even_read_again(sounds, monkeypatch):
    open_folder(sounds)
    monkeypatch.setattr("cohear.data.content_hashes._hash_file", lambda path: pytest.fail(f"{path} was read"))
    open_folder(sounds)


def test_changed_file_is_noticed(sounds, decoded_paths):
    before = open_folder(sounds)
    write(sounds / "cat" / "1.wav", steps(99))
    after = open_folder(sounds)
    assert len(decoded_paths) == 12
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(after.read([1])[0] * 32768, steps(99))


def test_touched_file_with_the_same_content_is_not_decoded_again(sounds, decoded_paths):
    before = open_folder(sounds)
    os.utime(sounds / "cat" / "1.wav", (1, 1))
    assert open_folder(sounds).fingerprint == before.fingerprint
    assert len(decoded_paths) == 6


def test_settings_have_stores_of_their_own(sounds, decoded_paths):
    first = open_folder(sounds)
    other = open_folder(sounds, StoreSettings(RATE, 0.5))
    assert other.fingerprint != first.fingerprint
    assert len(decoded_paths) == 12
    open_folder(sounds)
    assert len(decoded_paths) == 12


def test_labels_folds_and_groups_change_the_fingerprint_but_decode_nothing(sounds, decoded_paths):
    dataset = read_dataset(sounds)
    fingerprints = set()
    for change in ({}, {"label": "cow"}, {"fold": 1}, {"group": "yard"}):
        clips = (dataclasses.replace(dataset.clips[0], **change), *dataset.clips[1:])
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
    assert (tmp_path / "cache" / "87a22c60d67d0cfa5cdff6468357a41c").is_dir()
    assert opened.contents == "1fd80ef5e0a017868e90e79afccc75b5"
    assert opened.fingerprint == "8c9af4d541d55e084f929ffa753a852e"


def test_several_labels_are_several_targets(sounds, decoded_paths):
    table = sounds / "t.csv"
    table.write_text("path,label\ncat/0.wav,paws;cat\ndog/0.wav,paws;dog\ncat/1.wav,\n")
    opened = open_store(read_dataset(table), SETTINGS, sounds.parent / "cache")
    assert opened.multi_label
    assert opened.classes == ("cat", "dog", "paws")
    assert opened.targets.tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 0]]
    assert opened.targets.dtype == np.float32
    assert [clip.label for clip in opened.clips] == ["cat;paws", "dog;paws", ""]
    with pytest.raises(ValueError, match="use its targets"):
        _ = opened.labels
    texts = dataclasses.replace(
        read_dataset(table), clips=tuple(dataclasses.replace(c, multi_label=False) for c in read_dataset(table).clips)
    )
    alike = open_store(texts, SETTINGS, sounds.parent / "cache")
    assert (alike.multi_label, alike.targets.tolist()) == (False, [1, 2, 0])
    assert alike.fingerprint != opened.fingerprint
    assert len(decoded_paths) == 3


def test_progress_counts_up_to_all_clips(sounds):
    seen: list[tuple[int, int]] = []
    open_folder(sounds, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_resampling_equals_soxr_within_16_bits_of_the_peak(sounds):
    high = steps(7, sample_rate=16000)
    write(sounds / "dog" / "9.wav", high, 16000)
    opened = open_folder(sounds)
    expected = soxr.resample(high.astype(np.float32) / 32768, 16000, RATE, quality="HQ")
    assert np.abs(opened.read([6])[0] - expected).max() <= np.abs(expected).max() / 65000
    assert "1 resampled from 16000 Hz" in opened.report.lines


def test_floats_above_full_scale_keep_their_level(sounds):
    loud = 3 * np.sin(np.arange(RATE) / 7).astype(np.float32)
    write(sounds / "cat" / "9.wav", loud, subtype="FLOAT")
    np.testing.assert_allclose(open_folder(sounds).read([3])[0], loud, atol=3 / 60000)


def test_whispers_keep_16_bits():
    whisper = (1e-4 * np.sin(np.arange(1000) / 7)).astype(np.float32)
    values, scale = quantize(whisper)
    np.testing.assert_allclose(values * np.float32(scale) / 32768, whisper, atol=1e-4 / 60000)
    assert np.abs(values).max() == 32767


def test_silence_stays_silent():
    values, scale = quantize(np.zeros(5, np.float32))
    assert (values.tolist(), scale) == ([0] * 5, 1.0)


def test_short_recordings_are_padded_or_repeated(sounds):
    write(sounds / "cat" / "9.wav", steps(50, 0.4))
    padded, repeated = open_folder(sounds), open_folder(sounds, StoreSettings(RATE, 1.0, "repeat"))
    np.testing.assert_array_equal(padded.read([3])[0] * 32768, np.pad(steps(50, 0.4), (0, 4800)))
    np.testing.assert_array_equal(repeated.read([3])[0] * 32768, np.resize(steps(50, 0.4), RATE))
    assert (padded.clips[3].start_s, padded.clips[3].end_s) == (0.0, 0.4)
    assert "1 padded with silence (by up to 0.60 s)" in padded.report.lines
    assert "1 repeated to fill up to 0.60 s" in repeated.report.lines


def test_slightly_longer_recordings_give_their_middle(sounds):
    write(sounds / "cat" / "9.wav", steps(51, 1.4))
    opened = open_folder(sounds)
    np.testing.assert_array_equal(opened.read([3])[0] * 32768, steps(51, 1.4)[1600:9600])
    assert (opened.clips[3].id, opened.clips[3].start_s, opened.clips[3].end_s) == ("cat/9.wav", 0.2, 1.2)
    assert "1 cropped to the middle (by up to 0.40 s)" in opened.report.lines


def test_long_recordings_are_cut_into_windows_of_one_group(sounds):
    write(sounds / "cat" / "9.wav", steps(52, 2.5))
    opened = open_folder(sounds)
    windows = opened.clips[3:6]
    assert [clip.id for clip in windows] == ["cat/9.wav#0-1", "cat/9.wav#1-2", "cat/9.wav#1.5-2.5"]
    assert {clip.group for clip in windows} == {"cat/9.wav"}
    np.testing.assert_array_equal(opened.read([5])[0] * 32768, steps(52, 2.5)[12000:])
    assert len(set(opened.clip_keys.tolist())) == len(opened) == 9
    assert any(line.startswith("1 of them, longer than 1.5 s, cut into 3 windows") for line in opened.report.lines)


def test_segments_are_stored_as_clips_of_their_own(sounds):
    write(sounds / "long.wav", steps(53, 4.0))
    clips = (Clip("long.wav", "x", start_s=0.5, end_s=1.5), Clip("long.wav", "y", start_s=2.0, end_s=4.0))
    dataset = Dataset("d", sounds, clips, "annotations")
    opened = open_store(dataset, SETTINGS, sounds.parent / "cache")
    assert [clip.id for clip in opened.clips] == ["long.wav#0.5-1.5", "long.wav#2-4#2-3", "long.wav#2-4#3-4"]
    expected = [steps(53, 4.0)[first : first + RATE] for first in (4000, 16000, 24000)]
    np.testing.assert_array_equal(opened.read(range(3)) * 32768, np.stack(expected))
    assert opened.groups == ["long.wav"] * 3


def test_windows_of_overlapping_segments_have_names_and_keys_of_their_own(sounds):
    write(sounds / "long.wav", steps(53, 4.0))
    clips = (Clip("long.wav", "x", start_s=0, end_s=2), Clip("long.wav", "y", start_s=1, end_s=3))
    opened = open_store(Dataset("d", sounds, clips, "annotations"), SETTINGS, sounds.parent / "cache")
    assert [clip.start_s for clip in opened.clips] == [0, 1, 1, 2]
    assert len({clip.id for clip in opened.clips}) == len(set(opened.clip_keys.tolist())) == 4


def test_a_clip_that_could_not_be_decoded_is_tried_again(sounds, monkeypatch):
    def refuse(root, clip, settings):
        if clip.path == "cat/1.wav":
            raise UserError(f"{root}/cat/1.wav needs a decoder that is not installed")
        return decoding.decode_clip(root, clip, settings)

    monkeypatch.setattr(store_building, "decode_clip", refuse)
    first = open_folder(sounds, skip_bad=True)
    assert len(first) == len(open_folder(sounds, skip_bad=True)) == 5
    assert first.report.skipped == (("cat/1.wav", "cat/1.wav needs a decoder that is not installed"),)
    monkeypatch.undo()
    assert len(open_folder(sounds)) == 6


def test_channels_and_silence_are_told(sounds):
    write(sounds / "cat" / "8.wav", np.stack([steps(1), steps(2)], axis=1))
    write(sounds / "cat" / "9.wav", np.zeros(RATE))
    lines = open_folder(sounds).report.lines
    assert "1 mixed to mono" in lines
    assert "1 silent from end to end: cat/9.wav" in lines


def test_report_survives_json():
    report = DecodingReport(SETTINGS, n_resampled_from=((44100, 3),), shortfalls=(("a", 0.5),), skipped=(("b", "why"),))
    report = dataclasses.replace(report, n_silent=2, silent=(("c", 2),))
    assert DecodingReport.from_json(report.to_json()) == report


@pytest.mark.parametrize(("sample_rate", "clip_s"), [(0, 1.0), (8000, 0.0)])
def test_settings_must_be_positive(sample_rate, clip_s):
    with pytest.raises(ValueError, match="a store needs"):
        StoreSettings(sample_rate, clip_s)


def test_clip_length_in_samples_is_rounded():
    assert StoreSettings(44100, 2.3).n_samples == 101430  # 2.3 * 44100 is 101429.99...


def test_data_room_needs_no_torch():
    script = "import sys, cohear.data.store, cohear.data.folds; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
