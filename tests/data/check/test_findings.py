from pathlib import Path

import numpy as np
import pytest

from cohear.data.check.check import Check, examine
from cohear.data.check.finding import Finding
from cohear.data.check.survey import HeardClip, Survey, UnusableClip
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.folds import split
from cohear.errors import UserError
from surveyed import FORM, dataset_of, heard, survey_of


def check(clips: list[HeardClip], *, unusable: tuple[UnusableClip, ...] = (), skip_bad: bool = False, **kind) -> Check:
    dataset = dataset_of([*clips, *unusable], **kind)
    return examine(dataset, Survey(tuple(clips), unusable), FORM, skip_bad=skip_bad, background="quiet")


def found(kind: str, clips: list[HeardClip], **options) -> Finding | None:
    findings = [finding for finding in check(clips, **options).findings if finding.kind == kind]
    assert len(findings) <= 1
    return findings[0] if findings else None


def names(finding: Finding | None) -> list[str]:
    assert finding is not None
    return [item.name for item in finding.items]


def two_labels(n: int = 10, **of_dogs) -> list[HeardClip]:
    """Dogs and rain in two folds, nothing wrong with them but what is given for the dogs."""
    dogs = [heard(f"d{i}.wav", "dog", 1 + i % 2, **of_dogs) for i in range(n)]
    return [*dogs, *(heard(f"r{i}.wav", "rain", 1 + i % 2) for i in range(n))]


def test_nothing_is_found_where_nothing_is_wrong():
    done = check(two_labels())
    assert done.findings == ()
    assert done.can_train


@pytest.mark.parametrize("skip_bad", [False, True])
def test_what_cannot_be_used_stops_training_unless_it_is_left_out(skip_bad):
    unusable = (
        UnusableClip(Clip("gone.wav", "dog", 1), "gone.wav does not exist", is_missing=True),
        UnusableClip(Clip("bad.wav", "cat", 1), "bad.wav holds NaN", is_missing=False),
    )
    done = check(two_labels(), unusable=unusable, skip_bad=skip_bad)
    assert done.can_train == skip_bad
    assert [finding.kind for finding in done.findings[:3]] == ["missing", "unusable", "emptied"]
    assert [item.name for finding in done.findings[:3] for item in finding.items] == ["gone.wav", "bad.wav", "cat"]


def test_training_needs_two_labels_that_can_be_used():
    bad = (UnusableClip(Clip("r.wav", "rain", 1), "r.wav holds NaN", is_missing=False),)
    finding = found("emptied", [heard("a.wav", "dog", 1), heard("b.wav", "dog", 2)], unusable=bad, skip_bad=True)
    assert finding is not None
    assert finding.severity == "error"


def test_training_needs_clips_that_can_be_used_in_its_test_fold_and_in_another():
    def bad(label: str, fold: int) -> UnusableClip:
        return UnusableClip(Clip(f"{label} {fold}.wav", label, fold), "it holds NaN", is_missing=False)

    usable = [heard("a.wav", "dog", 2), heard("b.wav", "rain", 2)]
    for others in ((bad("dog", 1),), (bad("dog", 3), bad("rain", 3))):
        assert found("untestable", usable, unusable=others, skip_bad=True) is not None
    assert found("untestable", [*usable, heard("c.wav", "dog", 3)], unusable=(bad("rain", 4),), skip_bad=True) is None
    nothing = check([], unusable=(bad("dog", 1), bad("rain", 2)), skip_bad=True)
    assert not nothing.can_train


@pytest.mark.parametrize(("rare_folds", "severity"), [((1,), "error"), ((2, 2), "warning"), ((1, 2), None)])
def test_a_label_in_one_fold_alone_is_refused_as_training_refuses_it(rare_folds, severity):
    clips = [*two_labels(), *(heard(f"x{i}.wav", "rare", fold) for i, fold in enumerate(rare_folds))]
    finding = found("untrained", clips)
    assert (finding and finding.severity) == severity
    refusing = []
    for fold in (1, 2):
        try:
            labels, folds = [one.clip.label for one in clips], np.array([one.clip.fold for one in clips])
            split(labels, folds, [one.clip.path for one in clips], fold)
        except UserError as error:
            refusing.append((fold, str(error)))
    assert (1 in dict(refusing)) == (severity == "error")
    assert bool(refusing) == (severity is not None)
    for _, sentence in refusing:
        assert finding is not None
        assert f"--drop-small {len(rare_folds) + 1}" in sentence
        assert f"--drop-small {len(rare_folds) + 1}" in finding.remedy


