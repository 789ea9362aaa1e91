"""A message is one line that commands no terminal, however strange what it quotes."""

import pytest

from cohear.errors import UserError


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines", r"two\nlines"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("left\u202etoright", r"left\u202etoright"),
        ("line\u2028separator", r"line\u2028separator"),
        ("\udcff.wav", r"\udcff.wav"),
        ("a\x00b", r"a\x00b"),
        ("Frösche, 蛙, 😀, a\u00a0blank, C:\\x", "Frösche, 蛙, 😀, a\u00a0blank, C:\\x"),
    ],
)
def test_what_breaks_lines_or_commands_terminals_is_escaped(given, shown):
    assert str(UserError(f"'{given}' is wrong.")) == f"'{shown}' is wrong."
    shown.encode()
