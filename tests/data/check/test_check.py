import pytest

from cohear.data.check.check import Check, Finding, can_train, examine
from cohear.data.check.survey import HeardClip, Survey, UnusableClip
from cohear.data.clips import Clip
from surveyed import FORM, dataset_of, heard, survey_of


def check(clips: list[HeardClip], *, unusable: tuple[UnusableClip, ...] = (), skip_bad: bool = False, **kind) -> Check:
    dataset = dataset_of([*clips, *unusable], **kind)
    return examine(dataset, Survey(tuple(clips), unusable), FORM, skip_bad=skip_bad, background="quiet")


def found(kind: str, clips: list[HeardClip], **options) -> Finding | None:
    findings = [finding for finding in check(clips, **options).findings if finding.kind == kind]
    assert len(findings) <= 1
    return findings[0] if findings else None


def names(kind: str, clips: list[HeardClip], **options) -> list[str]:
    finding = found(kind, clips, **options)
    return [item.name for item in finding.items] if finding else []


def unusable(path: str, label: str, reason: str = "") -> UnusableClip:
    return UnusableClip(Clip(path, (label,), 1), reason, is_missing=not reason)


def two_labels(n: int = 10, **of_dogs) -> list[HeardClip]:
    """Dogs and rain in two folds, nothing wrong with them but what is given for the dogs."""
    dogs = [heard(f"d{i}.wav", "dog", 1 + i % 2, **of_dogs) for i in range(n)]
    return [*dogs, *(heard(f"r{i}.wav", "rain", 1 + i % 2) for i in range(n))]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_what_cannot_be_used_stops_training_unless_it_is_left_out(skip_bad):
    bad = (unusable("gone.wav", "dog"), unusable("bad.wav", "cat", "bad.wav holds NaN"))
    done = check(two_labels(), unusable=bad, skip_bad=skip_bad)
    assert can_train(done.findings) == skip_bad
    assert [(f.kind, *(item.name for item in f.items)) for f in done.findings[:3]] == [
        ("missing", "gone.wav"), ("unusable", "bad.wav"), ("emptied", "cat"),
    ]  # fmt: skip


def test_labels_in_one_fold_alone_are_found_with_what_would_help():
    clips = [heard(f"{label}{i}.wav", label, 1 + i % 3) for label in ("dog", "rain") for i in range(9)]
    clips += [heard(f"x{i}.wav", "rare", 2) for i in range(2)]
    assert names("untrained", clips) == ["rare"]
    assert "--drop-small 3" in getattr(found("untrained", clips), "remedy", "")


def test_groups_and_files_that_given_folds_divide_are_found():
    clips = [
        *(*two_labels(), heard("p.wav", "dog", 1, group="pond"), heard("q.wav", "rain", 2, group="pond")),
        *(heard("d.wav", "dog", 1), heard("d.wav", "rain", 2)),  # known by its path already
    ]
    assert names("divided_groups", clips, folds_were_made=False) == ["pond", "d.wav"]


def test_recordings_that_folds_divide_are_found_by_name_where_no_group_is_given():
    def clips(group: str | None) -> list[HeardClip]:
        cut = [heard(f"site3_00{i}.wav", "dog", 1 + i % 2, group=group) for i in range(3)]
        return [*two_labels(), *cut, heard("site4_001.wav", "dog", 1), heard("site4_002.wav", "dog", 1)]

    assert names("divided_recordings", clips(None)) == ["site3"]
    assert found("divided_recordings", clips("given")) is None


def test_equal_sounds_are_told_apart_by_label_and_fold():
    clips = [
        *(*two_labels(), heard("a.wav", "dog", 1, content="A"), heard("copy of a.flac", "rain", 1, content="A")),
        *(heard("b.wav", "dog", 1, content="B"), heard("b2.wav", "dog", 2, content="B")),
        *(heard("c.wav", "dog", 2, content="C"), heard("c2.wav", "dog", 2, content="C")),
        *(heard(f"s{i}.wav", "dog", 1 + i % 2, content="S", is_silent=True) for i in range(3)),
    ]
    contradictory = found("contradictory", clips)
    assert contradictory is not None
    assert [(item.name, item.detail) for item in contradictory.items] == [("a.wav 'dog'", "also copy of a.flac 'rain'")]
    assert names("repeated_across_folds", clips) == ["b.wav"]
    assert names("repeated", clips) == ["c.wav"]


def test_labels_of_multi_label_data_contradict_as_sets():
    listed = [("a.wav", "dog;rain", 1, "A"), ("b.wav", "dog", 2, "A"), ("c.wav", "dog;rain", 1, "C")]
    listed += [("d.wav", "dog;rain", 1, "C"), ("e.wav", "", 2, "E")]
    clips = [heard(path, label, fold, multi_label=True, content=content) for path, label, fold, content in listed]
    assert names("contradictory", clips) == ["a.wav 'dog;rain'"]
    assert names("repeated", clips) == ["c.wav"]
    overview = check(clips).overview
    assert overview.n_unlabeled == 1
    assert [(facts.label, facts.n_clips) for facts in overview.labels] == [("dog", 4), ("rain", 3)]


