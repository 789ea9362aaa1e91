"""How sentences count and list: `1 clip`, `2 classes`, `'frog', 'toad' and 3 more`; and names within Markdown."""

import re
from collections.abc import Sequence

_MARKUP_OF_SENTENCES = re.compile(r"[*\[\]]|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")
"""What begins Markdown or HTML within a sentence; code in ours is without any of these."""
_MARKUP = re.compile(rf"[\\`~|]|(?<![^\W_])_|_(?![^\W_])|{_MARKUP_OF_SENTENCES.pattern}")


def counted(n: int, one: str, many: str = "") -> str:
    """Say how many there are.

    Example:
        >>> counted(2, "clip"), counted(1, "clip"), counted(2, "class", "classes")
        ('2 clips', '1 clip', '2 classes')
    """
    return f"{n} {one if n == 1 else many or one + 's'}"


def some(names: Sequence[str], n_named: int = 5) -> str:
    """Write out the first names of a list and count the rest.

    Example:
        >>> some(["frog", "toad"]), some(["frog", "toad", "newt"], n_named=2)
        ('frog, toad', 'frog, toad and 1 more')
    """
    more = f" and {len(names) - n_named} more" if len(names) > n_named else ""
    return ", ".join(names[:n_named]) + more


def quoted(labels: Sequence[str], n_named: int = 5) -> str:
    """Write out the first labels of a list, in quotes, and count the rest.

    Example:
        >>> quoted(["frog", "toad", "newt"], n_named=2)
        "'frog', 'toad' and 1 more"
    """
    return some([f"'{label}'" for label in labels], n_named)


def no_markdown(text: str) -> str:
    r"""Write a name on one line, so that nothing in it is Markdown or HTML.

    Example:
        >>> print(no_markdown("a | *b* <i>, p < 0.05"))
        a \| \*b\* \<i>, p < 0.05
    """
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def sentence_markdown(text: str) -> str:
    r"""Write a sentence of ours, so that nothing but its code is Markdown or HTML.

    Example:
        >>> print(sentence_markdown("*All* of `cohear train`."))
        \*All\* of `cohear train`.
    """
    return _MARKUP_OF_SENTENCES.sub(r"\\\g<0>", text)


def duration_text(seconds: float) -> str:
    """Write a length of sound.

    Example:
        >>> duration_text(0.1), duration_text(42), duration_text(400), duration_text(10800)
        ('0.10 s', '42 s', '6.7 min', '3.0 h')
    """
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
