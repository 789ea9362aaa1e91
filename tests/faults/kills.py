"""Kill: before and after every change of the disk; then go on, and compare with the run that nobody killed."""

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohear.training.checkpoints import parse_checkpoint
from faults.commands import (
    Ended,
    Note,
    before_each_step,
    checkpoint_each_step,
    difference,
    fresh,
    results_of,
    run_forked,
    warm_up,
)
from faults.disk_steps import End, Step, misordered_renames, record_steps
from faults.tally import Tally
from tiny import OPTIONS, write_tones


@dataclass(frozen=True)
class Job:
    """A command that is killed."""

    name: str
    words: tuple[object, ...]
    saves_each_step: bool

    def run(self, folder: Path, end: End | None = None) -> Ended:
        """Give the command, or give it again; its runs go below `folder`.

        Every disk change, training step and reading of a half-written file is noted.
        """

        def prepare(note: Note) -> None:
            if self.saves_each_step:
                checkpoint_each_step()
            before_each_step(lambda _, epoch, batch: note({"step": [epoch, *_listed(batch)]}))
            record_steps(note, end)

        out = ("--out", folder / "run", "--resume") if self.words[0] == "train" else ("--out", folder / "runs")
        return run_forked([*self.words, *out], folder, cache=folder / "cache", prepare=prepare)


def _listed(batch: Any) -> tuple[Any, Any]:
    return batch.clips.tolist(), batch.views.tolist()


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Kill a training and a grid at every change of the disk."""
    warm_up()
    table = write_tones(scratch / "tones", n_clips=2)
    one_epoch = ("--method", "bda", "--set", "training.epochs=1")
    verdicts = Verdicts()
    verdicts.partials.judge("one that is read on purpose", None if _sees_partials(scratch) else "it was not noticed")
    for job in (
        Job("training", ("train", table, *OPTIONS, "--set", "training.precision=bf16"), saves_each_step=True),
        Job("grid", ("crossval", table, *OPTIONS, *one_epoch, "--jobs", "1"), saves_each_step=False),
    ):
        folder = fresh(scratch / f"unbroken {job.name}")
        whole = job.run(folder)
        assert whole.status == 0, whole.err
        steps, wanted = [Step(*its) for its in whole.noted("disk")], results_of(folder)
        for case, problem in misordered_renames(steps):
            verdicts.orders.judge(case, problem)
        numbers = range(0, 2 * len(steps), 47 if quick else 1)
        killed = Tally(
            f"A {job.name} killed before and after every write, sync and rename ends in the unbroken one's bytes",
            len(numbers),
            figures=f"{len(steps)} changes of the disk",
        )
        verdicts.want(job, numbers, steps)
        for number in numbers:
            folder, when = fresh(scratch / "try"), ("before", "after")[number % 2]
            ended = job.run(folder, End(number // 2, when, signal.SIGKILL))
            landed = f"{job.name} {when} change {number // 2 + 1}, {steps[number // 2]}"
            if ended.status != -signal.SIGKILL:
                killed.judge(landed, f"not killed: {ended.problem}")
                continue
            newest, n_kept = _newest_checkpoint(folder / "run"), _n_whole(folder / "run")
            again = job.run(folder)
            left = [path.name for path in folder.rglob("*.partial") if not path.name.startswith(".comparison.html.")]
            problem = again.problem or difference(results_of(folder), wanted)
            killed.judge(landed, problem or (f"left behind: {left}" if left else None))
            verdicts.look(job, landed, ended, again, newest, n_kept, whole.noted("step"))
        yield killed
    yield from (verdicts.partials, verdicts.free, verdicts.redone, verdicts.kept, verdicts.orders)


class Verdicts:
    """What is judged at every kill, wherever it lands."""

    def __init__(self) -> None:
        self.orders = Tally("Every file is written, synced, renamed, and its folder synced, in that order", 40)
        self.partials = Tally("A half-written file is never read", 1)
        self.free = Tally("A dead process blocks nobody: its locks on run folder and store are free at once", 0)
        self.redone = Tally("A resumed run goes on exactly where its newest checkpoint was written", 0)
        self.kept = Tally("Whenever a training is killed, the last two checkpoints that it wrote are whole", 0)

    def want(self, job: Job, numbers: range, steps: Sequence[Step]) -> None:
        """Expect kills before (even numbers) and after (odd ones) changes of the disk."""
        self.partials.wanted += len(numbers)
        self.free.wanted += len(numbers)
        if job.saves_each_step:
            self.redone.wanted += len(numbers)
            _, second, *_ = (index for index, step in enumerate(steps) if _puts_checkpoint(step))
            self.kept.wanted += sum(number > 2 * second + 1 for number in numbers)

    def look(
        self,
        job: Job,
        landed: str,
        killed: Ended,
        again: Ended,
        newest: tuple[int, int],
        n_whole: int,
        steps: list[Any],
    ) -> None:
        """Judge a kill and what came after it.

        Args:
            job: that was killed.
            landed: where, in words.
            killed: how it ended.
            again: how the same command ended that came after it.
            newest: epoch and step of the newest checkpoint that the kill left.
            n_whole: checkpoints that could be read then.
            steps: training steps of the run that nobody killed.
        """
        read = again.noted("reads")
        self.partials.judge(landed, f"it read {read[0]}" if read else None)
        self.free.judge(landed, "it was kept waiting" if "another process" in again.err else None)
        if not job.saves_each_step:
            return
        n_before = sum(epoch < newest[0] for epoch, *_ in steps) + newest[1]
        made = again.noted("step")
        self.redone.judge(landed, None if made == steps[n_before:] else f"{len(made)} steps after {n_before}")
        if sum(_puts_checkpoint(Step(*its)) for its in killed.noted("disk")) >= 2:
            self.kept.judge(landed, None if n_whole >= 2 else f"{n_whole} of them")


def _puts_checkpoint(step: Step) -> bool:
    return step.kind == "rename" and "/checkpoint/" in step.path


def _newest_checkpoint(run: Path) -> tuple[int, int]:
    names = [re.fullmatch(r"epoch-(\d+)-step-(\d+)\.safetensors", path.name) for path in run.glob("checkpoint/*")]
    return max(((int(name[1]), int(name[2])) for name in names if name), default=(0, 0))


def _n_whole(run: Path) -> int:
    """Count the checkpoints of a run that can be read."""
    whole = 0
    for path in run.glob("checkpoint/*.safetensors"):
        try:
            parse_checkpoint(path.read_bytes())
        except ValueError:
            continue
        whole += 1
    return whole


def _sees_partials(scratch: Path) -> bool:
    """Whether a child that reads a half-written file is seen to do so."""
    partial = scratch / ".file.1.partial"
    partial.write_bytes(b"")

    def read(note: Note) -> None:
        record_steps(note, None)
        partial.read_bytes()

    return str(partial) in run_forked(["--version"], scratch, prepare=read).noted("reads")
