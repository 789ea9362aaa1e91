"""Disk: full, read-only, gone, cut short, a bit flipped. Nothing is lost, and one sentence says what happened."""

import errno
import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.commands import Ended, Note, run_forked, warm_up
from faults.disk_steps import lose_disk
from faults.tally import Tally
from tiny import OPTIONS, write_tones

VANISHED = (errno.EIO, errno.ESTALE, errno.ENODEV)


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Make disks fail in each of these ways while a tiny training is at work, and go on afterwards."""
    warm_up()
    training = Training(write_tones(scratch / "tones", n_clips=2), scratch)
    yield _vanished(training, quick)
    yield _sounds_vanished(training, quick)
    yield _store_cut(training, quick)
    yield _flipped(training, quick)
    yield _full(training, quick)  # last those that need root, to mount a disk
    yield _read_only(training)


class Training:
    """A tiny run that can be begun anywhere, and the weights that it must end in."""

    def __init__(self, table: Path, scratch: Path) -> None:
        self._words = ("train", table, *OPTIONS, "--track", "end")
        self.scratch, self.cache, self.sounds = scratch, scratch / "cache", table.parent
        unbroken = scratch / "unbroken"
        ended = self.run(unbroken)
        assert ended.status == 0, ended.err
        self.weights = (unbroken / "model.safetensors").read_bytes()
        """Of the unbroken run."""

    def asks(self, cache: Path, *disk: Path) -> list[tuple[str, str]]:
        """Return what a run asks of a disk, and of which path, in order."""
        return self.run(self.fresh("counted"), cache=cache, disk=disk, count=True).noted("asks")

    def fresh(self, name: str) -> Path:
        """Return the place of a folder, where none is left."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        return self.scratch / name

    def run(
        self,
        run: Path,
        *,
        cache: Path | None = None,
        disk: tuple[Path, ...] = (),
        more: Sequence[str] = (),
        fail: tuple[int, int] | None = None,
        count: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> Ended:
        """Train into a folder, or go on there.

        Args:
            run: the run folder.
            cache: the cache folder.
            disk: what lies on the disk that is gone; run and cache where nothing is named.
            more: words of the command.
            fail: from which question on that disk is gone, counted from 0, and with which error number.
            count: note all that is asked of it.
            before: called in the child.
        """

        def prepare(note: Note) -> None:
            lose_disk(note if count else lambda _: None, disk or (run, cache or self.cache), *(fail or (None, 0)))
            before()

        words = [*self._words, *more, "--out", run, "--resume"]
        return run_forked(words, self.scratch, cache=cache or self.cache, prepare=prepare)

    def is_whole(self, run: Path, ended: Ended) -> bool:
        """Whether a run ended in the weights of the unbroken one."""
        return ended.status == 0 and (run / "model.safetensors").read_bytes() == self.weights

    def problem_after(self, run: Path, ended: Ended, **how: Any) -> str | None:
        """Say what is wrong with a refusal, or with the run that goes on after it; None where all is well."""
        if ended.refusal_problem:
            return ended.refusal_problem
        again = self.run(run, **how)
        return None if self.is_whole(run, again) else f"going on: {again.problem or 'other weights'}"


def _vanished(training: Training, quick: bool) -> Tally:
    """Let all that is asked of the disk fail from some point on, as where a network drive goes away."""
    tally = Tally("A disk that vanishes (EIO, ESTALE, ENODEV) is told in one sentence, and the run goes on later", 0)
    for kind, stride in (("", 90 if quick else 2), (", cold", 250 if quick else 6)):
        cold = training.scratch / "cold"
        questions = training.asks(training.fresh("cold") if kind else training.cache)
        for number in range(0, len(questions), stride):
            error = VANISHED[number // stride % len(VANISHED)]
            run, cache = training.fresh("vanished"), training.fresh("cold") if kind else training.cache
            ended = training.run(run, cache=cache, fail=(number, error))
            problem = training.problem_after(run, ended, cache=cache)
            tally.judge(f"{errno.errorcode[error]} from {' '.join(questions[number])} on{kind}", problem)
        shutil.rmtree(cold, ignore_errors=True)
        tally.wanted += len(range(0, len(questions), stride))
    for error in VANISHED:
        run = training.fresh("vanished")
        ended = training.run(run, before=lambda error=error: _at_reading(4, lambda: _fail(error)))
        tally.judge(f"{errno.errorcode[error]} in reading sounds", training.problem_after(run, ended))
    tally.wanted += len(VANISHED)
    return tally


def _sounds_vanished(training: Training, quick: bool) -> Tally:
    """Let the disk of the sounds fail from some point on, with and without leave to train on fewer."""
    questions = training.asks(training.fresh("cold"), training.sounds)
    numbers = range(0, len(questions), 150 if quick else 6)
    tally = Tally(
        "Sounds whose disk vanishes are not left out, by --skip-bad either: the run ends in a sentence and goes on "
        "later, or has all of them",
        2 * len(numbers),
    )
    for number, more in itertools.product(numbers, ((), ("--skip-bad",))):
        error = VANISHED[number // numbers.step % len(VANISHED)]
        run, how = training.fresh("lost"), {"cache": training.fresh("cold"), "more": more}
        ended = training.run(run, disk=(training.sounds,), fail=(number, error), **how)
        problem = None if training.is_whole(run, ended) else training.problem_after(run, ended, **how)
        tally.judge(f"{errno.errorcode[error]} from {' '.join((*questions[number], *more))} on", problem)
    return tally


def _at_reading(number: int, act: Callable[[], None]) -> None:
    """Act before the store is read for the n-th time, and each time after it."""
    n_reads, preadv = 0, os.preadv

    def read(*arguments: Any) -> int:
        nonlocal n_reads
        n_reads += 1
        if n_reads >= number:
            act()
        return preadv(*arguments)

    os.preadv = read


def _fail(error: int) -> None:
    raise OSError(error, os.strerror(error))


def _full(training: Training, quick: bool) -> Tally:
    """Give a disk some room less than a run needs, then room."""
    sizes = range(16, 176, 144 if quick else 16)
    tally = Tally(
        "A disk that is full is told in one sentence, and with room the run goes on to the same bytes", len(sizes)
    )
    for kilobytes in sizes:
        with small_disk(training.scratch / "disk") as disk:
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(disk).free - kilobytes * 1024))
            ended = training.run(disk / "run")
            n_left = len(list(disk.rglob("*.partial")))
            ballast.unlink()
            problem = training.problem_after(disk / "run", ended)
            tally.judge(f"{kilobytes} KB free", problem or (f"{n_left} half-written files left" if n_left else None))
    return tally


def _read_only(training: Training) -> Tally:
    tally = Tally("A read-only disk, for runs or for the cache, is told in one sentence before anything is done", 3)
    with small_disk(training.scratch / "disk") as disk:
        run = disk / "begun"
        training.run(run, fail=(len(training.asks(training.cache)) // 2, errno.EIO))
        _mount("-o", "remount,ro", str(disk))
        tally.judge("a new run", training.run(disk / "run").refusal_problem)
        tally.judge("a run that was begun", training.run(run).refusal_problem)
        elsewhere = training.scratch / "elsewhere"
        problem = training.run(elsewhere, cache=disk / "cache").refusal_problem
        tally.judge("the cache", problem or ("the run was begun" if elsewhere.exists() else None))
        _mount("-o", "remount,rw", str(disk))
    return tally


def _store_cut(training: Training, quick: bool) -> Tally:
    """Cut the decoded sounds: before a run, and while it trains, where a memory map would end it by a signal."""
    shares = (0.5,) if quick else (*(index / 10 for index in range(10)), 0.999)
    tally = Tally("Decoded sounds that are cut behind our back are noticed, and decoded again", 2 * len(shares))
    for share in shares:
        cache = training.fresh("cut")
        shutil.copytree(training.cache, cache)
        (waveforms,) = cache.glob("*/waveforms.int16")

        def cut(waveforms: Path = waveforms, n_bytes: int = int(waveforms.stat().st_size * share)) -> None:
            os.truncate(waveforms, n_bytes)

        cut()
        run = training.fresh("cut-run")
        ended = training.run(run, cache=cache)
        well = training.is_whole(run, ended) and "decoded again" in ended.err
        tally.judge(f"cut to {share:.1%} before", None if well else f"status {ended.status}: {ended.err[-200:]}")

        run = training.fresh("cut-run")
        ended = training.run(run, cache=cache, before=lambda cut=cut: _at_reading(4, cut))
        tally.judge(f"cut to {share:.1%} while training", training.problem_after(run, ended, cache=cache))
    return tally


def _flipped(training: Training, quick: bool) -> Tally:
    """Flip one bit of the newest checkpoint."""
    n_bits, chance = 2 if quick else 100, random.Random(7)
    tally = Tally("A checkpoint with one flipped bit is refused aloud, and the one before is used", n_bits)
    begun, asked = training.scratch / "begun", training.asks(training.cache)
    ending = next(i for i, (what, path) in enumerate(asked) if what == "write" and "model.safe" in path)
    training.run(begun, fail=(ending, errno.EIO))
    newest = max((begun / "checkpoint").glob("epoch-*"), key=lambda path: path.stat().st_mtime_ns)
    for _ in range(n_bits):
        run = training.fresh("flipped")
        shutil.copytree(begun, run)
        path = run / "checkpoint" / newest.name
        content = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        ended = training.run(run)
        said = any(newest.name in line and "cannot be used" in line for line in ended.err.splitlines())
        well = said and training.is_whole(run, ended)
        tally.judge(f"bit {bit} of {newest.name}", None if well else f"status {ended.status}: {ended.last_line}")
    return tally


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 1 MB, in memory."""
    folder.mkdir(exist_ok=True)
    _mount("-o", "size=1m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", *arguments], check=True)
