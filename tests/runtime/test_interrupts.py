"""Signals as requests: what the first, the second and another one do, and that nothing of it lingers."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from cohear.runtime.interrupts import Interrupted, how_to_go_on, signals_held, stop_on_signals

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_a_request_and_handlers_are_as_before_afterwards(number, status):
    before = [signal.getsignal(n) for n in NUMBERS]
    with stop_on_signals() as request:
        assert not request.is_made
        signal.raise_signal(number)
        assert request.signal_number == number
    assert [signal.getsignal(n) for n in NUMBERS] == before
    assert Interrupted("stopped", number).exit_status == status


def test_the_same_signal_twice_stops_at_once_and_another_one_does_not():
    with stop_on_signals() as request:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert request.signal_number == signal.SIGINT
        with pytest.raises(Interrupted, match="at once") as stopped:
            signal.raise_signal(signal.SIGTERM)
    assert stopped.value.signal_number == signal.SIGTERM


def test_nohup_is_obeyed():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as request:
            signal.raise_signal(signal.SIGHUP)
            assert request.signal_number is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interruption_travels_between_processes_and_is_taken_for_no_error():
    arrived = pickle.loads(pickle.dumps(Interrupted("stopped in epoch 3", signal.SIGTERM)))
    assert (str(arrived), arrived.exit_status) == ("stopped in epoch 3", 143)
    assert not isinstance(arrived, Exception)


@pytest.mark.parametrize(
    ("raised", "message", "status"),
    [(Interrupted("saved", signal.SIGTERM), "saved; again", 143), (KeyboardInterrupt(), "stopped; again", 130)],
)
def test_how_to_go_on_is_added(raised, message, status):
    with pytest.raises(Interrupted) as stopped, how_to_go_on("again"):
        raise raised
    assert (str(stopped.value), stopped.value.exit_status) == (message, status)


def test_held_signals_arrive_when_they_are_let_go_and_kill_no_process_begun_meanwhile():
    code = (
        "import os, signal\n"
        "from cohear.runtime.interrupts import disregard_signals\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "disregard_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('alive')"
    )
    with stop_on_signals() as request:
        with signals_held():
            signal.raise_signal(signal.SIGINT)
            assert not request.is_made
            child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert request.signal_number == signal.SIGINT
    assert (child.returncode, child.stdout, child.stderr) == (0, "alive\n", "")


LONG_CALL = """
import signal, sys, threading
from contextlib import ExitStack
from cohear.runtime import interrupts
interrupts._PATIENCE_S = interrupts._IMPATIENCE_S = 0.01
with ExitStack() as work:
    if "saves" in sys.argv:
        work.enter_context(interrupts.how_to_go_on("go on with the same command"))
        work.enter_context(interrupts.stop_on_signals())
    for number in (signal.SIGINT, signal.SIGTERM):  # the main thread notices, and does nothing about it
        signal.signal(number, lambda number, _frame: print(number, flush=True))
    interrupts._leave_in_time()
    print("ready", flush=True)
    while True:
        threading.Event().wait(60)
"""
"""A process that no handler of Python's ends, as one within a long step."""


def end(numbers: Sequence[int], stderr: int, *words: str) -> tuple[int, str | None]:
    """Send signals to such a process, each when the one before has arrived; return its status and what it says."""
    command = [sys.executable, "-c", LONG_CALL, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers[:-1]:
            process.send_signal(number)
            assert process.stdout.readline() == f"{int(number)}\n"
        process.send_signal(numbers[-1])
        _, said = process.communicate()
        return process.returncode, said


TERM, TWICE, BOTH = (signal.SIGTERM,), (signal.SIGINT,) * 2, (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize(("numbers", "status"), [(TERM, 143), (TWICE, 130), (BOTH, 143)])
@pytest.mark.parametrize("words", [("saves",), ()])
def test_a_process_within_a_long_call_leaves_in_time_and_says_what_is_saved(numbers, status, words):
    ended, said = end(numbers, subprocess.PIPE, *words)
    assert ended == status
    assert said is not None
    assert ("last checkpoint" in said, "go on with the same command" in said) == (bool(words),) * 2


@contextmanager
def unread_pipe(*, has_reader: bool) -> Iterator[int]:
    """Make a pipe that takes nothing: its reader is gone, or never reads."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe, os.fdopen(reading, "rb") as reader:
        os.set_blocking(writing, False)
        while pipe.write(bytes(4096)):
            pass
        os.set_blocking(writing, True)
        if not has_reader:
            reader.close()
        yield writing


@pytest.mark.parametrize("has_reader", [False, True])
def test_it_leaves_in_time_though_nobody_reads_what_it_says(has_reader):
    with unread_pipe(has_reader=has_reader) as pipe:
        assert end(TERM, pipe, "saves") == (143, None)
