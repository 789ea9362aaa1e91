"""Disk: full, read-only, gone, cut short, a bit flipped. Nothing is lost, and one sentence says what happened."""

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.disk_steps import lose_disk
from faults.forked import Ended, import_everything, leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, write_tones

VANISHED = (errno.EIO, errno.ESTALE, errno.ENODEV)
EPOCHS = 3


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Make disks fail in each of these ways while a tiny training is at work, and go on afterwards."""
    import_everything()
    table = write_tones(scratch / "tones", n_clips=2)
    training = Training(table, scratch)
    yield _vanished(training, quick)
    yield _sounds_vanished(training, quick)
    yield _store_cut(training, quick)
    yield _flipped(training, quick)
    yield _full(training, quick)  # last those that need root, to mount a disk
    yield _read_only(training)


class Training:
    """A tiny run that can be begun anywhere, and the weights that it must end in."""

    def __init__(self, table: Path, scratch: Path) -> None:
        self._words = ("train", table, *OPTIONS, "--set", f"training.epochs={EPOCHS}", "--track", "end")
        self.scratch, self.cache, self.sounds = scratch, scratch / "cache", table.parent
        unbroken = scratch / "unbroken"
        ended = self.run(unbroken)
        assert ended.status == 0, ended.err
        self.weights = (unbroken / "model.safetensors").read_bytes()
        """Of the unbroken run."""
        self.asked = self._what_is_asked(self.cache)
        """What a run asks of the disk, and of which path, in order, where the sounds are decoded."""
        self.asked_cold = self._what_is_asked(_fresh(scratch / "cold"))
        """The same where they are not."""
        self.asked_of_sounds = self._what_is_asked(_fresh(scratch / "cold"), self.sounds)
        """What it asks of the disk of the sounds."""

    def _what_is_asked(self, cache: Path, *disk: Path) -> list[tuple[str, str]]:
        run = _fresh(self.scratch / "counted")
        return [note["asks"] for note in self.run(run, cache=cache, disk=disk, count=True).notes]

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
            fail: from which change, read or question on that disk is gone, counted from 0, and with which error
                number.
            count: note all that is asked of it.
            before: called in the child.
        """

        def prepare(note: Callable[[Any], None]) -> None:
            leave_pictures_blank()
            lose_disk(note if count else lambda _: None, disk or (run, cache or self.cache), *(fail or (None, 0)))
            before()

        words = [*self._words, *more, "--out", run, "--resume"]
        return run_forked(words, self.scratch, cache=cache or self.cache, prepare=prepare)

    def problem_of_lost_sounds(self, number: int, error: int, *more: str) -> str | None:
        """Let the disk of the sounds be gone from some question on; say what is wrong with what follows."""
        run, cache = _fresh(self.scratch / "lost"), _fresh(self.scratch / "cold")
        how: dict[str, Any] = {"cache": cache, "more": more}
        ended = self.run(run, disk=(self.sounds,), fail=(number, error), **how)
        if ended.status != 0:
            return self.problem_after(run, ended, **how)
        return None if (run / "model.safetensors").read_bytes() == self.weights else "other weights, and not a word"

    def problem_after(self, run: Path, ended: Ended, **how: Any) -> str | None:
        """Say what is wrong with a refusal, or with the run that goes on after it; None where all is well."""
        if ended.refusal_problem:
            return ended.refusal_problem
        again = self.run(run, **how)
        if again.status != 0:
            return f"going on: status {again.status}, {again.last_line}"
        same = (run / "model.safetensors").read_bytes() == self.weights
        return None if same else "other weights than the unbroken run's"


