"""`cohear predict --parquet`: recordings by the thousand, by the cores of this machine or of many."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.cli.options import find_executor
from cohear.cli.progress import progress_bar, say
from cohear.data.wording import counted, some
from cohear.errors import UserError
from cohear.runtime.interrupts import how_to_go_on

if TYPE_CHECKING:
    from cohear.inference.bulk import How

_N_TOLD = 3
"""Failures that are told one by one."""


def hear_in_bulk(
    run: Path,
    given: Sequence[str],
    out: Path,
    how: "How",
    jobs: int | None,
    executor: str,
    slurm: list[str] | None,
) -> None:
    """Write a table of each recording that has none yet, and say what became of them."""
    by = find_executor(executor, slurm)
    from cohear.inference.bulk import plan_listening
    from cohear.inference.recordings import find_recordings
    from cohear.runs.grid import EXECUTORS

    work = plan_listening(run, find_recordings(given), out, how, jobs)
    rest = work.rest()
    n, n_before = len(work.recordings), len(work.recordings) - (len(rest.recordings) if rest else 0)
    before = f", of which {n_before} {'was' if n_before == 1 else 'were'} heard before" if n_before else ""
    say(f"{counted(n, 'recording')} -> {out / work.tables.name}/{before}")
    failures, rows = list[str](), list[dict[str, Any]]()
    try:
        if rest is not None:
            hear = EXECUTORS[by] if isinstance(by, str) else by
            with how_to_go_on("go on with the same command"), progress_bar("listening") as update:
                failures = hear(rest, jobs, lambda share, _n_done: update(share / len(rest), ""), None)
    finally:
        rows = work.settle()
    if failures:
        raise UserError(f"{failures[0]}; what was heard is kept, go on with the same command")
    if flawed := [row for row in rows if not row["damaged"]]:
        several = counted(len(flawed), "recording cannot", "recordings cannot")
        say(f"{several} be judged: {some([row['path'] for row in flawed], 3)}")
    if damaged := [row for row in rows if row["damaged"]]:
        for row in damaged[:_N_TOLD]:
            say(f"not heard to its end: {row['said']}")
        raise UserError(
            f"{len(damaged)} of {n} recordings could not be heard to their end; {out / 'failed.parquet'} lists them"
        )
