"""`python stopping.py ARGUMENTS...`: cohear, which stops itself after a counted number of steps.

The environment says how, in words of `COHEAR_TEST_STOP`: what happens (`SIGINT`, `SIGTERM`, `SIGHUP`, `SIGKILL` to the
first process, or `budget`: the time is over), after how many steps of a run, in how many processes these must have been
made, and a folder in which processes leave their numbers. Each process that arrives waits there until it is stopped, so
that no speed of the machine matters. Processes of a grid run this file too, since they are spawned.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cohear import cli
from cohear.data import store_files
from cohear.runs import execution
from cohear.training.inputs import Watch

WHAT, COUNT, N_PROCESSES, FOLDER = os.environ["COHEAR_TEST_STOP"].split(" ", 3)


def stop(number: signal.Signals) -> None:
    """Send the first process a signal, once all have arrived."""
    (Path(FOLDER) / str(os.getpid())).touch()
    if len(list(Path(FOLDER).iterdir())) == int(N_PROCESSES):
        parent = multiprocessing.parent_process()
        os.kill(os.getpid() if parent is None else parent.pid or 0, number)


def watch(measure: Any, on_step: Any, request: Any) -> Watch:
    """Look on as `execution` wants it, and stop when it is time."""
    n_steps = 0

    def counted(done: int, total: int) -> None:
        nonlocal n_steps
        n_steps += 1
        on_step(done, total)
        if n_steps != int(COUNT):
            return
        if WHAT == "budget":
            request.deadline_s = 0.0
            return
        stop(signal.Signals[WHAT])
        while not request.is_made:
            time.sleep(0.01)
            on_step(done, total)

    return Watch(measure, counted, request)


def decode(*arguments: Any) -> Iterator[Any]:
    """Decode, and stop when so many clips are decoded."""
    for number, outcome in enumerate(decode_all(*arguments)):
        if number == int(COUNT):
            stop(signal.Signals[WHAT.removesuffix("-decoding")])
        yield outcome


if WHAT.endswith("-decoding"):
    decode_all, store_files._decode_all = store_files._decode_all, decode
else:
    execution.Watch = watch  # type: ignore[assignment]

if __name__ == "__main__":
    cli.main()
