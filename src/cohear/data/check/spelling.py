"""Labels that look like one label written in two ways.

Two rules with few false alarms. Surely alike are labels that differ only in case, accents, blanks, underscores or
hyphens, and equal numbers. Probably alike are labels of which one word differs by a plural s, by the order of its
letters, or by a slip in a word of at least six letters that begins and ends alike. So `frog` and `forg` are a pair;
`dog` and `hog`, `crow` and `cow`, `rain1` and `rain2`, `type A` and `type B` are none.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from itertools import combinations

_FEWEST_LETTERS, _SIMILAR = 6, 0.83
_NUMBER = re.compile(r"(\d{1,9})(\.0*)?")
_BLANKS = re.compile(r"[\s_-]+")
_BLANKS_NOT_IN_NUMBERS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")


def alike(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Find the pairs of labels that look like one, sorted.

    Example:
        >>> alike(["Frog", "frog", "toad", "sneezing", "sneezzing"])
        [('Frog', 'frog'), ('sneezing', 'sneezzing')]
    """
    written: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        written.setdefault(_number(label) or _squashed(label), []).append(label)
    pairs = [pair for same in written.values() for pair in combinations(same, 2)]
    words = [(same[0], _BLANKS.split(_plain(same[0]).strip())) for same in written.values()]
    for (one, of_one), (other, of_other) in combinations(words, 2):
        differing = [pair for pair in zip(of_one, of_other, strict=False) if pair[0] != pair[1]]
        if len(of_one) == len(of_other) and len(differing) == 1 and _is_slip(*differing[0]):
            pairs.append((one, other))
    return sorted(pairs)


def same_label(one: str, other: str) -> bool:
    """Whether two labels differ only in case, accents, blanks, underscores or hyphens, or are equal numbers.

    Example:
        >>> same_label("Tree_Frog", "tree frog"), same_label("7", "7.0"), same_label("frog", "frogs")
        (True, True, False)
    """
    return (_number(one) or _squashed(one)) == (_number(other) or _squashed(other))


def _number(label: str) -> str | None:
    """Write a number in one way: 7, 7.0 and 07 are one, as spreadsheets have it."""
    found = _NUMBER.fullmatch(label.strip())
    return str(int(found[1])) if found else None


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


def _is_slip(one: str, other: str) -> bool:
    """Whether two words differ by a slip of the keyboard."""
    short, long = sorted((one, other), key=len)
    if not (short.isalpha() and long.isalpha() and short[0] == long[0] and len(short) > 2):
        return False
    if long == f"{short}s" or sorted(short) == sorted(long):
        return True
    is_long = len(short) >= _FEWEST_LETTERS and short[-1] == long[-1]  # a last letter often numbers: A, B
    return is_long and difflib.SequenceMatcher(None, short, long).ratio() > _SIMILAR
