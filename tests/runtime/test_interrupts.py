"""Signals as requests: what the first, the second and another one do, and that nothing of it lingers."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from cohear.runtime.interrupts import Interrupted, how_to_go_on, signals_held, stop_on_signals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_a_request_and_handlers_are_as_before_afterwards(number, status):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(n) for n in numbers]
    with stop_on_signals() as request:
        assert request.signal_number is None
        signal.raise_signal(number)
        assert request.signal_number == number
    assert [signal.getsignal(n) for n in numbers] == before
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


def test_outside_the_main_thread_the_request_stays_empty():
    found: list[int | None] = []

    def work() -> None:
        with stop_on_signals() as request:
            found.append(request.signal_number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]


def test_an_interruption_travels_between_processes_with_its_signal():
    arrived = pickle.loads(pickle.dumps(Interrupted("stopped in epoch 3", signal.SIGTERM)))
    assert (str(arrived), arrived.exit_status) == ("stopped in epoch 3", 143)


def test_no_handler_of_exceptions_takes_an_interruption_for_an_error():
    assert not issubclass(Interrupted, Exception)


@pytest.mark.parametrize(
    ("raised", "message", "status"),
    [(Interrupted("saved", signal.SIGTERM), "saved; again", 143), (KeyboardInterrupt(), "stopped; again", 130)],
)
def test_how_to_go_on_is_added(raised, message, status):
    with pytest.raises(Interrupted) as stopped, how_to_go_on("again"):
        raise raised
    assert (str(stopped.value), stopped.value.exit_status) == (message, status)


def test_a_held_signal_arrives_when_it_is_let_go():
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: arrived.append(number))
    try:
        with signals_held():
            signal.raise_signal(signal.SIGINT)
            assert arrived == []
        assert arrived == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_held_signal_does_not_kill_a_process_begun_meanwhile():
    code = (
        "import os, signal\n"
        "from cohear.runtime.interrupts import disregard_signals\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "disregard_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('alive')"
    )
    with signals_held():
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, "alive\n", "")


STUCK = """
import ctypes, sys
from contextlib import ExitStack
from cohear.runtime import interrupts
interrupts._PATIENCE_S = interrupts._IMPATIENCE_S = 0.3
interrupts.leave_on_signals()
c, lock = ctypes.CDLL(None), ctypes.create_string_buffer(256)
c.pthread_mutex_init(lock, None)
with ExitStack() as work:
    if "saves" in sys.argv:
        work.enter_context(interrupts.how_to_go_on("go on with the same command"))
        work.enter_context(interrupts.stop_on_signals())
    c.pthread_mutex_lock(lock)
    print("ready", flush=True)
    c.pthread_mutex_lock(lock)
"""
"""A process in a call that no signal ends, as a long step is; it lets other threads run."""


@contextmanager
def stuck(stderr: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Begin such a process, and wait until it is in its call."""
    command = [sys.executable, "-c", STUCK, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        try:
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[str], numbers: Iterable[int]) -> None:
    """Send signals, far enough apart that none is taken for the one before."""
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)


SAVED = (
    "cohear: stopped within a step, everything up to the last checkpoint, where there is one, is saved; go on with the "
    "same command\n"
)


@pytest.mark.parametrize(("words", "sentence"), [(["saves"], SAVED), ([], "cohear: stopped\n")])
@pytest.mark.parametrize(("numbers", "status"), [((signal.SIGTERM,), 143), ((signal.SIGINT, signal.SIGINT), 130)])
def test_a_process_within_a_long_call_leaves_in_time_and_says_what_is_saved(numbers, status, words, sentence):
    with stuck(subprocess.PIPE, *words) as process:
        send(process, numbers)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (status, sentence)


def test_one_ctrl_c_lets_a_long_call_end():
    with stuck(subprocess.DEVNULL, "saves") as process:
        send(process, [signal.SIGINT])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)


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
@pytest.mark.parametrize(("numbers", "status"), [((signal.SIGTERM,), 143), ((signal.SIGINT, signal.SIGINT), 130)])
def test_a_process_within_a_long_call_leaves_in_time_though_nobody_reads_what_it_says(numbers, status, has_reader):
    with unread_pipe(has_reader=has_reader) as pipe, stuck(pipe, "saves") as process:
        send(process, numbers)
        assert process.wait(timeout=5) == status
