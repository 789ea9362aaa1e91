"""The one kind of error that a user can cause.

A `UserError` is one sentence: what was given, what is allowed, what to do. The command line prints it and exits
with status 2; any other exception is a defect of ours and keeps its traceback.
"""

import difflib
import unicodedata
from collections.abc import Iterable

_MOST_CHARACTERS = 1500
"""Of a message; a value of a megabyte that it quotes is cut in the middle."""


class UserError(ValueError):
    """Something that the user gave cannot be used; the message is one sentence that says what to do.

    Names and values of others stand in it, so letters that would break the line or command the terminal are escaped.
    """

    def __str__(self) -> str:
        return in_one_line(super().__str__())


def in_one_line(text: str) -> str:
    r"""Escape what is no visible letter or blank, and cut what is too long in the middle.

    Example:
        >>> in_one_line("two\nlines, caf\u00e9")
        'two\\nlines, café'
    """
    text = _cut(text)
    if text.isprintable():
        return text
    return _cut("".join(letter if _is_visible(letter) else ascii(letter)[1:-1] for letter in text))


def _cut(text: str) -> str:
    half = _MOST_CHARACTERS // 2
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:half]} [...] {text[-half:]}"


def _is_visible(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest allowed word, whatever its case, or an empty string.

    Example:
        >>> nearest("reverbs", ["Pitch-Shift", "Reverb"])
        " (did you mean 'Reverb'?)"
    """
    written = {candidate.lower(): candidate for candidate in allowed}
    found = difflib.get_close_matches(word.lower(), written, n=1, cutoff=0.5)
    return f" (did you mean '{written[found[0]]}'?)" if found else ""
