"""JSON that others wrote, whose texts can be written again."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    r"""Parse JSON strictly enough for what it says to stand on a page.

    Args:
        text: of a file that may be anybody's; bytes are UTF-8.

    Raises:
        ValueError: where it is no JSON, is nested too deeply, or holds half a character, as the escape `\ud800` is.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it holds half a character, {error.object[error.start]!r}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value
