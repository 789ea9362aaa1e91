"""Kill: before and after every change of the disk, and at random times; then go on, and compare with the unbroken run.

Everything is the real command, but for the pictures of reports: drawn, they would take four fifths of the time.
"""

import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cohear.training.checkpoint_files import parse_checkpoint
from faults.disk_steps import Step, misordered_renames, record_steps
from faults.forked import Ended, import_everything, kill_after, leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, write_tones

When = Literal["before", "after"]
RESULTS = ("model.safetensors", "predictions.safetensors", "predictions.csv", "metrics.json")
"""Files of a run that have the same bytes however it was broken."""


@dataclass(frozen=True)
class Job:
    """A command that is killed, and what it leaves when it is not."""

    name: str
    words: tuple[object, ...]
    out: str
    """Where its runs go, below a folder of the try."""
    saves_each_step: bool

    @property
    def sentence(self) -> str:
        """Its name, to begin a sentence with."""
        return self.name[:1].upper() + self.name[1:]

    def arguments(self, folder: Path) -> list[object]:
        """Return the command line whose runs go below `folder`."""
        return [*self.words, "--out", folder / self.out, *["--resume"] * (self.words[0] == "train")]


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Kill a training and a grid at every change of the disk, and a training at random times."""
    import_everything()
    table = write_tones(scratch / "tones", n_clips=2)
    train = Job("a training", ("train", table, *OPTIONS), "run", saves_each_step=True)
    one_epoch = ("--method", "bda", "--set", "training.epochs=1")
    grid = Job("a grid", ("crossval", table, *OPTIONS, *one_epoch), "runs", saves_each_step=False)
    stride = 13 if quick else 1
    orders = Tally("Every file is written, synced, renamed, and its folder synced, in that order", 40)
    verdicts = Verdicts()
    verdicts.partials.judge("one that is read on purpose", None if _sees_partials(scratch) else "it was not noticed")
    for job in (train, grid):
        unbroken = Unbroken.make(job, scratch / f"unbroken-{job.out}")
        for case, problem in misordered_renames(unbroken.steps):
            orders.judge(case, problem)
        numbers = range(0, 2 * len(unbroken.steps), stride)
        killed = Tally(
            f"{job.sentence} killed before and after every write, sync and rename ends in the unbroken one's bytes",
            len(numbers),
        )
        verdicts.want(job, numbers, unbroken)
        for number in numbers:
            when: When = "before" if number % 2 == 0 else "after"
            ended, folder = _kill(job, scratch, number // 2, when)
            landed = f"{job.name} {when} step {number // 2 + 1}, {unbroken.steps[number // 2]}"
            if ended.status != -signal.SIGKILL:
                print(f"not killed, status {ended.status}: {landed}: {ended.last_line}")
                continue
            print(f"killed: {landed}")
            verdicts.look(job, folder, ended, landed)
            _go_on(job, folder, unbroken, landed, killed, verdicts)
        killed.figures = f"{len(unbroken.steps)} changes of the disk"
        yield killed
    pitch = Job(
        "a training that keeps its pitch shifts",
        (*train.words, "--set", "data.pitch_cache=true"),
        "run",
        saves_each_step=True,
    )
    for job, n in ((train, 3 if quick else 20), (pitch, 2 if quick else 10)):
        yield _killed_at_random(job, scratch, n, verdicts)
    yield from (verdicts.partials, verdicts.redone, verdicts.kept, orders)


def _killed_at_random(job: Job, scratch: Path, n: int, verdicts: "Verdicts") -> Tally:
    """Kill a job at so many random times; those that come after its end do not count."""
    tally = Tally(f"{job.sentence} killed at a random time ends in the unbroken one's bytes", n)
    verdicts.partials.wanted += n
    verdicts.redone.wanted += n
    unbroken = Unbroken.make(job, _fresh(scratch))
    chance = random.Random(20)
    while tally.tried < n:
        seconds = chance.uniform(0, unbroken.duration_s)
        folder = _fresh(scratch)
        ended = run_forked(
            job.arguments(folder), folder, cache=folder / "cache", prepare=_hooks(job), meanwhile=kill_after(seconds)
        )
        where = ended.notes[-1] if ended.notes else "before the first step"
        if ended.status != -signal.SIGKILL:
            print(f"came after the end: {seconds:.2f} s")
            continue
        print(f"killed: {job.name} after {seconds:.2f} s, last seen at {where}")
        landed = f"{job.name} after {seconds:.2f} s"
        verdicts.look(job, folder, ended, landed)
        _go_on(job, folder, unbroken, landed, tally, verdicts)
    return tally


class Verdicts:
    """What is judged at every kill, wherever it lands."""

    def __init__(self) -> None:
        self.partials = Tally("A half-written file is never read", 1)
        self.redone = Tally("A resumed run goes on exactly where its newest checkpoint was written", 0)
        self.kept = Tally("Whenever a training is killed, the last two checkpoints that it wrote are whole", 0)

    def want(self, job: Job, numbers: range, unbroken: "Unbroken") -> None:
        """Expect kills before (even numbers) and after (odd ones) changes of the disk."""
        self.partials.wanted += len(numbers)
        if job.saves_each_step:
            self.redone.wanted += len(numbers)
            _, second, *_ = (index for index, step in enumerate(unbroken.steps) if _puts_checkpoint(step))
            self.kept.wanted += sum(number > 2 * second for number in numbers)

    def look(self, job: Job, folder: Path, ended: Ended, landed: str) -> None:
        """Judge the checkpoints of a training that was just killed."""
        if not job.saves_each_step:
            return
        steps = [Step(*note["disk"]) for note in ended.notes if "disk" in note]
        written = [Path(step.path) for step in steps if _puts_checkpoint(step)]
        if len(written) < 2:
            return
        gone = [path.name for path in written[-2:] if not _is_whole(path)]
        self.kept.judge(landed, f"{', '.join(gone)} of {len(written)} cannot be read" if gone else None)


def _puts_checkpoint(step: Step) -> bool:
    return step.kind == "rename" and "/checkpoint/" in step.path


def _is_whole(checkpoint: Path) -> bool:
    try:
        parse_checkpoint(checkpoint.read_bytes())
    except (OSError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Unbroken:
    """What a job leaves when nobody kills it."""

    results: dict[str, bytes]
    """Bytes of the files that must be the same, by path below the try's folder."""
    steps: list[Step]
    """Changes of the disk, in order."""
    training_steps: list[Any]
    """Epoch and clips of each training step, in order."""
    duration_s: float

    @classmethod
    def make(cls, job: Job, folder: Path) -> "Unbroken":
        """Run a job to its end."""
        folder.mkdir(exist_ok=True)
        began = time.monotonic()
        ended = run_forked(job.arguments(folder), folder, cache=folder / "cache", prepare=_hooks(job))
        assert ended.status == 0, ended.err
        steps = [Step(*note["disk"]) for note in ended.notes if "disk" in note]
        return cls(_results(folder), steps, _training_steps(ended), time.monotonic() - began)


