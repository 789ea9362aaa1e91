"""Which runs lie where."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cohear.errors import UserError
from cohear.runs.run import Run


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """Find runs, finished or not: a path is a run folder, or a folder with run folders somewhere below it.

    Raises:
        UserError: where a path is no folder.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        if not path.is_dir():
            kind = "is a file" if path.exists() else "does not exist"
            raise UserError(f"'{path}' {kind}: give the folder of a run, or a folder of such folders.")
        for folder, below, files in os.walk(path):
            below.sort()
            if "config.json" in files:
                found.setdefault(Path(folder).resolve(), Run(folder))
                below.clear()  # a run holds no runs
    return list(found.values())


def find_finished(paths: Iterable[Path], *, tested: bool = True) -> tuple[list[Run], list[Run]]:
    """Find finished runs, and the unfinished ones beside them.

    Args:
        paths: as for `find_runs`; each must hold a finished run. Pages beside runs, as in `cv/*`, are passed over.
        tested: leave out runs on every clip, and refuse one that is given by its own path.

    Raises:
        UserError: where a path holds no finished run, or a run that was asked for by its path cannot be taken.
    """
    finished, unfinished = list[Run](), list[Run]()
    paths = list(paths)
    for path in [path for path in paths if path.suffix != ".html" or path.is_dir()] or paths:
        found = find_runs([path])
        done = [run for run in found if run.is_finished and (run.is_tested or not tested)]
        if [run.folder for run in found] == [path] and not done:
            _ = found[0].metrics  # says that it is unfinished
            raise found[0].untested_error()
        if not done:
            others = f", only {len(found)} unfinished or without a test" if found else ""
            raise UserError(f"'{path}' holds no finished run{others}: give the folder of a run, or a folder with some.")
        finished += done
        unfinished += [run for run in found if not run.is_finished]
    return finished, unfinished


def find_sounds(run: Run) -> Path:
    """Say where a run's sounds lie: at their path as it was given, from here or else from a folder above the run's.

    Runs know no absolute path, and most lie somewhere below the folder where training was started.

    Returns:
        The path as it was given where nothing lies at any of these.
    """
    given = Path(run.record.data_path)
    places = [given, *(folder / given for folder in run.folder.resolve().parents)]
    return next((place for place in places if place.exists() and not Run(place).is_begun), given)


def find_readable(parent: Path, data_fingerprint: str) -> list[Run]:
    """Find the runs of some clips below a folder, which may be missing; what cannot be read is passed over."""
    found = []
    for run in find_runs([parent]) if parent.is_dir() else []:
        with suppress(UserError):
            if run.record.data_fingerprint == data_fingerprint:
                found.append(run)
    return found
