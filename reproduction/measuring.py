"""Measurements that take hours: a process on each core; what is measured is kept, and only the rest is made again."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

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
