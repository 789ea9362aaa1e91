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


def test_raven_table_belongs_to_the_recording_of_its_name(tmp_path):
    (tmp_path / "pond.june.flac").touch()
    path = write(tmp_path / "pond.june.Table.1.selections.txt", RAVEN)
    assert is_raven(path)
    assert not is_audacity(path)
    assert read_raven(path) == [
        Clip("pond.june.flac", "frog", start_s=1.5, end_s=2.75),
        Clip("pond.june.flac", "toad", start_s=3.0, end_s=4.0),
    ]


def test_raven_table_over_several_files_counts_from_the_start_of_each(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    path = write(
        tmp_path / "all.txt",
        "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tAnnotation\n"
        "10\t11\ta.wav\t10\tx\n"
        "65\t66.5\tb.wav\t5\ty\n",
    )
    assert read_raven(path) == [
        Clip("a.wav", "x", start_s=10.0, end_s=11.0),
        Clip("b.wav", "y", start_s=5.0, end_s=6.5),
    ]


def test_raven_table_from_windows_finds_its_recording_beside_it(tmp_path):
    (tmp_path / "a.wav").touch()
    path = write(tmp_path / "x.txt", "Begin Time (s)\tEnd Time (s)\tBegin Path\tCode\n0\t1\tD:\\june\\a.wav\tx\n")
    assert read_raven(path) == [Clip("a.wav", "x", start_s=0.0, end_s=1.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Begin Time (s)\tEnd Time (s)\n1\t2\n", "has no column for the label"),
        ("Begin Time (s)\tSpecies\n1\tx\n", r"has no column 'end time \(s\)'"),
        ("Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2\t\n", "line 2, column species: the value is missing"),
        ("Begin Time (s)\tEnd Time (s)\tSpecies\n1\tx\tfrog\n", r"line 2, column End Time \(s\): 'x' is not a number"),
        ("Begin Time (s)\tEnd Time (s)\tSpecies\n2\t2\tfrog\n", "line 2: the segment ends at 2 s"),
        ("Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2\tfrog\n1\t2\ttoad\n", "line 3: .* is marked 'toad' and 'frog'"),
        ("Begin Time (s)\tEnd Time (s)\tSpecies\tBegin File\n1\t2\tfrog\tb.wav\n", "line 2, column Begin File: b.wav"),
    ],
)
def test_errors_of_raven_tables_name_file_line_and_column(tmp_path, text, message):
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=rf"a\.selections\.txt.*{message}"):
        read_raven(write(tmp_path / "a.selections.txt", text))


def test_raven_table_without_recording_says_so(tmp_path):
    with pytest.raises(UserError, match="does not say which recording it labels"):
        read_raven(write(tmp_path / "a.Table.1.selections.txt", RAVEN))


def test_audacity_track_labels_the_recording_beside_it(tmp_path):
    (tmp_path / "a.mp3").touch()
    path = write(tmp_path / "a.txt", "0.5\t1.25\tfrog\n\\\t100.0\t2000.0\n\n2,0\t3,0\tbig toad\n")
    assert is_audacity(path)
    assert not is_raven(path)
    assert read_audacity(path) == [
        Clip("a.mp3", "frog", start_s=0.5, end_s=1.25),
        Clip("a.mp3", "big toad", start_s=2.0, end_s=3.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t2\tx\n3\t3\ty\n", r"a\.txt, line 2: the segment ends at 3 s"),
        ("1\t2\t\n", r"a\.txt, line 1: the label is missing"),
        ("1\t2\tx\nwords\n", r"a\.txt, line 2, column start: 'words' is not a number"),
        ("1\t2\tx\n1\t2\ty\n", r"a\.txt, line 2: a\.wav#1-2 is marked 'y' and 'x'"),
    ],
)
def test_errors_of_audacity_tracks_name_file_and_line(tmp_path, text, message):
    (tmp_path / "a.wav").touch()
    with pytest.raises(UserError, match=message):
        read_audacity(write(tmp_path / "a.txt", text))


def test_audacity_track_without_recording_says_so(tmp_path):
    with pytest.raises(UserError, match=r"a\.txt labels a recording a\.wav .* not beside it"):
        read_audacity(write(tmp_path / "a.txt", "1\t2\tx\n"))


def test_transcripts_are_no_label_tracks(tmp_path):
    assert not is_audacity(write(tmp_path / "a.txt", "12 dogs bark\n"))
    (tmp_path / "b.txt").write_bytes(bytes(range(256)))
    assert not is_audacity(tmp_path / "b.txt")
    assert not is_raven(tmp_path / "b.txt")
