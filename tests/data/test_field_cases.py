"""Sounds, tables and label tracks as recorders and other tools leave them: what is taken, and what is said."""

import cProfile
import os
import struct

import numpy as np
import pytest
import soundfile

from cohear.data.annotations import read_raven
from cohear.data.audio_decoding import FileBlocks, cancels, decode
from cohear.data.background import with_background
from cohear.data.check.spelling import alike
from cohear.data.clips import Clip
from cohear.data.datasets import read_dataset, visible_files
from cohear.data.decoding import StoreSettings
from cohear.data.folds import with_folds
from cohear.data.headers import read_headers
from cohear.data.sounding import listen_for_lengths
from cohear.data.store import open_store
from cohear.data.tables import read_table
from cohear.errors import UserError

RATE = 16000
TONE = 0.3 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
RAVEN = "Selection\tBegin Time (s)\tEnd Time (s)\tBegin File\tSpecies\n"


def sound(path, seconds=1.0, waveform=TONE, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.resize(waveform, (round(seconds * RATE), *waveform.shape[1:])), RATE, **how)


def wave_header(n_bytes):
    chunks = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + n_bytes) + b"WAVEfmt " + chunks + b"data" + struct.pack("<I", n_bytes)


def test_an_mp3_is_read_whatever_lies_beside_it(tmp_path):
    sound(tmp_path / "a.mp3", format="MP3")
    head = bytes.fromhex("0005160700020000") + b"Mac OS X".ljust(16) + struct.pack(">H6I", 2, 9, 50, 3760, 2, 3810, 286)
    (tmp_path / "._a.mp3").write_bytes(head.ljust(4096, b"\0"))
    assert decode(tmp_path / "a.mp3").waveform.std() == pytest.approx(TONE.std(), rel=0.05)


@pytest.mark.parametrize(("n_declared", "said"), [(0, "0.00 s and holds 4.00"), (RATE, "0.50 s and holds 4.00")])
def test_a_header_that_was_never_finished_gives_both_lengths(tmp_path, n_declared, said):
    pcm = (np.resize(TONE, 4 * RATE) * 32767).astype("<i2").tobytes()
    (tmp_path / "cut.wav").write_bytes(wave_header(n_declared) + pcm)
    with pytest.raises(UserError, match=said):
        decode(tmp_path / "cut.wav")
    (tmp_path / "tagged.wav").write_bytes(wave_header(len(pcm)) + pcm + b"TAG" + b"x" * 125)
    assert len(decode(tmp_path / "tagged.wav").waveform) == 4 * RATE


def test_what_follows_the_declared_sound_is_sound_however_it_begins(tmp_path):
    rng = np.random.default_rng(0)
    for name, begins in (("zeros", np.zeros(4)), ("noise", rng.integers(-32768, 32767, 4))):
        pcm = np.concatenate([begins, np.resize(32767 * TONE, 4 * RATE)]).astype("<i2").tobytes()
        (tmp_path / f"{name}.wav").write_bytes(wave_header(0) + pcm)
        with pytest.raises(UserError, match=r"0\.00 s and holds 4\.00"):
            decode(tmp_path / f"{name}.wav")
    listed = b"LIST" + struct.pack("<I", 40000) + b"INFO" + b"x" * 39996
    (tmp_path / "listed.wav").write_bytes(wave_header(2 * RATE) + b"\1" * 2 * RATE + listed)
    assert len(decode(tmp_path / "listed.wav").waveform) == RATE


def test_an_mp3_behind_other_bytes_is_found(tmp_path):
    sound(tmp_path / "a.mp3", format="MP3")
    (tmp_path / "b.mp3").write_bytes(b"\0" * 600 + (tmp_path / "a.mp3").read_bytes())
    assert decode(tmp_path / "b.mp3").waveform.std() == pytest.approx(TONE.std(), rel=0.05)


