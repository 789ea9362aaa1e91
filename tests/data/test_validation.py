from collections import Counter

import numpy as np
import pytest

from cohear.data.folds import Split, as_label_sets, split, split_all
from cohear.data.validation import with_validation


def keep_back(labels, groups, share=0.15) -> Split:
    return with_validation(split_all(len(labels)), labels, groups, share)


def one_label(random: np.random.Generator, n: int) -> list[str]:
    return [f"l{k}" for k in random.geometric(0.4, n)]


def several_labels(random: np.random.Generator, n: int) -> list[tuple[str, ...]]:
    return [tuple(f"l{k}" for k in np.flatnonzero(row)) for row in random.random((n, 7)) < np.linspace(0.01, 0.4, 7)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("draw_labels", [one_label, several_labels])
@pytest.mark.parametrize("n_groups", [25, 300])
def test_no_group_is_divided_and_no_label_lost(draw_labels, n_groups, seed):
    random = np.random.default_rng(seed)
    labels, groups = draw_labels(random, 300), [f"g{i}" for i in random.integers(0, n_groups, 300)]
    sides = split(["any"] * 300, random.integers(1, 3, 300), groups, 2)
    kept = with_validation(sides, labels, groups, 0.2)
    assert sorted([*kept.train, *kept.validation]) == sides.train.tolist()
    assert kept.test is sides.test
    assert 0.1 < len(kept.validation) / len(sides.train) <= 0.4
    train_groups, kept_groups = ({groups[row] for row in rows} for rows in (kept.train, kept.validation))
    assert not train_groups & kept_groups
    sets = as_label_sets(labels)
    trained, all_labels = ({label for row in rows for label in sets[row]} for rows in (kept.train, sides.train))
    assert trained == all_labels


def test_every_class_is_kept_back_alike():
    labels = [f"l{i % 10}" for i in range(400)]
    kept = keep_back(labels, [str(i) for i in range(400)])
    counts = Counter(labels[row] for row in kept.validation)
    assert len(counts) == 10
    assert set(counts.values()) <= {5, 6}
    assert kept.warnings == ()


def test_a_class_of_one_recording_stays_in_training():
    labels = ["x", "y"] * 40 + ["rare"] * 10
    groups = [str(i) for i in range(80)] + ["site"] * 10
    kept = keep_back(labels, groups)
    assert {labels[row] for row in kept.validation} == {"x", "y"}
    assert len(kept.warnings) == 1
    assert "'rare'" in kept.warnings[0]


def test_where_a_recording_is_too_large_a_part_nothing_is_kept_back():
    labels, groups = ["x", "y", "z"] * 30, [str(i // 30) for i in range(90)]
    kept = keep_back(labels, groups)
    assert (len(kept.train), len(kept.validation)) == (90, 0)
    (warning,) = kept.warnings
    assert "3 groups" in warning
    assert len(keep_back(labels, groups, 0.2).validation) == 30  # at most twice the share


def test_too_few_clips_are_kept_together():
    labels, groups = ["x", "y"] * 16, [str(i) for i in range(32)]
    kept = keep_back(labels, groups)
    assert (len(kept.train), len(kept.validation)) == (32, 0)
    assert "too few" in kept.warnings[0]
    assert 10 <= len(keep_back(labels, groups, 0.17).validation) <= 11


def test_no_share_keeps_nothing_back():
    sides = split_all(4)
    assert with_validation(sides, list("xyxy"), list("abcd"), 0) is sides
    with pytest.raises(ValueError, match="is between 0 and"):
        with_validation(sides, list("xyxy"), list("abcd"), 0.6)
