from cohear.data.class_counts import class_lines, imbalance_line


def sets(**n_clips: int) -> list[tuple[str, ...]]:
    return [(label,) for label, n in n_clips.items() for _ in range(n)]


def test_unequal_classes_are_named_with_the_way_out():
    assert class_lines(sets(frog=9, toad=3, newt=4)) == ("clips per class: frog 9, newt 4, toad 3",)
    line = imbalance_line(sets(frog=9, toad=3, newt=4))
    assert line is not None
    assert line.startswith("'frog' has 3 times as many clips as 'toad': --balance sampling")
    assert imbalance_line(sets(frog=8, toad=3)) is None


def test_many_classes_are_summed_up():
    assert class_lines(sets(**{f"l{k}": 5 + k for k in range(9)})) == ("9 classes of 5 (l0) to 13 (l8) clips",)


def test_a_clip_of_several_labels_counts_for_each_and_one_of_none_is_counted_apart():
    assert class_lines([("a", "b"), ("a",), ()]) == ("clips per class: a 2, b 1", "clips with none of the labels: 1")