def test_of_joined_mp3s_both_lengths_are_told(tmp_path):
    sound(tmp_path / "a.mp3", 4, format="MP3")
    (tmp_path / "two.mp3").write_bytes(
        (tmp_path / "a.mp3").read_bytes() + b"ID3\4\0\0\0\0\0\0" + (tmp_path / "a.mp3").read_bytes()
    )
    with pytest.raises(UserError, match=r"declares 4\.00 s and holds 8\.0"):
        decode(tmp_path / "two.mp3")
    (tmp_path / "tagged.mp3").write_bytes((tmp_path / "a.mp3").read_bytes() + b"TAG" + b"x" * 125)
    assert len(decode(tmp_path / "tagged.mp3").waveform) == 4 * RATE


@pytest.mark.parametrize(
    ("name", "format", "place", "size"),
    [("a.wav", "RF64", 28, 16), ("a.au", "AU", 8, 4)],
)
def test_a_file_full_of_sound_that_declares_none_is_no_empty_one(tmp_path, name, format, place, size):
    sound(tmp_path / name, 2, format=format)
    content = bytearray((tmp_path / name).read_bytes())
    content[place : place + size] = bytes(size)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"declares no samples and holds {len(content)} bytes"):
        decode(tmp_path / name)


def test_what_a_hole_in_an_ogg_leaves_is_not_filled_up_with_what_was_heard(tmp_path):
    noise = 0.01 * np.random.default_rng(0).standard_normal(4 * RATE)
    sound(tmp_path / "a.ogg", 4, np.resize(TONE, 4 * RATE) + noise)
    content = bytearray((tmp_path / "a.ogg").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = b"\xaa" * 300
    (tmp_path / "a.ogg").write_bytes(content)
    with pytest.raises(UserError, match=r"of 4\.00 s: it is cut short or damaged"):
        decode(tmp_path / "a.ogg")


def test_a_microphone_that_holds_one_value_is_silent(tmp_path):
    for name, waveform in (("off.wav", TONE[:1] * 0 - 0.48), ("tone.wav", TONE - 0.48)):
        sound(tmp_path / name, waveform=waveform)
        file = FileBlocks(tmp_path / name)
        assert sum(block.shape[1] for block in file.blocks(mixed=True)) == RATE
        assert file.is_silent == (name == "off.wav")


def test_channels_that_cancel_are_told(tmp_path):
    sound(tmp_path / "a.wav", waveform=np.stack([TONE, -TONE], axis=1))
    sound(tmp_path / "b.wav", waveform=np.stack([TONE, 0.9 * TONE], axis=1))
    for name, is_so in (("a.wav", True), ("b.wav", False)):
        file = FileBlocks(tmp_path / name)
        assert sum(block.shape[1] for block in file.blocks(mixed=True)) == RATE
        assert cancels(file.loudest, file.loudest_channel) == is_so
        assert file.loudest_channel == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("name", ["sub\\a.wav", "SUB/A.WAV", "sub/a.WAV", "sub/A.wav"])
def test_the_one_file_of_a_name_spelled_otherwise_is_taken(tmp_path, name):
    sound(tmp_path / "sub" / "a.wav")
    (tmp_path / "t.csv").write_text(f"path,label\n{name},dog\n")
    assert tuple(read_table(tmp_path / "t.csv")[0]) == (Clip("sub/a.wav", ("dog",)),)
    sound(tmp_path / "sub" / "a.Wav")  # now there are two
    (tmp_path / "t.csv").write_text("path,label\nsub/A.waV,dog\n")
    assert tuple(read_table(tmp_path / "t.csv")[0]) == (Clip("sub/A.waV", ("dog",)),)


def test_a_folder_of_the_very_name_is_taken_before_others(tmp_path):
    sound(tmp_path / "Site" / "a.wav")
    sound(tmp_path / "site" / "b.wav")
    (tmp_path / "t.csv").write_text("path,label\nSite/A.WAV,dog\nsite\\B.wav,cat\nSITE/a.wav,owl\n")
    assert [clip.path for clip in read_table(tmp_path / "t.csv")[0]] == ["Site/a.wav", "site/b.wav", "SITE/a.wav"]


def test_accents_are_one_however_a_disk_writes_them(tmp_path):
    sound(tmp_path / "Kro\u0308te.wav")
    (tmp_path / "t.csv").write_text("path,label\nKr\u00f6te.wav,toad\n")
    assert read_table(tmp_path / "t.csv")[0][0].path == "Kro\u0308te.wav"


def test_no_other_spelling_leads_out_of_the_folder(tmp_path):
    sound(tmp_path / "secret.wav")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "Link.wav").symlink_to(tmp_path / "secret.wav")
    (tmp_path / "here" / "t.csv").write_text("path,label\nlink.wav,dog\n")
    with pytest.raises(UserError, match="lies outside"):
        read_table(tmp_path / "here" / "t.csv")


