"""How long a command may take."""

import re

from cohear.errors import UserError

_UNITS_S = {"s": 1, "m": 60, "h": 3600}


def parse_budget_s(text: str) -> float:
    """Return the seconds of a time with its unit; a bare number could mean seconds or minutes and is refused.

    Raises:
        UserError: for anything else.

    Example:
        >>> parse_budget_s("90s"), parse_budget_s("9m"), parse_budget_s("1.5h")
        (90.0, 540.0, 5400.0)
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([smh])", text.strip())
    if match is None:
        raise UserError(f"--budget {text} is not a time; write it with its unit, as 90s, 9m or 1.5h")
    return float(match[1]) * _UNITS_S[match[2]]
