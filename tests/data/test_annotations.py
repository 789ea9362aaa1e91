import pytest

from cohear.data.annotations import is_audacity, is_raven, read_audacity, read_raven
from cohear.data.clips import Clip
from cohear.errors import UserError

RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tSpecies\n"
    "1\tWaveform 1\t1\t1.5\t2.75\t100\tfrog\n"
    "1\tSpectrogram 1\t1\t1.5\t2.75\t100\tfrog\n"
    "2\tSpectrogram 1\t1\t3\t4\t100\ttoad\n"
)


def write(path, text):
    path.write_text(text)
    return path


def segment(path, label, start_s, end_s):
    return Clip(path, (label,), start_s=start_s, end_s=end_s)


def test_raven_table_belongs_to_the_recording_of_its_name(tmp_path):
    path = write(tmp_path / "pond.june.Table.1.selections.txt", RAVEN)
    with pytest.raises(UserError, match=r"pond\.june\.wav"):
        read_raven(path)
    (tmp_path / "pond.june.flac").touch()
    assert (is_raven(path), is_audacity(path)) == (True, False)
    assert read_raven(path) == [segment("pond.june.flac", "frog", 1.5, 2.75), segment("pond.june.flac", "toad", 3, 4)]


def test_raven_table_over_several_files_counts_from_the_start_of_each(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    header = "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tAnnotation\n"
    path = write(tmp_path / "all.txt", f"{header}10\t11\ta.wav\t10\tx\n65\t66.5\tb.wav\t5\ty\n")
    assert read_raven(path) == [segment("a.wav", "x", 10, 11), segment("b.wav", "y", 5, 6.5)]


def test_raven_table_from_windows_finds_its_recording_beside_it(tmp_path):
    (tmp_path / "a.wav").touch()
    path = write(tmp_path / "x.txt", "Begin Time (s)\tEnd Time (s)\tBegin Path\tCode\n0\t1\tD:\\june\\a.wav\tx\n")
    assert read_raven(path) == [segment("a.wav", "x", 0, 1)]


def test_audacity_track_labels_the_recording_beside_it(tmp_path):
    path = write(tmp_path / "a.txt", "0.5\t1.25\tfrog\n\\\t100.0\t2000.0\n\n2,0\t3,0\tbig toad\n")
    with pytest.raises(UserError, match=r"a\.txt labels a recording a\.wav"):
        read_audacity(path)
    (tmp_path / "a.mp3").touch()
    assert (is_raven(path), is_audacity(path)) == (False, True)
    assert read_audacity(path) == [segment("a.mp3", "frog", 0.5, 1.25), segment("a.mp3", "big toad", 2, 3)]
    (tmp_path / "tracks").mkdir()
    assert len(read_audacity(path.rename(tmp_path / "tracks" / "a.txt"), sounds=tmp_path)) == 2


@pytest.mark.parametrize(
    ("read", "text", "where"),
    [
        (read_raven, "Begin Time (s)\tEnd Time (s)\n1\t2\n", "label"),
        (read_raven, "Begin Time (s)\tSpecies\n1\tx\n", r"'end time \(s\)'"),
        (read_raven, "Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2\t\n", "line 2, column species"),
        (read_raven, "Begin Time (s)\tEnd Time (s)\tSpecies\n1\tx\tfrog\n", r"line 2, column end time \(s\): 'x'"),
        (read_raven, "Begin Time (s)\tEnd Time (s)\tSpecies\n2\t2\tfrog\n", "line 2: the segment ends at 2 s"),
        (read_raven, "Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2\tfrog\n1\t2\ttoad\n", "line 3: .*'toad' and 'frog'"),
        (
            read_raven,
            "Begin Time (s)\tEnd Time (s)\tSpecies\tBegin File\n1\t2\tfrog\tb.wav\n",
            "line 2, column Begin File: b.wav",
        ),
        (read_audacity, "1\t2\tx\n3\t3\ty\n", "line 2: the segment ends at 3 s"),
        (read_audacity, "1\t2\tx\n1\t2\ty\n", r"line 2: a\.wav#1-2 is marked 'y' and 'x'"),
    ],
)
def test_errors_name_file_line_and_column(tmp_path, read, text, where):
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=rf"a\.txt.*{where}"):
        read(write(tmp_path / "a.txt", text))


def test_transcripts_are_no_label_tracks(tmp_path):
    assert not is_audacity(write(tmp_path / "a.txt", "12 dogs bark\n"))
    (tmp_path / "b.txt").write_bytes(bytes(range(256)))
    assert not is_audacity(tmp_path / "b.txt")
    assert not is_raven(tmp_path / "b.txt")
