"""The one kind of error that a user can cause.

A `UserError` is one sentence: what was given, what is allowed, what to do. The command line prints it and exits
with status 2; any other exception is a defect of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something that the user gave cannot be used; the message is one sentence that says what to do."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest allowed word, whatever its case, or an empty string.

    Example:
        >>> nearest("reverbs", ["Pitch-Shift", "Reverb"])
        " (did you mean 'Reverb'?)"
    """
    written = {candidate.lower(): candidate for candidate in allowed}
    found = difflib.get_close_matches(word.lower(), written, n=1, cutoff=0.5)
    return f" (did you mean '{written[found[0]]}'?)" if found else ""
