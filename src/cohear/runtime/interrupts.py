"""Stopping on request: the first Ctrl-C, SIGTERM or SIGHUP asks, the loop finishes its step, saves and leaves.

A budget of time that is used up is such a request too.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def _heeded() -> list[signal.Signals]:
    """Leave out a SIGHUP that is ignored: `nohup` asked for that."""
    return [s for s in _SIGNALS if s.name != "SIGHUP" or signal.getsignal(s) != signal.SIG_IGN]


class Interrupted(BaseException):  # like KeyboardInterrupt no Exception: nobody handles it by the way
    """Work was stopped and nothing finished is lost; the message says what is saved.

    Args:
        message: what was stopped and what is saved.
        signal_number: what asked for it; None where a budget was used up.
    """

    def __init__(self, message: str, signal_number: int | None) -> None:
        super().__init__(message, signal_number)  # both, so that it can be sent between processes
        self.message = message
        self.signal_number = signal_number

    def __str__(self) -> str:
        return self.message

    @property
    def exit_status(self) -> int:
        """Return what shells expect: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP; 0 after a budget."""
        return 0 if self.signal_number is None else 128 + self.signal_number


@dataclass
class StopRequest:
    """Whether somebody asked to stop, and with which signal, or the time is over."""

    signal_number: int | None = None
    deadline_s: float | None = None
    """When to stop without being asked, on the clock of `time.time`."""

    @property
    def is_made(self) -> bool:
        """Whether to stop now."""
        return self.signal_number is not None or is_over(self.deadline_s)

    def obey(self, said: str) -> None:
        """Stop now where that is asked for.

        Raises:
            Interrupted: with what is said.
        """
        if self.is_made:
            raise Interrupted(said, self.signal_number)


def is_over(deadline_s: float | None) -> bool:
    """Whether a deadline, on the clock of `time.time`, has passed; None never does."""
    return deadline_s is not None and time.time() >= deadline_s


@contextmanager
def stop_on_signals(deadline_s: float | None = None) -> Iterator[StopRequest]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a request; the same signal once more stops at once.

    The work that looks at the request writes checkpoints: a process that must leave before it looks says so.

    In a child process it stays a request, since a Ctrl-C reaches parent and children and the parent tells them too.
    Outside the main thread signals cannot be caught; the request then stays empty.

    Args:
        deadline_s: when the request is made without a signal, on the clock of `time.time`; None: never.

    Raises:
        Interrupted: at the second signal.
    """
    request = StopRequest(deadline_s=deadline_s)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    seen: set[int] = set()

    def ask(signal_number: int, _frame: FrameType | None) -> None:
        if signal_number in seen and multiprocessing.parent_process() is None:
            raise Interrupted(f"stopped at once, {_UP_TO_CHECKPOINT}", signal_number)
        seen.add(signal_number)
        request.signal_number = request.signal_number or signal_number

    before = {number: signal.signal(number, ask) for number in _heeded()}
    _requests.append(request)
    try:
        yield request
    finally:
        _requests.pop()
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise `Interrupted` where nothing else waits for them; SIGTERM is given a time."""

    def leave(signal_number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted("stopped", signal_number)

    for number in _heeded():
        signal.signal(number, leave)
    _leave_in_time()


_PATIENCE_S = 8.0
"""From SIGTERM on: whoever sends it, as a queue or a container does, often kills after ten seconds."""
_IMPATIENCE_S = 2.0
"""From the second Ctrl-C on."""
_LAST_WORDS_S = 0.5
"""So long whoever reads stderr may take to make room for the last sentence."""
_UP_TO_CHECKPOINT = "everything up to the last checkpoint, where there is one, is saved"
_requests: list[StopRequest] = []
"""Those that present work looks at; there are none where nothing is saved on the way."""
_how: list[str] = []
"""How the present work goes on, the innermost last."""


def _leave_in_time() -> None:
    """End this process some seconds after SIGTERM, or a second Ctrl-C, where it has not ended by itself.

    Python's handlers wait for the call that the main thread is in, and that may be a backward pass of minutes. The
    number of a signal is written to a pipe at once, and a thread waits there.
    """
    arrivals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def wait() -> None:
        seen: list[int] = []
        while signal.SIGTERM not in seen and seen.count(signal.SIGINT) < 2:
            seen += os.read(arrivals, 64)
        asked = signal.SIGTERM if signal.SIGTERM in seen else signal.SIGINT
        time.sleep(_PATIENCE_S if asked == signal.SIGTERM else _IMPATIENCE_S)
        try:  # in a thread of its own: nobody may read stderr, and a full pipe would hold this one
            speaker = threading.Thread(target=_say_last_words, daemon=True)
            speaker.start()
            speaker.join(_LAST_WORDS_S)
        finally:
            os._exit(128 + asked)

    threading.Thread(target=wait, daemon=True).start()


def _say_last_words() -> None:
    """Say what is saved and how to go on, past the stream that the main thread may be writing to."""
    what = f"stopped within a step, {_UP_TO_CHECKPOINT}" if _requests else "stopped"
    show_cursor = "\x1b[?25h" if os.isatty(2) else ""
    with suppress(OSError):
        os.write(2, f"{show_cursor}cohear: {'; '.join([what, *reversed(_how)])}\n".encode(errors="replace"))


@contextmanager
def how_to_go_on(how: str) -> Iterator[None]:
    """Add to the message of an interruption how the work goes on.

    Args:
        how: as "go on with the same command".

    Raises:
        Interrupted: for any interruption, `KeyboardInterrupt` included.
    """
    _how.append(how)
    try:
        yield
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}; {how}", stopped.signal_number) from None
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {how}", signal.SIGINT) from None
    finally:
        _how.pop()


@contextmanager
def signals_held() -> Iterator[None]:
    """Keep signals that stop waiting, here until the end, in processes begun meanwhile until `disregard_signals`."""
    _hold(True)
    try:
        yield
    finally:
        _hold(False)


def _hold(held: bool) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if held else signal.SIG_UNBLOCK, _SIGNALS)


def disregard_signals() -> None:
    """Let the signals that stop do nothing outside `stop_on_signals`: for a child process, whose parent stops it."""
    for number in _heeded():
        signal.signal(number, lambda _number, _frame: None)
    _hold(False)
