"""A table of text cells with sentences under it, and its three renderings: terminal, Markdown, HTML."""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

WARNING = "Warning: "
"""Notes that begin with it stand out on a page."""
_MARKUP_OF_NOTES = re.compile(r"[*\[\]]|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")
"""What begins markup within a sentence; code is ours, and without any of these."""
_MARKUP = re.compile(rf"[\\`~|]|(?<![^\W_])_|_(?![^\W_])|{_MARKUP_OF_NOTES.pattern}")


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column holds names (set left), the others numbers (set right)."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    """Whole sentences: what the numbers are, and what they cannot say."""


def signed(value: float) -> str:
    """Write a difference with its sign and two decimals; what rounds to zero is `+0.00`.

    Example:
        >>> signed(-1.5), signed(-0.001)
        ('-1.50', '+0.00')
    """
    return f"{round(value, 2) + 0.0:+.2f}"


def nats_text(value: float) -> str:
    """Write a divergence in nats; it is never negative, but for rounding in the last bits.

    Example:
        >>> nats_text(0.05), nats_text(-1e-9)
        ('0.0500', '0.0000')
    """
    return f"{max(0.0, value):.4f}"


def count_text(counts: Iterable[int], noun: str) -> str:
    """Say how many, or from how many to how many.

    Example:
        >>> count_text([1], "seed"), count_text([5, 2, 5], "fold")
        ('1 seed', '2 to 5 folds')
    """
    counts = list(counts)
    low, high = min(counts), max(counts)
    number = str(low) if low == high else f"{low} to {high}"
    return f"{number} {noun}" if high == 1 else f"{number} {noun}s"


def to_text(table: Table, width: int = 80) -> str:
    """Render a table for a terminal, names and notes wrapped so that lines fit in `width`.

    Words are never torn: a table whose numbers leave less than the longest word of a name is wider than `width`.

    Example:
        >>> print(to_text(Table("Clips", ("Class", "n"), (("dog", "8"), ("rain", "12")), ("Made up.",))))
        Clips
        <BLANKLINE>
        Class   n
        ---------
        dog     8
        rain   12
        <BLANKLINE>
        Made up.
    """
    lines = (table.header, *table.rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    room = width - sum(widths[1:]) - 2 * len(widths[1:])
    longest_word = max(len(word) for line in lines for word in line[0].split() or [""])
    widths[0] = min(widths[0], max(room, longest_word))

    def render(cells: tuple[str, ...]) -> list[str]:
        first, *more = textwrap.wrap(cells[0], widths[0] or 1, break_long_words=False, break_on_hyphens=False) or [""]
        numbers = "".join(f"  {cell:>{n}}" for cell, n in zip(cells[1:], widths[1:], strict=True))
        return [f"{first:<{widths[0]}}{numbers}".rstrip(), *more]

    body = [text for row in table.rows for text in render(row)]
    rule = "-" * (sum(widths) + 2 * len(widths[1:]))
    notes = [line for note in table.notes for line in textwrap.wrap(note, width, break_on_hyphens=False)]
    return "\n".join([table.title, "", *render(table.header), rule, *body, *([""] if notes else []), *notes])


def to_markdown(table: Table) -> str:
    """Render a table in GitHub's Markdown, notes as paragraphs below."""

    def render(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(map(no_markdown, cells)) + " |"

    rule = "|---|" + "---:|" * (len(table.header) - 1)
    rows = [render(table.header), rule, *(render(row) for row in table.rows)]
    notes = (_MARKUP_OF_NOTES.sub(r"\\\g<0>", note) for note in table.notes)
    return "\n".join([f"**{no_markdown(table.title)}**", "", *rows, *(text for note in notes for text in ("", note))])


def no_markdown(text: str) -> str:
    r"""Write a name on one line, so that nothing in it is Markdown or HTML.

    Example:
        >>> print(no_markdown("a | *b* <i>, p < 0.05"))
        a \| \*b\* \<i>, p < 0.05
    """
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


_HTML = """\
<div class=scroll><table><thead><tr>{header}</tr></thead>
<tbody>{rows}</tbody></table></div>
{notes}"""


def to_html(table: Table) -> Markup:
    """Render a table as an HTML fragment; every cell is escaped."""

    def cells(element: str, texts: Iterable[str]) -> Markup:
        return Markup("").join(Markup("<{0}>{1}</{0}>").format(Markup(element), text) for text in texts)

    rows = (Markup("<tr>{}{}</tr>\n").format(cells("th", row[:1]), cells("td", row[1:])) for row in table.rows)
    kinds = ("warning" if note.startswith(WARNING) else "note" for note in table.notes)
    notes = (Markup("<p class={}>{}</p>\n").format(*its) for its in zip(kinds, table.notes, strict=True))
    return Markup(_HTML).format(
        header=cells("th", table.header),
        rows=Markup("").join(rows),
        notes=Markup("").join(notes),
    )
