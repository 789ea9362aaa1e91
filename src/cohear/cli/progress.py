"""What is said while work goes on: always on stderr, a bar in a terminal, a line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cohear.runtime.interrupts import how_to_go_on
from cohear.runtime.machine import process_rank

if TYPE_CHECKING:
    from cohear.runs.plan import Listing, Plan, Prepared

_LINE_EVERY_S = 30.0
_BESIDE_BAR = 24
"""Columns for percent, time and the beginning of a note."""


def say(message: str) -> None:
    """Print a line to stderr; of several processes that train together, the first one speaks."""
    if process_rank() == 0:
        print(message, file=sys.stderr, flush=True)


class SayHandler(logging.Handler):
    """Says what rooms below the command line log: they know no screen."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record's message."""
        urgency = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        say(f"{urgency}{record.getMessage()}")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """Show how far some work is; yields a function of the share that is done, 0 to 1, and a note.

    Args:
        what: named at the left of the bar.
    """
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    console = Console(stderr=True)
    bar = BarColumn(bar_width=max(4, min(40, console.width - len(what) - _BESIDE_BAR)))
    note_column = TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (
        TextColumn("{task.description}"),
        bar,
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        note_column,
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=1.0, note="")

        def update(share: float, note: str = "") -> None:
            bars.update(task, completed=share, note=note)

        yield update


def _lines(what: str) -> Callable[[float, str], None]:
    started = last = time.monotonic()
    begun_with: float | None = None

    def update(share: float, note: str = "") -> None:
        nonlocal started, last, begun_with
        now = time.monotonic()
        if begun_with is None:  # what was done before took none of this time
            started, begun_with = now, share
        if now - last >= _LINE_EVERY_S and share > begun_with:
            last = now
            left_s = (now - started) / (share - begun_with) * (1 - share)
            say(f"{what}: {share:.0%}, about {format_s(left_s)} left{', ' + note if note else ''}")

    return update


def format_s(seconds: float) -> str:
    """Write a duration for people.

    Example:
        >>> format_s(42), format_s(150), format_s(900), format_s(9000)
        ('42 s', '2.5 min', '15 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.{1 if seconds < 600 else 0}f} min"
    return f"{seconds / 3600:.1f} h"


def counting(update: Callable[[float, str], None], what: str) -> Callable[[int, int], None]:
    """Show a count of things, of which so many are done and so many there are, by `update` of a progress bar."""
    return lambda done, total: update(done / max(total, 1), f"{done} of {total} {what}")


def embed(plans: "Sequence[Plan]", deadline_s: float | None = None) -> None:
    """Make the embeddings that runs need, with a progress bar; nothing where no encoder hears."""
    if all(plan.config.encoder.file is None for plan in plans):
        return
    from cohear.runs.embedding import embed
    from cohear.runtime.interrupts import Interrupted, is_over

    with how_to_go_on("go on with the same command; what was made is kept"), progress_bar("embedding") as update:
        show = counting(update, "sets of views")

        def on_progress(done: int, total: int) -> None:
            if is_over(deadline_s):
                raise Interrupted("the time is used up", None)
            show(done, total)

        embed(plans, on_progress)


def decode(listing: "Listing") -> "Prepared":
    """Decode a data set with a progress bar, and say what was chosen and what became of its files."""
    from cohear.data.datasets import imbalance_line

    for line in listing.said:
        say(line)
    with how_to_go_on("give the same command to begin again"), progress_bar("decoding") as update:
        prepared = listing.decode(counting(update, "files"))
    lines = list(prepared.notes)
    if prepared.store.replaces_damaged:
        lines.insert(0, "the sounds decoded earlier are damaged or of another version, so they were decoded again")
    if listing.config.training.balance == "none" and (line := imbalance_line(prepared.store.label_sets)):
        lines.append(line)
    for line in lines:
        say(line)
    return prepared