def test_what_spreadsheets_write(tmp_path):
    (tmp_path / "t.csv").write_text('\ufeff"sep=;";\r\npath;label\r\na.wav;dog\r\n;cat\r\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"line 4, column path: the value is missing"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("path,Species\na.wav,dog\n")
    with pytest.raises(UserError, match=r"no column 'label' \(rename 'species' to it\)"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "kaleidoscope.csv").write_text("FOLDER,IN FILE,OFFSET,MANUAL ID\n,a.wav,0,Hyla\n")
    with pytest.raises(UserError, match=r"no column 'path' \(rename 'in file' to it\)"):
        read_table(tmp_path / "kaleidoscope.csv")
    assert alike(["1000001", "1000002"]) == []
    assert alike(["7", "7.0", "07", "8"]) == [("07", "7"), ("07", "7.0"), ("7", "7.0")]
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match="save its sheet as CSV"):
        read_dataset(tmp_path / "t.xlsx")


def site(folder, number, seconds=10.0):
    sound(folder / f"site{number}.wav", seconds)
    return [(1, 1.5, "low"), (3, 3.5, "high")]


def test_times_that_run_on_over_recordings_are_refused_and_others_are_not(tmp_path):
    def table(offset_s):
        rows = [
            f"1\t{offset_s[k] + start}\t{offset_s[k] + end}\tsite{k}.wav\t{label}\n"
            for k in range(3)
            for start, end, label in site(tmp_path, k, seconds=(60, 10, 120)[k])
        ]
        (tmp_path / "all.txt").write_text(RAVEN + "".join(rows))
        return read_raven(tmp_path / "all.txt")

    assert [clip.start_s for clip in table((0, 0, 0))] == [1, 3] * 3
    with pytest.raises(UserError, match=r"column File Offset \(s\)"):
        table((0, 60, 70))
    rows = ["1\t5\t6\tsite0.wav\tlow\n", "2\t50\t51\tsite1.wav\thigh\n"]  # within each: it may be chance
    (tmp_path / "two.txt").write_text(RAVEN + "".join(rows))
    assert len(read_raven(tmp_path / "two.txt")) == 2
    for k, (length_s, first_s) in enumerate(((1, 0.2), (10, 2), (60, 15))):  # and so it may of growing recordings
        sound(tmp_path / f"site{k}.wav", length_s)
        rows[k : k + 1] = [f"{k}\t{first_s}\t{first_s + 0.5}\tsite{k}.wav\tlow\n"]
    (tmp_path / "three.txt").write_text(RAVEN + "".join(rows))
    assert [clip.start_s for clip in read_raven(tmp_path / "three.txt")] == [0.2, 2, 15]


def test_segments_with_two_labels_are_told_at_once_or_left_out(tmp_path):
    for number in range(3):
        lines = [f"{start}\t{end}\t{label}\n" for start, end, label in site(tmp_path, number)]
        lines += ["1\t1.5\thigh\n"] * (number > 0)
        (tmp_path / f"site{number}.txt").write_text("".join(lines))
    (tmp_path / "again.Table.1.selections.txt").write_text(RAVEN + "1\t3\t3.5\tsite0.wav\tlow\n")
    with pytest.raises(UserError, match=r"^3 lines cannot be used: .*--skip-bad") as refused:
        read_dataset(tmp_path)
    for place in ("site1.txt, line 3", "site2.txt, line 3", "site0.wav#3-3.5"):
        assert place in str(refused.value)
    dataset = read_dataset(tmp_path, skip_bad=True)
    assert len(dataset.clips) == len({clip.id for clip in dataset.clips}) == 6
    assert dataset.notes[-1].startswith("lines left out (3): ")


