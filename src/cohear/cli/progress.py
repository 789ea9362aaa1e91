"""What is said while work goes on: always on stderr, a bar in a terminal, a line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager

from cohear.runtime.processes import process_rank

_LINE_EVERY_S = 30.0


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
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=1.0, note="")

        def update(share: float, note: str = "") -> None:
            bars.update(task, completed=share, note=note)

        yield update


def _lines(what: str) -> Callable[[float, str], None]:
    started = last = time.monotonic()

    def update(share: float, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S and share > 0:
            last = now
            left_s = (now - started) / share * (1 - share)
            say(f"{what}: {share:.0%}, about {format_s(left_s)} left{', ' + note if note else ''}")

    return update


def format_s(seconds: float) -> str:
    """Write a duration for people.

    Example:
        >>> format_s(42), format_s(400), format_s(9000)
        ('42 s', '7 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count_text(things: Sized, one: str, many: str = "") -> str:
    """Say how many there are.

    Example:
        >>> count_text([0, 1], "fold"), count_text([0], "fold"), count_text([0, 1], "class", "classes")
        ('2 folds', '1 fold', '2 classes')
    """
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"
