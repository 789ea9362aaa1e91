"""What pages are made of: tables (for terminals and Markdown too), pictures, sounds; and the page that holds them all.

A page is one HTML file with everything it shows, style, pictures and sounds, and nothing from a network.
"""

import base64
import hashlib
import io
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from markupsafe import Markup, escape

from cohear.data.wording import duration_text, no_markdown, sentence_markdown
from cohear.runs.run import Run
from cohear.runtime.files import explain_disk_errors, write_text

WARNING = "Warning: "
"""Notes that begin with it stand out on a page."""


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

    Words are never torn: where the numbers leave less than the longest word of a name, each has a line of its own.

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
    notes = [line for note in table.notes for line in textwrap.wrap(note, width, break_on_hyphens=False)]
    end = ["", *notes] if notes else []
    if longest_word > room:
        named = max(map(len, table.header[1:]), default=0)
        stacked = [
            line
            for name, *cells in table.rows
            for line in (
                name,
                *(f"  {what:<{named}}  {its}" for what, its in zip(table.header[1:], cells, strict=True)),
            )
        ]
        return "\n".join([table.title, "", *stacked, *end])

    def render(cells: tuple[str, ...]) -> list[str]:
        first, *more = textwrap.wrap(cells[0], widths[0] or 1, break_long_words=False, break_on_hyphens=False) or [""]
        numbers = "".join(f"  {cell:>{n}}" for cell, n in zip(cells[1:], widths[1:], strict=True))
        return [f"{first:<{widths[0]}}{numbers}".rstrip(), *more]

    body = [text for row in table.rows for text in render(row)]
    rule = "-" * (sum(widths) + 2 * len(widths[1:]))
    return "\n".join([table.title, "", *render(table.header), rule, *body, *end])


def to_markdown(table: Table) -> str:
    """Render a table in GitHub's Markdown, notes as paragraphs below."""

    def render(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(map(no_markdown, cells)) + " |"

    rule = "|---|" + "---:|" * (len(table.header) - 1)
    rows = [render(table.header), rule, *(render(row) for row in table.rows)]
    notes = (text for note in table.notes for text in ("", sentence_markdown(note)))
    return "\n".join([f"**{no_markdown(table.title)}**", "", *rows, *notes])


def to_html(table: Table) -> Markup:
    """Render a table as an HTML fragment; every cell is escaped."""
    return Markup(_TEMPLATES.get_template("table.html").render(table=table, warning=WARNING))


def printable(text: str) -> str:
    r"""Replace what a screen cannot show or would obey, such as escape codes in the name of a file.

    Example:
        >>> printable("bird\x1b[2J.wav")
        'bird?[2J.wav'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def with_code(text: str) -> Markup:
    """Write what stands in backticks as code; the text is escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


_TEMPLATES.filters |= {
    "nats": nats_text,
    "code": with_code,
    "printable": printable,
    "duration": duration_text,
    "html": to_html,
}
_CODE = re.compile("`([^`]*)`")
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Hz; the format knows no others."""


def data_uri(content: bytes, media_type: str) -> str:
    """Write bytes as an address that contains them.

    Example:
        >>> data_uri(b"hello", "text/plain")
        'data:text/plain;base64,aGVsbG8='
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def picture(content: bytes, description: str) -> Markup:
    """Write an SVG or PNG file as an `img` element; the description is for those who do not see it."""
    media_type = "image/png" if content.startswith(b"\x89PNG") else "image/svg+xml"
    return Markup('<img src="{}" alt="{}">').format(data_uri(content, media_type), description)


def mp3_bytes(waveform: Float[np.ndarray, " time"], sample_rate: int) -> bytes:
    """Encode a waveform as an MP3 file: every browser plays it, and it is a twelfth of the size of WAV.

    Args:
        waveform: full scale is [-1, 1]; a louder one is turned down as a whole instead of being clipped.
        sample_rate: Hz; a rate that MP3 does not know is resampled to the next one that it does.
    """
    samples = np.asarray(waveform, np.float32)
    rate = min((known for known in _MP3_RATES if known >= sample_rate), default=_MP3_RATES[-1])
    if rate != sample_rate:
        samples = soxr.resample(samples, sample_rate, rate)
    samples = samples / max(1.0, float(np.max(np.abs(samples), initial=0.0)))
    output, how = io.BytesIO(), {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    soundfile.write(output, samples, rate, format="MP3", subtype="MPEG_LAYER_III", **how)
    return output.getvalue()


def write_page(path: Path, template: str, of: str = "", **content: Any) -> Path:
    """Fill a template of this package and write the page, whole or not at all; every text in it is escaped.

    Args:
        path: of the page; where a page of something else is there already, another number is added to the name.
        template: its file.
        of: what the page is of, the same text for the same thing; empty: whatever is there is replaced.
        **content: of the template.

    Returns:
        Where the page lies.

    Raises:
        UserError: where the place cannot be written.
    """
    place, number = path, 1
    while of and _is_of_another(place, of):
        number += 1
        place = path.with_name(f"{path.stem}-{number}{path.suffix}")
    write_text(place, _TEMPLATES.get_template(template).render(**content, of=of))
    return place


def _is_of_another(path: Path, of: str) -> bool:
    if not path.is_file():
        return False
    with explain_disk_errors(path), path.open(encoding="utf-8", errors="replace") as file:
        return f'<meta name="of" content="{of}">' not in file.read(2000)


def of_runs(runs: Iterable[Run], *more: str) -> str:
    """Name what a page is of: some runs, and what they were asked about."""
    return of_texts([*sorted(run.record.identity for run in runs), *more])


def of_texts(texts: Iterable[str]) -> str:
    """Name what a page is of in a few letters, the same for the same texts."""
    return hashlib.blake2b("\n".join(texts).encode(errors="replace"), digest_size=8).hexdigest()