def test_what_is_no_file_stops_no_folder_of_annotations(tmp_path):
    site(tmp_path, 0)
    (tmp_path / "site0.txt").write_text("1\t1.5\tlow\n3\t3.5\thigh\n")
    expected = list(read_dataset(tmp_path).clips)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    assert list(read_dataset(tmp_path).clips) == expected


def test_the_work_of_reading_label_tracks_grows_with_their_number_and_no_faster(tmp_path):
    def n_calls(n_tracks):
        folder = tmp_path / str(n_tracks)
        folder.mkdir()
        for number in range(n_tracks):
            (folder / f"{number:03}.wav").touch()
            (folder / f"{number:03}.txt").write_text(f"1\t2\t{('low', 'high')[number % 2]}\n" if number % 4 else "")
        profile = cProfile.Profile()
        dataset = profile.runcall(read_dataset, folder)
        assert (len(dataset.clips), len(dataset.reviewed)) == (n_tracks * 3 // 4, n_tracks // 4)
        return sum(entry.callcount for entry in profile.getstats())

    n_calls(4)  # what is done once only
    assert n_calls(240) < 5 * n_calls(60)


def test_bad_lines_are_told_at_once_or_left_out(tmp_path):
    for number in range(3):
        rows = site(tmp_path, number)
        bad = [(0.5, 0.5, "start"), (4, 5, "")] if number == 1 else []
        lines = [f"{start}\t{end}\t{label}\n" for start, end, label in [*rows, *bad]]
        (tmp_path / f"site{number}.txt").write_text("".join(lines))
    with pytest.raises(UserError, match=r"^2 lines cannot be used: site1.txt, line 3.*; site1.txt, line 4.*--skip-bad"):
        read_dataset(tmp_path)
    dataset = read_dataset(tmp_path, skip_bad=True)
    assert len(dataset.clips) == 6
    assert dataset.notes[-1].startswith("lines left out (2): ")


def test_an_empty_label_file_says_that_somebody_listened(tmp_path):
    for number in range(2):
        rows = [f"1\t{start}\t{end}\tsite{number}.wav\t{label}\n" for start, end, label in site(tmp_path, number)]
        (tmp_path / f"site{number}.Table.1.selections.txt").write_text(RAVEN + "".join(rows))
    for name in ("quiet", "still", "unknown"):
        sound(tmp_path / f"{name}.wav", 30)
    (tmp_path / "quiet.Table.1.selections.txt").write_text(RAVEN)
    (tmp_path / "still.txt").write_text("")
    (tmp_path / "README.txt").write_bytes("höre".encode("latin-1"))
    dataset = read_dataset(tmp_path)
    assert dataset.reviewed == ("quiet.wav", "still.wav")
    assert dataset.notes == ("1 recording without labels left out: unknown.wav",)
    cut = with_background(dataset, "other", 0.5, read_headers(dataset).files)
    assert {clip.path for clip in cut.clips if clip.labels == ("other",)} == {"quiet.wav", "still.wav"}


def test_a_folder_that_is_linked_twice_is_walked_once(tmp_path):
    sound(tmp_path / "here" / "frog" / "a.wav")
    for name in ("again", "and-again"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "here" / "frog")
    for name in ("@eaDir", "$RECYCLE.BIN", ".Trashes", "__MACOSX", "#recycle", "@Recycle", "FOUND.000", "LOST.DIR"):
        sound(tmp_path / "here" / name / "b.wav")
    assert [path.as_posix() for path in visible_files(tmp_path / "here")] == ["frog/a.wav"]


def test_of_a_long_clip_only_windows_that_sound_are_taken(tmp_path):
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(4 * RATE)
    for number, begin in enumerate((0.4, 1.7, 3.1)):
        waveform = quiet.copy()
        waveform[round(begin * RATE) :][: RATE // 2] += TONE[: RATE // 2]
        sound(tmp_path / "frog" / f"{number}.wav", 4, waveform)
        sound(tmp_path / "rain" / f"{number}.wav", 4, 100 * quiet)
    dataset = with_folds(read_dataset(tmp_path), 3, 0)
    lengths = listen_for_lengths(dataset, read_headers(dataset).files)
    assert lengths == pytest.approx([0.5] * 3, abs=0.05)  # of rain any part is rain
    store = open_store(dataset, StoreSettings(RATE, 0.6, windows="sounding"), tmp_path / "cache")
    frogs = [row for row, clip in enumerate(store.clips) if clip.labels == ("frog",)]
    assert len(frogs) == 3
    assert np.abs(store.read(frogs)).max(axis=1) == pytest.approx([0.3] * 3, abs=0.01)
    assert len(store) - len(frogs) == 3 * 7  # rain sounds all the time


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("site0.txt", "1.0\t2.0\n", "its labels have no text"),
        ("site0.txt", "1.0 2.0 frog\n", "blanks stand where tabs are needed"),
        ("Label Track.txt", "1.0\t2.0\tfrog\n", "rename it to site0.txt"),
        ("site0.wav.txt", "1.0\t2.0\tfrog\n", "rename it to site0.txt"),
    ],
)
def test_a_track_that_cannot_be_used_is_named_with_the_reason(tmp_path, name, line, reason):
    site(tmp_path, 0)
    (tmp_path / name).write_text(line)
    with pytest.raises(UserError, match=f"{name} looks like an Audacity label track, but .*{reason}"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("site0.TextGrid", b'File type = "ooTextFile"\n'),
        ("site0.txt", "1.0\t2.0\tfrog\n".encode("utf-16")),
        ("site0.txt", b"00:00:01.000\t00:00:02.000\tfrog\n"),
        ("site0.csv", b"1.0,0,0.5,frog\n"),
    ],
)
def test_a_label_file_that_is_not_read_is_named(tmp_path, name, content):
    site(tmp_path, 0)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} has the name of a recording, but is neither a Raven table nor"):
        read_dataset(tmp_path)
    for number in (1, 2):
        rows = [f"{start}\t{end}\t{label}\n" for start, end, label in site(tmp_path, number)]
        (tmp_path / f"site{number}.txt").write_text("\n" + "".join(rows))  # a blank line before them is none
    assert f"left out: {name} has the name" in read_dataset(tmp_path).notes[1]


