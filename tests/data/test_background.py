from pathlib import Path

import pytest

from cohear.data.audio_files import AudioInfo
from cohear.data.background import with_background
from cohear.data.clips import Clip, Clips
from cohear.data.datasets import Dataset
from cohear.data.headers import duration_s
from cohear.errors import UserError


def dataset(*clips: Clip) -> Dataset:
    several = any(len(clip.labels) != 1 for clip in clips)
    return Dataset("ponds", Path("/nowhere"), Clips.of(clips), "annotations", multi_label=several)


def files(**durations_s: float) -> dict[str, AudioInfo]:
    return {path: AudioInfo(duration_s, 44100, 1) for path, duration_s in durations_s.items()}


def segment(path: str, label: str, start_s: float, end_s: float | None, **kwargs) -> Clip:
    return Clip(path, tuple(label.split(";")), start_s=start_s, end_s=end_s, **kwargs)


def test_clips_are_cut_from_the_middle_of_what_no_label_is_near_to():
    labeled = (segment("a", "frog", 3, 5), segment("a", "toad", 4, 6), segment("a", "frog", 7, 9))
    made = with_background(dataset(*labeled), "none", 2.0, files(a=12))
    assert tuple(made.clips[:3]) == labeled
    # 0 to 2.9 s, 6.1 to 6.9 s, 9.1 to 12 s are free: a clip fits into the first and the last, two are the middle class
    assert tuple(made.clips[3:]) == (segment("a", "none", 0.45, 2.45), segment("a", "none", 9.55, 11.55))
    assert made.notes[0].startswith("2 clips of 'none of these'")


def test_clips_are_as_many_as_the_middle_class_and_spread_over_all_recordings():
    labeled = [segment(path, label, 10 * k, 10 * k + 1) for path in "abcd" for k, label in enumerate("xxxxyyz")]
    made = with_background(dataset(*labeled), "none", 1.0, files(a=70, b=70, c=70, d=70))
    cut = [clip for clip in made.clips if clip.label == "none"]
    assert len(cut) == 8  # of 16, 8 and 4
    assert [sum(clip.path == path for clip in cut) for path in "abcd"] == [2, 2, 2, 2]
    assert all(1.1 <= (clip.start_s or 0) % 10 <= 8.9 for clip in cut)


def test_lengths_are_those_of_the_labeled_segments():
    labeled = [segment("a", "xy"[k % 2], 20 * k, 20 * k + s) for k, s in enumerate([0.5, 0.5, 1.0, 9.0] * 2)]
    made = with_background(dataset(*labeled), "none", 2.0, files(a=160))
    cut_s = sorted(round(duration_s(clip, None) or 0, 3) for clip in made.clips if clip.label == "none")
    assert cut_s == [0.5, 0.5, 1.0, 2.0]


def test_clips_have_the_fold_and_the_group_of_the_nearest_segment():
    june, july = {"fold": 1, "group": "june"}, {"fold": 2, "group": "july"}
    labeled = [segment("a", label, start_s, start_s + 1, **june) for label, start_s in (("x", 0), ("y", 2))]
    labeled += [segment("a", label, start_s, start_s + 1, **july) for label, start_s in (("x", 30), ("y", 32))]
    made = with_background(dataset(*labeled), "none", 1.0, files(a=33))
    assert [(clip.fold, clip.group) for clip in made.clips[4:]] == [(1, "june"), (2, "july")]


def test_in_multi_label_data_background_has_no_label():
    labeled = (segment("a", "x;y", 0, 1), segment("a", "x", 2, None))
    made = with_background(dataset(*labeled, segment("b", "y", 5, 6)), "none", 1.0, files(a=9, b=9))
    assert [(clip.path, clip.labels) for clip in made.clips[3:]] == [("b", ())] * 2
    empty = dataset(*labeled, Clip("c", ()))
    assert with_background(empty, "none", 1.0, {}).clips is empty.clips


def test_a_label_that_is_there_is_used():
    given = dataset(Clip("a", ("frog",)), Clip("b", ("noise",)))
    made = with_background(given, "noise", 1.0, {})
    assert (made.clips, made.notes) == (given.clips, ("the label 'noise' stands for 'none of these'",))


def test_without_such_a_label_or_segments_it_is_refused():
    with pytest.raises(UserError, match=r"'nose'.* \(did you mean 'noise'\?\)"):
        with_background(dataset(Clip("a", ("frog",)), Clip("b", ("noise",))), "nose", 1.0, {})
    with pytest.raises(UserError, match=r"data\.clip_s"):
        with_background(dataset(segment("a", "x", 0, 4), segment("a", "y", 4, 8)), "none", 5.0, files(a=12))