def test_clips_without_a_fold_are_in_no_fold():
    clips = [heard("a.wav", "dog", None, content="A"), heard("b.wav", "dog", 1, content="A"), heard("c.wav", "rain", 1)]
    kinds = {finding.kind for finding in check(clips).findings}
    assert "repeated" in kinds
    assert not kinds & {"repeated_across_folds", "untrained"}


def test_a_label_in_some_folds_is_noted_with_the_number_of_folds_that_would_do():
    clips = [heard(f"{label}{i}.wav", label, 1 + i % 3) for label in ("dog", "rain") for i in range(9)]
    finding = found("untested", [*clips, heard("x.wav", "rare", 1), heard("y.wav", "rare", 3)])
    assert names(finding) == ["rare"]
    assert finding is not None
    assert "--set data.n_folds=2" in finding.remedy


def test_groups_that_given_folds_divide_are_found():
    clips = [*two_labels(), heard("a.wav", "dog", 1, group="pond"), heard("b.wav", "rain", 2, group="pond")]
    assert names(found("divided_groups", clips, folds_were_made=False)) == ["pond"]


def test_files_that_given_folds_divide_are_found_under_whatever_group_or_path_they_stand():
    clips = [
        *(*two_labels(), heard("a.wav", "dog", 1, group="june"), heard("a.wav", "rain", 2, group="july")),
        *(heard("c.wav", "dog", 1), heard("/data/c.wav", "rain", 2)),
        *(heard("d.wav", "dog", 1), heard("d.wav", "rain", 2)),  # known by its path already
    ]
    assert names(found("divided_files", clips)) == ["a.wav", "/data/c.wav"]
    assert names(found("divided_groups", clips)) == ["d.wav"]


def test_what_the_validation_part_alone_divides_is_found():
    clips = [*two_labels(), *(heard(f"{name}.wav", "dog", 2, content="copy") for name in "ab")]
    clips += [heard(f"site_{i}.wav", "rain", 1, content=f"{i}") for i in range(3)]  # tested together
    (finding,) = [
        finding
        for finding in examine(dataset_of(clips), survey_of(clips), FORM, kept_back={"b.wav", "site_1.wav"}).findings
        if finding.kind == "divided_by_validation"
    ]
    assert [(item.name, item.detail) for item in finding.items] == [("a.wav", "2 clips")]
    assert found("divided_by_validation", clips) is None


def test_recordings_that_folds_divide_are_found_by_name_where_no_group_is_given():
    def clips(group: str | None) -> list[HeardClip]:
        cut = [heard(f"site3_00{i}.wav", "dog", 1 + i % 2, group=group) for i in range(3)]
        return [*two_labels(), *cut, heard("site4_001.wav", "dog", 1), heard("site4_002.wav", "dog", 1)]

    assert names(found("divided_recordings", clips(None))) == ["site3"]
    assert found("divided_recordings", clips("given")) is None


def test_equal_sounds_are_told_apart_by_label_and_fold():
    same = [
        *(heard("a.wav", "dog", 1, content="A"), heard("copy of a.flac", "rain", 1, content="A")),
        *(heard("b.wav", "dog", 1, content="B"), heard("b2.wav", "dog", 2, content="B")),
        *(heard("c.wav", "dog", 2, content="C"), heard("c2.wav", "dog", 2, content="C")),
        *(heard(f"s{i}.wav", "dog", 1 + i % 2, content="S", is_silent=True) for i in range(3)),
    ]
    clips = [*two_labels(), *same]
    contradictory = found("contradictory", clips)
    assert names(contradictory) == ["a.wav 'dog'"]
    assert contradictory is not None
    assert contradictory.items[0].detail == "also copy of a.flac 'rain'"
    assert names(found("repeated_across_folds", clips)) == ["b.wav"]
    assert names(found("repeated", clips)) == ["c.wav"]


def test_labels_of_multi_label_data_contradict_as_sets():
    clips = [
        heard(path, label, fold, multi_label=True, content=content)
        for path, label, fold, content in (
            *(("a.wav", "dog;rain", 1, "A"), ("b.wav", "dog", 2, "A")),
            *(("c.wav", "dog;rain", 1, "C"), ("d.wav", "dog;rain", 1, "C"), ("e.wav", "", 2, "E")),
        )
    ]
    done = check(clips)
    assert names(found("contradictory", clips)) == ["a.wav 'dog;rain'"]
    assert names(found("repeated", clips)) == ["c.wav"]
    assert done.overview.n_unlabeled == 1
    assert [(facts.label, facts.n_clips) for facts in done.overview.labels] == [("dog", 4), ("rain", 3)]