def _vanished(training: Training, quick: bool) -> Tally:
    """Let all that is asked of the disk fail from some point on, as where a network drive goes away."""
    asked = [("", training.asked, range(0, len(training.asked), 25 if quick else 1))]
    asked += [(", cold", training.asked_cold, range(0, len(training.asked_cold), 60 if quick else 3))]
    tally = Tally(
        "A disk that vanishes (EIO, ESTALE, ENODEV) is told in one sentence, and the run goes on later",
        sum(len(numbers) for _, _, numbers in asked) + len(VANISHED),
    )
    for kind, questions, numbers in asked:
        for number in numbers:
            error = VANISHED[number // numbers.step % len(VANISHED)]
            run, cache = _fresh(training.scratch / "vanished"), training.cache
            if kind:
                cache = _fresh(training.scratch / "cold")
            ended = training.run(run, cache=cache, fail=(number, error))
            problem = training.problem_after(run, ended, cache=cache)
            tally.judge(f"{errno.errorcode[error]} from {' '.join(questions[number])} on{kind}", problem)
    for error in VANISHED:
        run = _fresh(training.scratch / "vanished")
        ended = training.run(run, before=lambda error=error: _fail_reading(error))
        tally.judge(f"{errno.errorcode[error]} in reading sounds", training.problem_after(run, ended))
    return tally


def _sounds_vanished(training: Training, quick: bool) -> Tally:
    """Let the disk of the sounds fail from some point on, with and without leave to train on fewer."""
    numbers = range(0, len(training.asked_of_sounds), 40 if quick else 3)
    tally = Tally(
        "Sounds whose disk vanishes are not left out, by --skip-bad either: the run ends in a sentence and goes on "
        "later, or has all of them",
        2 * len(numbers),
    )
    for number in numbers:
        for more in ((), ("--skip-bad",)):
            error = VANISHED[number // numbers.step % len(VANISHED)]
            asked = " ".join((*training.asked_of_sounds[number], *more))
            problem = training.problem_of_lost_sounds(number, error, *more)
            tally.judge(f"{errno.errorcode[error]} from {asked} on", problem)
    return tally


def _fail_reading(error: int) -> None:
    """Let the store's sixth read fail, and all that follow."""
    n_reads, preadv = 0, os.preadv

    def fail(*arguments: Any) -> int:
        nonlocal n_reads
        n_reads += 1
        if n_reads > 5:
            raise OSError(error, os.strerror(error))
        return preadv(*arguments)

    os.preadv = fail


def _full(training: Training, quick: bool) -> Tally:
    """Give a disk some room less than a run needs, then room."""
    sizes = range(16, 176, 64 if quick else 16)
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
        training.run(run, fail=(len(training.asked) // 2, errno.EIO))
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
    shares = (0.0, 0.5, 0.999) if quick else (*tuple(index / 10 for index in range(10)), 0.999)
    tally = Tally("Decoded sounds that are cut behind our back are noticed, and decoded again", 2 * len(shares))
    for share in shares:
        cache = training.scratch / "cut"
        shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(training.cache, cache)
        (waveforms,) = cache.glob("*/waveforms.int16")

        def cut(waveforms: Path = waveforms, share: float = share) -> None:
            os.truncate(waveforms, int(waveforms.stat().st_size * share))

        cut()
        run = _fresh(training.scratch / "cut-run")
        ended = training.run(run, cache=cache)
        said = "damaged or incomplete on the disk" in ended.err
        same = ended.status == 0 and (run / "model.safetensors").read_bytes() == training.weights
        tally.judge(
            f"cut to {share:.1%} before", None if said and same else f"status {ended.status}: {ended.err[-200:]}"
        )

        run = _fresh(training.scratch / "cut-run")
        ended = training.run(run, cache=cache, before=lambda cut=cut: _while_reading(cut))
        tally.judge(f"cut to {share:.1%} while training", training.problem_after(run, ended, cache=cache))
    return tally


def _while_reading(act: Callable[[], None]) -> None:
    """Act before the store is read the eighth time."""
    n_reads, preadv = 0, os.preadv

    def read(*arguments: Any) -> int:
        nonlocal n_reads
        n_reads += 1
        if n_reads == 8:
            act()
        return preadv(*arguments)

    os.preadv = read


def _flipped(training: Training, quick: bool) -> Tally:
    """Flip one bit of the newest checkpoint."""
    n_bits = 12 if quick else 200
    tally = Tally("A checkpoint with one flipped bit is refused aloud, and the one before is used", n_bits)
    chance = random.Random(7)
    begun = training.scratch / "begun"
    ending = next(i for i, (what, path) in enumerate(training.asked) if what == "write" and "model.safe" in path)
    training.run(begun, fail=(ending, errno.EIO))
    newest = max((begun / "checkpoint").glob("epoch-*"), key=lambda path: path.stat().st_mtime_ns)
    for _ in range(n_bits):
        run = _fresh(training.scratch / "flipped")
        shutil.copytree(begun, run)
        path = run / "checkpoint" / newest.name
        content = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        ended = training.run(run)
        said = [line for line in ended.err.splitlines() if newest.name in line and "cannot be used" in line]
        same = ended.status == 0 and (run / "model.safetensors").read_bytes() == training.weights
        problem = None if said and same else f"status {ended.status}, said {said}: {ended.last_line}"
        tally.judge(f"bit {bit} of {newest.name}", problem)
    return tally


def _fresh(folder: Path) -> Path:
    """Return the place of a folder, where none is left."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


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
