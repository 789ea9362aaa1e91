"""Signals, and two at once: a training that is asked to leave at some step, and another beside one that is at work."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults import commands
from faults.commands import Ended, Note, before_each_step, fresh, run_forked
from faults.disk_steps import record_steps
from faults.tally import Tally
from tiny import OPTIONS, write_tones

STATUSES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Ask trainings to leave, and begin one while another is at work."""
    commands.warm_up()
    words = ("train", write_tones(scratch / "tones", n_clips=2), *OPTIONS, "--track", "end", "--resume")
    unbroken = fresh(scratch / "unbroken")

    def count(note: Note) -> None:
        before_each_step(lambda number, *_: note({"step": number}))

    ended = _train(words, unbroken, count)
    assert ended.status == 0, ended.err
    steps, wanted = ended.noted("step"), commands.results_of(unbroken)
    yield _between_steps(scratch, words, wanted, steps[1 :: 7 if quick else 1])
    yield _within_a_step(scratch, words, wanted, steps[2 :: 5 if quick else 2])
    yield _one_folder(scratch, words, wanted, 1 if quick else 3)
    yield _one_store(scratch, words, 1 if quick else 3)


def _train(words: tuple[object, ...], folder: Path, prepare: Callable[[Note], None], **how: Any) -> Ended:
    return run_forked([*words, "--out", folder / "run"], folder, cache=folder / "cache", prepare=prepare, **how)


def _going_on(words: tuple[object, ...], folder: Path, wanted: dict[str, bytes]) -> str | None:
    again = _train(words, folder, lambda _note: None)
    return again.problem or commands.difference(commands.results_of(folder), wanted)


def _between_steps(scratch: Path, words: tuple[object, ...], wanted: dict[str, bytes], steps: list[int]) -> Tally:
    tally = Tally(
        "SIGTERM, Ctrl-C and SIGHUP save after the step that is being made, say where, and leave with 143, 130 and 129",
        len(steps) * len(STATUSES),
    )
    for step in steps:
        for number, status in STATUSES.items():
            folder = fresh(scratch / "asked")

            def ask(_note: Note, step: int = step, number: int = number) -> None:
                before_each_step(lambda its, *_: os.kill(os.getpid(), number) if its == step else None)

            ended = _train(words, folder, ask)
            saved = [path.stem.split("-")[1::2] for path in folder.glob("run/checkpoint/*")]
            said = [f"stopped in epoch {int(epoch) + 1} after step {done}," in ended.err for epoch, done in saved]
            problem = None if ended.status == status else f"status {ended.status}: {ended.last_line}"
            problem = problem or (None if any(said) else f"what it stopped at is not saved: {ended.last_line}")
            tally.judge(f"{number.name} at step {step}", problem or _going_on(words, folder, wanted))
    return tally


def _within_a_step(scratch: Path, words: tuple[object, ...], wanted: dict[str, bytes], steps: list[int]) -> Tally:
    """Let a step never end, in a call that no Python handler interrupts, as a long backward pass is one."""
    from cohear.runtime import interrupts

    tally = Tally(
        "Within a step that does not end, SIGTERM or a second Ctrl-C ends the process all the same, in less than ten "
        "seconds, and the run goes on from its last checkpoint",
        1 + 2 * len(steps),
    )
    longest_s = interrupts._LAST_WORDS_S + max(interrupts._PATIENCE_S, interrupts._IMPATIENCE_S)
    tally.judge("how long it waits", None if longest_s < 10 else f"{longest_s} s")
    for step in steps:
        for number in (signal.SIGTERM, signal.SIGINT):
            folder = fresh(scratch / "within")

            def hang(_note: Note, step: int = step, folder: Path = folder) -> None:
                interrupts._PATIENCE_S = interrupts._IMPATIENCE_S = 0.1
                commands.checkpoint_each_step()
                before_each_step(lambda its, *_: _never_return(folder / "hangs") if its == step else None)

            def insist(pid: int, number: int = number, folder: Path = folder) -> None:
                wait_for((folder / "hangs").exists, pid)
                while not _has_ended(pid):
                    os.kill(pid, number)
                    time.sleep(0.05)

            ended = _train(words, folder, hang, meanwhile=insist)
            left = ended.status == STATUSES[number] and ended.last_line.startswith("cohear: stopped within a step")
            problem = None if left else f"status {ended.status}: {ended.last_line}"
            tally.judge(f"{number.name} in step {step}", problem or _going_on(words, folder, wanted))
    return tally


def _never_return(sign: Path) -> None:
    """Lock a mutex twice."""
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(mutex)
    sign.touch()
    library.pthread_mutex_lock(mutex)


def _one_folder(scratch: Path, words: tuple[object, ...], wanted: dict[str, bytes], n: int) -> Tally:
    tally = Tally("Of two processes on one run folder one works and ends, the other says so and leaves", 2 * n)
    for index in range(2 * n):
        folder = fresh(scratch / "two")
        command = [*(words if index % 2 else words[:-1]), "--out", folder / "run"]  # with --resume and without

        def hold(_note: Note, folder: Path = folder, step: int = index) -> None:
            before_each_step(lambda its, *_: _wait_beside(folder, (folder / "gone").exists) if its == step else None)

        first, second = _both(folder, command, hold, command)
        problem = first.problem or commands.difference(commands.results_of(folder), wanted) or second.refusal_problem
        silent = None if "another process is working on" in second.last_line else f"it says: {second.last_line}"
        tally.judge(f"try {index + 1}", problem or silent)
    return tally


def _one_store(scratch: Path, words: tuple[object, ...], n: int) -> Tally:
    """Two different runs decode the same sounds: the first does not go on before the second says that it waits."""
    tally = Tally("Two runs that need the same decoded sounds share them: one decodes, the other waits and says so", n)
    for index in range(n):
        folder = fresh(scratch / "store")
        one, other = [*words, "--out", folder / "one"], [*words, "--set", "seed=1", "--out", folder / "other"]

        def hold(_note: Note, err: Path = folder / "second" / "err.txt") -> None:
            from cohear.data import store_files

            said, decode = "another process is decoding these sounds; waiting for it", store_files.decode_clips

            def held(*arguments: Any) -> Any:
                _wait_beside(err.parents[1], lambda: err.exists() and said in err.read_text())
                return decode(*arguments)

            store_files.decode_clips = held

        first, second = _both(folder, one, hold, other)
        decoded = any(path.endswith("waveforms.int16") for _, path in second.noted("disk"))
        problem = first.problem or second.problem or ("the second decoded too" if decoded else None)
        tally.judge(f"try {index + 1}", problem)
    return tally


def _both(folder: Path, one: list[object], hold: Callable[[Note], None], other: list[object]) -> tuple[Ended, Ended]:
    """Run a command until it waits, then another beside it; return how both ended."""
    second: list[Ended] = []

    def beside(pid: int) -> None:
        wait_for((folder / "held").exists, pid)
        own = fresh(folder / "second")
        second.append(run_forked(other, own, cache=folder / "cache", prepare=lambda note: record_steps(note, None)))
        (folder / "gone").touch()

    return run_forked(one, folder, cache=folder / "cache", prepare=hold, meanwhile=beside), second[0]


def _wait_beside(folder: Path, until: Callable[[], bool]) -> None:
    """Say that this process waits, and wait."""
    (folder / "held").touch()
    wait_for(until)


def wait_for(sign: Callable[[], bool], pid: int | None = None) -> None:
    """Wait until something is so, or a child has ended; a command that waits in vain is killed in the end."""
    while not sign() and not (pid and _has_ended(pid)):
        time.sleep(0.01)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