@pytest.mark.parametrize(("kind", "of_dogs"), [
    ("told_by_sample_rate", {"rate": 44100}), ("told_by_number_of_channels", {"n_channels": 2}),
    ("told_by_length", {"duration_s": 1.5}),
])  # fmt: skip
def test_a_label_that_a_property_of_the_file_gives_away_is_found(kind, of_dogs):
    others = [heard(f"o{i}.wav", f"other {i % 3}", 1 + i % 2) for i in range(30)]
    clips = [*two_labels(**of_dogs), *others]
    assert names(found(kind, clips)) == ["dog"]
    assert found(kind, [*clips, *(heard(f"m{i}.wav", "other 0", 1 + i % 2, **of_dogs) for i in range(10))]) is None
    few = [one for one in clips if one.clip.label != "dog" or one.clip.path < "d4"]
    assert found(kind, few) is None


def test_each_label_but_the_most_frequent_is_named_where_every_one_has_a_rate_of_its_own():
    clips = [
        heard(f"{label}{i}.wav", label, 1 + i % 2, rate=rate)
        for label, rate, n in (("dog", 8000, 10), ("rain", 16000, 8), ("bird", 44100, 6))
        for i in range(n)
    ]
    assert sorted(names(found("told_by_sample_rate", clips))) == ["bird", "rain"]


def test_flaws_of_sounds_are_found_the_worst_first():
    clips = [
        *two_labels(),
        *(heard("quiet.wav", "dog", 1, is_silent=True, flat_share=1.0), heard("tiny.wav", "dog", 1, duration_s=0.1)),
        *(heard("short.wav", "dog", 1, duration_s=0.39), heard("enough.wav", "dog", 1, duration_s=0.4)),
        *(heard("loud.wav", "dog", 1, flat_share=0.002), heard("louder.wav", "dog", 1, flat_share=0.2)),
        heard("touches.wav", "dog", 1, flat_share=0.0009),
    ]
    assert names(found("silent", clips)) == ["quiet.wav"]
    assert names(found("short", clips)) == ["tiny.wav", "short.wav"]
    assert names(found("clipped", clips)) == ["louder.wav", "loud.wav"]


def test_long_recordings_count_as_the_windows_that_training_cuts():
    clips = [*two_labels(5), heard("hours.wav", "dog", 1, duration_s=100.0)]
    done = check(clips)
    assert {facts.label: facts.n_windows for facts in done.overview.labels} == {"dog": 55, "rain": 5}
    assert [item.detail for item in (found("long", clips) or done.findings[0]).items] == ["50 windows"]
    assert names(found("one_recording", clips)) == ["hours.wav"]
    imbalance = found("imbalance", clips)
    assert imbalance is not None
    assert "11 times" in imbalance.sentence
    assert "--balance" in imbalance.remedy


@pytest.mark.parametrize(("labels", "layout", "kind"), [
    ("dog rain", "folder", "no_background"), ("dog background_noise", "folder", "background_unnamed"),
    ("dog Other", "folder", "background_unnamed"), ("dog mother", "folder", "no_background"),
])  # fmt: skip
def test_nothing_that_stands_for_none_of_these_is_said(labels, layout, kind):
    clips = [heard(f"{label}/{i}.wav", label, 1 + i) for label in labels.split() for i in range(2)]
    dataset = dataset_of(clips, layout)
    kinds = {finding.kind for finding in examine(dataset, survey_of(clips), FORM).findings}
    assert kinds & {"no_background", "background_unnamed"} == {kind}
    named = examine(dataset, survey_of(clips), FORM, background="rain").findings
    assert not {finding.kind for finding in named} & {"no_background", "background_unnamed"}


def test_segments_can_lend_background_and_multi_label_data_need_none():
    segments = [HeardClip(Clip(f"{i}.wav", "dog", 1, start_s=1.0, end_s=3.0), two_labels()[0].sound) for i in range(2)]
    dataset = Dataset("made up", Path("/data"), tuple(one.clip for one in segments), "annotations")
    (finding,) = [f for f in examine(dataset, survey_of(segments), FORM).findings if f.kind == "no_background"]
    assert finding.remedy.startswith("--background NAME cuts")
    several = [heard(f"{i}.wav", "dog;rain", 1 + i, multi_label=True) for i in range(2)]
    kinds = {finding.kind for finding in examine(dataset_of(several), survey_of(several), FORM).findings}
    assert "no_background" not in kinds


def test_errors_come_first_and_refusals_of_the_whole_are_errors():
    clips = two_labels()
    done = examine(dataset_of(clips), survey_of(clips), FORM, refusals=["too few groups"], notes=["it is so."])
    assert [(finding.severity, finding.sentence) for finding in done.findings][::2] == [
        ("error", "too few groups"), ("note", "It is so."),
    ]  # fmt: skip
    assert not done.can_train