def test_a_label_before_the_beginning_does_not_hide_its_track(tmp_path):
    site(tmp_path, 0)
    (tmp_path / "site0.txt").write_text("-0.01\t0.5\tlow\n1\t1.5\tlow\n3\t3.5\thigh\n")
    with pytest.raises(UserError, match=r"site0.txt, line 1.*'-0.01' is not a number"):
        read_dataset(tmp_path)
    assert [clip.start_s for clip in read_dataset(tmp_path, skip_bad=True).clips] == [1, 3]


def test_a_table_of_birdnet_is_that_of_its_recording(tmp_path):
    rows = [f"1\t{start}\t{end}\t{label}\n" for start, end, label in site(tmp_path, 0)]
    header = RAVEN.replace("\tBegin File\tSpecies", "\tCommon Name")
    (tmp_path / "site0.BirdNET.selection.table.txt").write_text(header + "".join(rows))
    assert {clip.path for clip in read_dataset(tmp_path).clips} == {"site0.wav"}


SPLITS = [("fold1", "fold10"), ("Train", "set_2"), ("dev", "eval"), ("train_audio", "test_soundscapes"), ("cv1", "cv2")]


@pytest.mark.parametrize("names", [*SPLITS, ("FSD50K.dev_audio", "FSD50K.eval_audio")])
def test_folds_are_no_classes(tmp_path, names):
    for name in names:
        sound(tmp_path / name / "a.wav")
    with pytest.raises(UserError, match="which are no classes"):
        read_dataset(tmp_path)


def test_clips_with_several_labels_are_told_how_to_be_written(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na.wav,low\na.wav,high\n")
    with pytest.raises(UserError, match="write them in one line as 'high;low'"):
        read_table(tmp_path / "t.csv")
