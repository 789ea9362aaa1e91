"""How many clips each class has, and whether the classes are of unequal size, said in sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

UNEQUAL = 3
"""How many times the clips of the smallest class the largest may have without a word."""

_N_NAMED = 8
"""Classes that are listed one by one."""


def count_clips(label_sets: Iterable[tuple[str, ...]]) -> Counter[str]:
    """Count the clips of each label; a clip of several counts for each.

    Example:
        >>> count_clips([("frog", "toad"), ("frog",), ()])
        Counter({'frog': 2, 'toad': 1})
    """
    return Counter(chain.from_iterable(label_sets))


def class_lines(label_sets: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Say how many clips the classes have.

    Args:
        label_sets: the labels of each clip: one, several or none.

    Example:
        >>> class_lines([("frog",)] * 2 + [("toad",)] * 2)
        ('2 classes of 2 clips each',)
        >>> class_lines([("frog",)] * 2 + [("toad",)])
        ('clips per class: frog 2, toad 1',)
    """
    ranked = _ranked(label_sets)
    (most, n_most), (fewest, n_fewest) = ranked[0], ranked[-1]
    if n_most == n_fewest:
        lines = [f"{len(ranked)} classes of {n_most} clips each"]
    elif len(ranked) <= _N_NAMED:
        lines = [f"clips per class: {', '.join(f'{label} {n}' for label, n in ranked)}"]
    else:
        lines = [f"{len(ranked)} classes of {n_fewest} ({fewest}) to {n_most} ({most}) clips"]
    if n_without := sum(not label_set for label_set in label_sets):
        lines.append(f"clips with none of the labels: {n_without}")
    return tuple(lines)


def imbalance_line(label_sets: Sequence[tuple[str, ...]]) -> str | None:
    """Say what can be done where classes are of very unequal size; None where they are not.

    Example:
        >>> imbalance_line([("frog",)] * 6 + [("toad",)] * 2).partition(":")[0]
        "'frog' has 3 times as many clips as 'toad'"
    """
    ranked = _ranked(label_sets)
    (most, n_most), (fewest, n_fewest) = ranked[0], ranked[-1]
    if n_most < UNEQUAL * n_fewest:
        return None
    return (
        f"'{most}' has {n_most / n_fewest:.0f} times as many clips as '{fewest}': --balance sampling draws the "
        "classes equally often, --balance weights makes a clip of a small class count for more"
    )


def _ranked(label_sets: Sequence[tuple[str, ...]]) -> list[tuple[str, int]]:
    return sorted(count_clips(label_sets).items(), key=lambda item: (-item[1], item[0]))