def _hooks(job: Job, die: tuple[int, When] | None = None) -> Callable[[Callable[[Any], None]], None]:
    """Return what a child sets up: it notes disk changes, training steps and reads of half-written files, or dies."""

    def prepare(note: Callable[[Any], None]) -> None:
        from cohear.training import checkpoint_clock, trainer

        leave_pictures_blank()
        if job.saves_each_step:
            checkpoint_clock.INTERVAL_S = 0.0
        forward = trainer._forward

        def noted_forward(*arguments: Any) -> Any:
            epoch, batch = arguments[4:6]
            note({"step": [epoch, batch.clips.tolist(), batch.views.tolist()]})
            return forward(*arguments)

        trainer._forward = noted_forward
        record_steps(note, die)

    return prepare


def _sees_partials(scratch: Path) -> bool:
    """Whether a child that reads a half-written file is seen to do so."""
    partial = scratch / ".file.1.partial"
    partial.write_bytes(b"")

    def read(note: Callable[[Any], None]) -> None:
        record_steps(note, None)
        partial.read_bytes()

    return {"reads": str(partial)} in run_forked(["--version"], scratch, prepare=read).notes


def _kill(job: Job, scratch: Path, number: int, when: When) -> tuple[Ended, Path]:
    folder = _fresh(scratch)
    prepare = _hooks(job, (number, when))
    return run_forked(job.arguments(folder), folder, cache=folder / "cache", prepare=prepare), folder


def _go_on(job: Job, folder: Path, unbroken: Unbroken, landed: str, killed: Tally, verdicts: Verdicts) -> None:
    """Give the command again, and judge what it did and left."""
    newest = _newest_checkpoint(folder / "run") if job.saves_each_step else None
    ended = run_forked(job.arguments(folder), folder, cache=folder / "cache", prepare=_hooks(job))
    killed.judge(landed, _difference(ended, folder, unbroken))
    read = [note["reads"] for note in ended.notes if "reads" in note]
    verdicts.partials.judge(landed, f"it read {read[0]}" if read else None)
    if job.saves_each_step:
        expected = unbroken.training_steps[_n_before(unbroken.training_steps, newest) :]
        made = _training_steps(ended)
        verdicts.redone.judge(landed, None if made == expected else f"{len(made)} steps instead of {len(expected)}")


def _difference(ended: Ended, folder: Path, unbroken: Unbroken) -> str | None:
    if ended.status != 0:
        return f"status {ended.status}: {ended.last_line}"
    results = _results(folder)
    if results.keys() != unbroken.results.keys():
        return f"other files: {sorted(results.keys() ^ unbroken.results.keys())}"
    other = [name for name, content in results.items() if content != unbroken.results[name]]
    if other:
        return f"other bytes in {other}"
    # No lock keeps others from writing that page, so nobody can tell whose half-written one it is.
    left = [path.name for path in folder.rglob("*.partial") if not path.name.startswith(".comparison.html.")]
    return f"left behind: {left}" if left else None


def _results(folder: Path) -> dict[str, bytes]:
    """Read what must have the same bytes; reports and histories hold times, so of them only that they are there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "cache" not in path.parts and path.parent != folder:
            name = str(path.relative_to(folder))
            found[name] = path.read_bytes() if path.name in RESULTS else b""
    return {name: content for name, content in found.items() if not name.endswith(".partial")}


def _training_steps(ended: Ended) -> list[Any]:
    return [note["step"] for note in ended.notes if "step" in note]


def _newest_checkpoint(run: Path) -> tuple[int, int] | None:
    names = [re.fullmatch(r"epoch-(\d+)-step-(\d+)\.safetensors", path.name) for path in run.glob("checkpoint/*")]
    return max(((int(name[1]), int(name[2])) for name in names if name), default=None)


def _n_before(steps: Sequence[Any], newest: tuple[int, int] | None) -> int:
    """Count the steps that a checkpoint has behind it."""
    if newest is None:
        return 0
    epoch, step = newest
    return sum(one[0] < epoch for one in steps) + step


def _fresh(scratch: Path) -> Path:
    """Return an empty folder for one try; that of the try before is removed."""
    folder = scratch / "try"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
