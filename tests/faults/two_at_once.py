"""Two at once: on one run folder, on one store, and beside the dead."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from faults.disk_steps import record_steps
from faults.forked import Ended, import_everything, leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, write_tones

Prepare = Callable[[Callable[[Any], None]], None]
SLOW_S = 0.15
PATIENCE_S = 120.0


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Begin a second process while the first is at work."""
    import_everything()
    table = write_tones(scratch / "tones", n_clips=2)
    words = ("train", table, *OPTIONS, "--track", "end")
    yield _one_folder(scratch, words, 2 if quick else 10)
    yield _one_store(scratch, words, 1 if quick else 5)
    yield _beside_the_dead(scratch, words, 1 if quick else 5)
    yield _no_process_numbers()


def _one_folder(scratch: Path, words: tuple[object, ...], n: int) -> Tally:
    tally = Tally("Of two processes on one run folder one works and ends, the other says so and leaves", 2 * n)
    for index in range(2 * n):
        folder = _fresh(scratch / f"folder-{index}")
        arguments = [*words, "--out", folder / "run", *["--resume"] * (index % 2)]
        sign = "run/history.jsonl"  # the first is at its second epoch
        first, second = _beside(folder, arguments, _slow_steps, sign, arguments)
        problem = _problem(first) or second.refusal_problem
        if not problem and "another process is working on" not in second.last_line:
            problem = f"it says: {second.last_line}"
        tally.judge(f"try {index + 1}", problem)
    return tally


def _one_store(scratch: Path, words: tuple[object, ...], n: int) -> Tally:
    """Two different runs decode the same sounds: the second waits, and decodes nothing."""
    tally = Tally("Two runs that need the same decoded sounds share them: one decodes, the other waits and says so", n)
    for index in range(n):
        folder = _fresh(scratch / f"store-{index}")
        one, two = [*words, "--out", folder / "one"], [*words, "--set", "seed=1", "--out", folder / "two"]
        first, second = _beside(folder, one, _slow_decoding, "cache/*.partial", two)
        problem = _problem(first) or _problem(second)
        if not problem and any(note["disk"][1].endswith("waveforms.int16") for note in second.notes):
            problem = "the second decoded too"
        if not problem and "another process is decoding these sounds; waiting for it" not in second.err:
            problem = "the second did not say that it waits"
        tally.judge(f"try {index + 1}", problem)
    return tally


def _beside_the_dead(scratch: Path, words: tuple[object, ...], n: int) -> Tally:
    """Kill the holder of each lock; whoever comes next is not kept waiting."""
    tally = Tally("A dead process blocks nobody: its locks on run folder and store are free at once", 2 * n)
    for index in range(2 * n):
        folder = _fresh(scratch / f"dead-{index}")
        arguments = [*words, "--resume", "--out", folder / "run"]
        prepare, sign = [(_slow_steps, "run/history.jsonl"), (_slow_decoding, "cache/*.partial")][index % 2]

        def kill(pid: int, folder: Path = folder, sign: str = sign) -> None:
            _wait_for(folder, sign)
            os.kill(pid, signal.SIGKILL)

        dead = run_forked(arguments, folder, cache=folder / "cache", prepare=prepare, meanwhile=kill)
        again = run_forked(arguments, folder, cache=folder / "cache", prepare=_plain)
        problem = _problem(again) if dead.status == -signal.SIGKILL else "the first was not killed"
        if not problem and "another process" in again.err:
            problem = f"it had to wait: {again.err}"
        tally.judge(f"at {sign}, try {index // 2 + 1}", problem)
    return tally


def _beside(
    folder: Path, arguments: list[object], prepare: Prepare, sign: str, others: list[object]
) -> tuple[Ended, Ended]:
    """Run a command, and as soon as a file appears another one beside it; returns how both ended."""
    second: list[Ended] = []

    def meanwhile(_pid: int) -> None:
        _wait_for(folder, sign)
        second.append(run_forked(others, _fresh(folder / "second"), cache=folder / "cache", prepare=_noting))

    first = run_forked(arguments, folder, cache=folder / "cache", prepare=prepare, meanwhile=meanwhile)
    return first, second[0]


def _problem(ended: Ended) -> str | None:
    return None if ended.status == 0 else f"status {ended.status}: {ended.last_line}"


def _no_process_numbers() -> Tally:
    """Read the source: what is locked is locked by filelock, and no process number decides anything."""
    import cohear

    tally = Tally("Locks are the operating system's, and no process number decides who may work", 4)
    for path in sorted(Path(cohear.__file__).parent.rglob("*.py")):
        text = path.read_text("utf-8")
        locks, numbers = text.count("FileLock(") + text.count("fcntl") + text.count("O_EXCL"), text.count("getpid")
        if not locks + numbers:
            continue
        ours = locks - text.count("FileLock(")
        foreign = ours or (locks and "from filelock import FileLock" not in text)
        decides = numbers - text.count('.{os.getpid()}.partial"')  # there it only makes a name
        tally.judge(path.name, "a lock of its own" if foreign else "a process number decides" if decides else None)
    return tally


def _plain(_note: Callable[[Any], None]) -> None:
    leave_pictures_blank()


def _noting(note: Callable[[Any], None]) -> None:
    _plain(note)
    record_steps(note, None)


def _slow_steps(_note: Callable[[Any], None]) -> None:
    from cohear.training import trainer

    leave_pictures_blank()
    _slow_down(trainer, "_forward")


def _slow_decoding(_note: Callable[[Any], None]) -> None:
    from cohear.data import store_building

    leave_pictures_blank()
    _slow_down(store_building, "decode_clip")


def _slow_down(module: ModuleType, name: str) -> None:
    function = getattr(module, name)

    def slow(*arguments: Any) -> Any:
        time.sleep(SLOW_S)
        return function(*arguments)

    setattr(module, name, slow)


def _wait_for(folder: Path, sign: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(folder.glob(sign)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{sign} did not appear")
        time.sleep(0.005)


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder
