"""Labels that look like one label written in two ways.

Two rules with few false alarms. Surely alike are labels that differ only in case, accents, blanks, underscores or
hyphens. Probably alike are labels of which one word differs by a slip: two neighboring letters swapped (four letters
at least), a plural s, or one letter too many, too few or wrong in a word of at least six letters that begins alike.
So `frog` and `forg` are a pair; `dog` and `hog`, `crow` and `cow`, `rain1` and `rain2`, `type A` and `type B` are none.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

_FEWEST_SWAPPED, _FEWEST_LETTERS = 4, 6
_BLANKS = re.compile(r"[\s_-]+")
_BLANKS_NOT_IN_NUMBERS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")


def alike(labels: Iterable[str]) -> list[tuple[str, str, str]]:
    """Find the pairs of labels that look like one, sorted, each with how they differ.

    Example:
        >>> alike(["Frog", "frog", "toad", "sneezing", "sneezzing"])
        [('Frog', 'frog', 'case or blanks'), ('sneezing', 'sneezzing', 'a letter')]
    """
    same = defaultdict(list)
    for label in sorted(set(labels)):
        same[_squashed(label)].append(label)
    pairs = {pair: "case or blanks" for group in same.values() for pair in combinations(group, 2)}
    near = defaultdict(set)
    for label, *_ in same.values():
        for shortened in _one_letter_less(_plain(label)):
            near[shortened].add(label)
    for group in near.values():
        for one, other in combinations(sorted(group), 2):
            if _is_slip(_words(one), _words(other)):
                pairs[one, other] = "a letter"
    return [(*pair, how) for pair, how in sorted(pairs.items())]


def bare(text: str) -> str:
    """Return what is left of a text without case, accents, blanks and a plural s, to be compared.

    Example:
        >>> bare("Tree Frogs") == bare("tree_frog")
        True
    """
    return _squashed(text).removesuffix("s")


def _plain(label: str) -> str:
    """Write a label in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", label.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _squashed(label: str) -> str:
    """Leave out case, accents and blanks, but for a blank between two digits: 1-0 is not 10."""
    return _BLANKS_NOT_IN_NUMBERS.sub("", _plain(label))


def _words(label: str) -> list[str]:
    return _BLANKS.split(_plain(label).strip())


def _one_letter_less(text: str) -> Iterator[str]:
    """Yield a text and what is left without each of its letters: texts a slip apart share one of these."""
    yield text
    for place in range(len(text)):
        yield text[:place] + text[place + 1 :]


def _is_slip(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two labels differ in one word alone, and that by a slip."""
    if len(one) != len(other):
        return False
    differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(differing) != 1 or not all(word.isalpha() for word in differing[0]):
        return False
    short, long = sorted(differing[0], key=len)
    if long == f"{short}s":
        return len(short) >= _FEWEST_SWAPPED - 1
    if len(short) == len(long):
        places = [place for place, (a, b) in enumerate(zip(short, long, strict=True)) if a != b]
        if len(places) == 2:
            first, second = places
            are_swapped = second == first + 1 and short[first] == long[second] and short[second] == long[first]
            return are_swapped and len(short) >= _FEWEST_SWAPPED
        is_slip = len(places) == 1 and 0 < places[0] < len(short) - 1  # a last letter often numbers: A, B
    else:
        is_slip = short[0] == long[0] and any(short == less for less in _one_letter_less(long))
    return is_slip and len(short) >= _FEWEST_LETTERS