@pytest.mark.parametrize(("kind", "of_dogs"), [
    ("told_by_sample_rate", {"rate": 44100}), ("told_by_number_of_channels", {"n_channels": 2}),
    ("told_by_length", {"duration_s": 1.5}),
])  # fmt: skip
def test_a_label_that_a_property_of_the_file_gives_away_is_found(kind, of_dogs):
    clips = [*two_labels(**of_dogs), *(heard(f"o{i}.wav", f"other {i % 3}", 1 + i % 2) for i in range(30))]
    assert names(kind, clips) == ["dog"]
    assert found(kind, [*clips, *(heard(f"m{i}.wav", "other 0", 1 + i % 2, **of_dogs) for i in range(10))]) is None
    assert found(kind, [one for one in clips if one.clip.label != "dog" or one.clip.path < "d4"]) is None  # too few


def test_it_is_said_that_nothing_stands_for_none_of_these_unless_it_is_named_or_labels_are_several():
    def is_said(clips: list[HeardClip], background: str | None = None) -> bool:
        done = examine(dataset_of(clips), survey_of(clips), FORM, background=background)
        return "no_background" in {finding.kind for finding in done.findings}

    several = [heard(f"{i}.wav", "dog;rain", 1 + i, multi_label=True) for i in range(2)]
    assert (is_said(two_labels()), is_said(two_labels(), "rain"), is_said(several)) == (True, False, False)


def test_labels_written_alike_are_found():
    clips = [
        heard(f"{label}.wav", label, 1) for label in ("Tree Frog", "tree_frogs", "cr\u00eape", "CREPE", "1 0", "10")
    ]
    assert names("labels_alike", clips) == ["'CREPE' (1) and 'cr\u00eape' (1)", "'Tree Frog' (1) and 'tree_frogs' (1)"]


def test_flaws_of_sounds_are_found_the_worst_first():
    clips = [
        *two_labels(),
        *(heard("quiet.wav", "dog", 1, is_silent=True), heard("tiny.wav", "dog", 1, duration_s=0.1)),
        *(heard("short.wav", "dog", 1, duration_s=0.39), heard("enough.wav", "dog", 1, duration_s=0.4)),
        *(heard("loud.wav", "dog", 1, clipped_share=0.002), heard("louder.wav", "dog", 1, clipped_share=0.2)),
        heard("touches.wav", "dog", 1, clipped_share=0.0009),
    ]
    assert names("silent", clips) == ["quiet.wav"]
    assert names("short", clips) == ["tiny.wav", "short.wav"]
    assert names("clipped", clips) == ["louder.wav", "loud.wav"]
    beyond = [*clips, heard("floats.wav", "dog", 1, clipped_share=0.9, peak=40)]
    assert (names("clipped", beyond), names("loud", beyond)) == (["louder.wav", "loud.wav"], ["floats.wav"])


def test_long_recordings_count_as_the_windows_that_training_cuts():
    clips = [*two_labels(5), heard("hours.wav", "dog", 1, duration_s=100.0)]
    done = check(clips)
    assert {facts.label: facts.n_windows for facts in done.overview.labels} == {"dog": 55, "rain": 5}
    assert names("long", clips) == ["hours.wav"]
    imbalance = found("imbalance", clips)
    assert imbalance is not None
    assert "11 times" in imbalance.sentence


def test_errors_come_first_and_refusals_of_the_whole_are_errors():
    clips = two_labels()
    done = examine(dataset_of(clips), survey_of(clips), FORM, refusals=["too few groups"], notes=["it is so."])
    assert [(finding.severity, finding.sentence) for finding in done.findings][::2] == [
        ("error", "too few groups"), ("note", "It is so."),
    ]  # fmt: skip
    assert not can_train(done.findings)


def test_sounds_that_cancel_once_mixed_are_named():
    assert names("cancelled", [*two_labels(), heard("a.wav", "dog", 1, cancels=True)]) == ["a.wav"]


def test_much_padding_is_warned_of():
    assert found("padding", two_labels()) is None
    short = found("padding", two_labels(duration_s=0.1 * (FORM.clip_s or 0)))  # half of the clips are a tenth as long
    assert short is not None
    assert short.sentence.startswith("45% of what training hears is padding")


def test_labels_made_of_other_labels_are_found_and_lists_of_unknown_ones_are_not():
    clips = [*two_labels(), heard("a.wav", "dog, rain", 1), heard("b.wav", "rain|dog", 2), heard("c.wav", "AC/DC", 1)]
    assert names("labels_combined", clips) == ["'dog, rain'", "'rain|dog'"]
    for written in ("['dog', 'rain']", '{"choices": ["dog", "rain"]}', "dog and rain"):
        assert names("labels_combined", [*two_labels(), heard("a.wav", written, 1)]) == [f"'{written}'"]


def test_segments_that_overlap_by_more_than_half_with_another_label_are_found():
    def at(start_s: float, label: str) -> HeardClip:
        return heard("long.wav", label, 1, start_s=start_s, end_s=start_s + 1)

    assert names("overlapping", [*two_labels(), at(0, "dog"), at(0.6, "rain")]) == []
    assert names("overlapping", [*two_labels(), at(0, "dog"), at(0.4, "dog")]) == []
    assert names("overlapping", [*two_labels(), at(0, "dog"), at(0.4, "rain")]) == ["long.wav#0-1 'dog'"]


def test_a_label_told_by_its_level_is_found_and_background_may_be_soft():
    more = [heard(f"s{i}.wav", "rain", 1 + i % 2) for i in range(5)]
    assert names("told_by_level", [*two_labels(peak=0.001), *more]) == ["dog"]
    quiet = [heard(f"q{i}.wav", "quiet", 1 + i % 2, peak=0.001) for i in range(10)]
    assert names("told_by_level", [*two_labels(), *quiet]) == []
