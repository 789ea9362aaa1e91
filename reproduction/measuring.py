"""Measurements that take hours: a process on each core; what is measured is kept, and only the rest is made again."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from cohear.runs.config import Config
from cohear.runs.embedding import embed
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, Prepared
from cohear.runs.run import Run
from cohear.runtime.files import write_json

Record = dict[str, Any]


def measure_missing(
    measure: Callable[..., Record | None],
    cases: Mapping[tuple[Any, ...], tuple[Any, ...]],
    names: Sequence[str],
    out: Path,
) -> list[Record]:
    """Measure what is missing of some cases, and return all there is.

    Args:
        measure: makes the record of a case, with one thread; None where it is too late to begin.
        cases: the arguments of `measure` by what a case is.
        names: the entries of a record that say so, in the same order.
        out: the file of the records.
    """
    found: list[Record] = json.loads(out.read_text()) if out.exists() else []
    there = {tuple(record[name] for name in names) for record in found}
    with ProcessPoolExecutor(
        torch.get_num_threads(), get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        futures = [pool.submit(measure, *arguments) for case, arguments in cases.items() if case not in there]
        try:
            for future in as_completed(futures):
                if (record := future.result()) is not None:
                    found.append(record)
                    write_json(out, found)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or all the rest would be measured, and kept by nobody
            raise
    return found


@contextmanager
def trained(config: Config, data: Prepared) -> Iterator[tuple[Run, float]]:
    """Make a run in a folder that goes again; yields it with the minutes that this process computed.

    Such minutes are of one processor core, as the system counts them, so that other work beside costs them little of
    their meaning.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan, began_s = Plan(config, data, "end", out=Path(folder) / "run"), time.process_time()
        if config.encoder.file is not None:
            embed([plan])
        run, _ = execute(plan)
        yield run, round((time.process_time() - began_s) / 60, 3)
