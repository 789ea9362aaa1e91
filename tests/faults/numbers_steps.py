"""Steps that are not finite: a view, a loss, a gradient or a statistic is spoiled at a chosen epoch and step."""

import itertools
import json
import math
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from faults.forked import Ended, leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, write_tones

N_EPOCHS = 3
N_STEPS = 6
"""Of an epoch."""
Way = Literal["view", "loss", "gradient", "statistic"]
VALUES = {"NaN": math.nan, "inf": math.inf, "-inf": -math.inf}
RESULTS = ("model.safetensors", "predictions.safetensors", "predictions.csv", "metrics.json")


@dataclass(frozen=True)
class Spoiled:
    """A clip of the training in one epoch, and what happens to it there."""

    way: Way
    value: str
    epoch: int
    step: int
    ids: tuple[str, ...]
    """The clips of its batch, the spoiled one first."""
    clip_key: int
    row: int
    """Among the training clips."""

    def __str__(self) -> str:
        return f"{self.value} in a {self.way} of epoch {self.epoch}, step {self.step}"

    def set_up(self, note: Callable[[Any], None]) -> None:
        """Spoil it in this process, every time that it is made."""
        del note
        leave_pictures_blank()
        {"view": _spoil_view, "statistic": _spoil_statistics}.get(self.way, _spoil_losses)(self)


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Spoil single steps: what is said of them, and what a resumed run that drops them leaves."""
    table = write_tones(scratch / "tones", n_clips=4)
    os.environ["COHEAR_CACHE"] = str(scratch / "cache")
    faults = list(_faults(table))
    random.Random(4).shuffle(faults)
    statistics = [replace(fault, way="statistic") for fault in faults if fault.way == "view"][: 2 if quick else 9]
    faults = faults[: 4 if quick else 24]
    words = ["train", table, *OPTIONS, "--set", f"training.epochs={N_EPOCHS}", "--track", "end"]
    told = Tally(
        "A loss or gradient that is not finite ends the run with its epoch, step, clips and what was drawn for them",
        len(faults),
    )
    kept = Tally("Weights that are not finite are never saved", len(faults))
    resumed = Tally(
        "A run stopped by such a step goes on with --on-nonfinite skip, drops it and counts it", len(faults)
    )
    for number, fault in enumerate(faults):
        run = scratch / f"run {number}"
        ended = run_forked([*words, "--out", run], scratch, prepare=fault.set_up)
        told.judge(str(fault), _misreported(ended, run, fault))
        kept.judge(str(fault), _not_finite(run, fault.epoch))
        skip = [*words, "--out", run, "--resume", "--on-nonfinite", "skip"]
        resumed.judge(str(fault), _not_dropped(run_forked(skip, scratch, prepare=fault.set_up), run, fault))
        shutil.rmtree(run, ignore_errors=True)
    yield from (told, kept, resumed)
    yield _broken_while_dropping(scratch, words, faults[0], quick)
    yield _spoiled_statistics(scratch, words, statistics)


def _broken_while_dropping(scratch: Path, words: list[Any], fault: Spoiled, quick: bool) -> Tally:
    """Kill or stop a training that drops a step, after each of its steps, and go on."""
    unbroken, n_steps = scratch / "unbroken", N_STEPS * N_EPOCHS
    words = [*words, "--on-nonfinite", "skip", "--resume", "--out"]
    ended = run_forked([*words, unbroken], scratch, prepare=fault.set_up)
    assert ended.status == 0, ended.err
    dropped = fault.epoch * N_STEPS + fault.step
    numbers = range(n_steps)[dropped : dropped + 2] if quick else range(n_steps)
    cases = list(itertools.product((signal.SIGKILL, signal.SIGTERM), numbers))
    tally = Tally("A training that drops steps ends in the same bytes however it is broken and resumed", len(cases))
    for number, step in cases:
        run = scratch / "broken"
        shutil.rmtree(run, ignore_errors=True)
        cut = run_forked([*words, run], scratch, prepare=_signal_at(step, number, fault))
        if cut.status not in (-number, 128 + number):
            print(f"{number.name} at step {step} came too late: status {cut.status}")
            continue
        ended = run_forked([*words, run], scratch, prepare=fault.set_up)
        problem = None if ended.status == 0 else f"status {ended.status}: {ended.last_line}"
        other = [name for name in RESULTS if problem is None and _bytes(run, name) != _bytes(unbroken, name)]
        tally.judge(f"{number.name} at step {step}, {fault}", problem or (f"other bytes in {other}" if other else None))
    return tally


def _spoiled_statistics(scratch: Path, words: list[Any], faults: Sequence[Spoiled]) -> Tally:
    """Spoil batch-norm statistics, which no loss and no gradient tells of, and go on where none are spoiled."""
    sound = scratch / "sound"
    ended = run_forked([*words, "--out", sound], scratch, prepare=lambda _note: leave_pictures_blank())
    assert ended.status == 0, ended.err
    tally = Tally(
        "Batch-norm statistics that are not finite end the run and are never saved; resumed without them it ends in "
        "the unbroken one's bytes",
        len(faults),
    )
    for number, fault in enumerate(faults):
        run = scratch / f"statistics {number}"
        ended = run_forked([*words, "--out", run], scratch, prepare=fault.set_up)
        place = f"the batch-norm statistics are no longer finite in epoch {fault.epoch}, after step {N_STEPS - 1},"
        problem = ended.refusal_problem or (None if place in ended.last_line else f"it said: {ended.last_line}")
        problem = problem or _not_finite(run, fault.epoch)
        if problem is None:
            resume = [*words, "--out", run, "--resume"]
            ended = run_forked(resume, scratch, prepare=lambda _note: leave_pictures_blank())
            problem = None if ended.status == 0 else f"status {ended.status}: {ended.last_line}"
        other = [name for name in RESULTS if problem is None and _bytes(run, name) != _bytes(sound, name)]
        tally.judge(str(fault), problem or (f"other bytes in {other}" if other else None))
        shutil.rmtree(run, ignore_errors=True)
    return tally


def _faults(table: Path) -> Iterator[Spoiled]:
    """Choose a clip for each epoch, step, way and value; where it stands is worked out without the trainer."""
    from cohear.experiments.build import build_plan, prepare_data
    from cohear.experiments.presets import change, parse_override, preset
    from cohear.training.batches import epoch_batches
    from tiny import TINY

    config = change(preset("small"), dict(parse_override(text) for text in TINY))
    data = prepare_data(table, config)
    rows, plan = data.split(config).train, build_plan(config)
    for epoch in range(N_EPOCHS):
        batches = epoch_batches(len(rows), plan.items, plan.batch_size, config.seed, epoch)
        assert len(batches) == N_STEPS
        for (step, batch), way in itertools.product(enumerate(batches), ("view", "loss", "gradient")):
            ids = [data.store.clips[rows[row]].id for row in batch.clips]
            for value in ("NaN",) if way == "gradient" else VALUES:
                place = (epoch + step) % len(ids)
                named = (ids[place], *ids[:place], *ids[place + 1 :])
                row = int(batch.clips[place])
                yield Spoiled(way, value, epoch, step, named, int(data.store.clip_keys[rows[row]]), row)


def _spoil_view(fault: Spoiled) -> None:
    """Put the value into one cell of the spectrogram of the clip's first transformed view."""
    from cohear.views import ViewMaker, view_keys

    views = np.ones((1, 1), np.int64)
    key = view_keys(0, fault.epoch, np.array([fault.clip_key], np.uint64), views)[0, 0]
    make = ViewMaker.make

    def spoiled_make(self: Any, waveforms: Any, views: Any, view_keys: Any, facts: Any = None) -> Any:
        made = make(self, waveforms, views, view_keys, facts)
        for view, place in np.argwhere(view_keys == key):
            made.log_mels[view, place, 3, 5] = VALUES[fault.value]
        return made

    ViewMaker.make = spoiled_make


def _spoil_losses(fault: Spoiled) -> None:
    """Spoil the loss of the clip's step, or give it no slope where it is still finite."""
    from cohear.training import trainer

    forward = trainer._forward

    def spoiled_forward(*arguments: Any) -> Any:
        losses, share = forward(*arguments)
        epoch, batch = arguments[4:6]
        if epoch == fault.epoch and fault.row in batch.clips:
            total = losses.total
            spoiled = total + (0 * total).sqrt() if fault.way == "gradient" else total * 0 + VALUES[fault.value]
            losses = losses._replace(total=spoiled)
        return losses, share

    trainer._forward = spoiled_forward


def _spoil_statistics(fault: Spoiled) -> None:
    """Put the value among the batch-norm statistics in the clip's step, which has used those of its batch."""
    from cohear.training import trainer

    forward = trainer._forward

    def spoiled_forward(*arguments: Any) -> Any:
        found = forward(*arguments)
        module, epoch, batch = arguments[0], *arguments[4:6]
        if epoch == fault.epoch and fault.row in batch.clips:
            statistics = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
            statistics[fault.step % len(statistics)].data[0] = VALUES[fault.value]  # unseen by the backward pass
        return found

    trainer._forward = spoiled_forward


def _signal_at(step: int, number: signal.Signals, fault: Spoiled) -> Callable[[Callable[[Any], None]], None]:
    """Return what sends this process a signal before a step of the run, all epochs' steps counted."""

    def prepare(note: Callable[[Any], None]) -> None:
        from cohear.training import checkpoint_clock, trainer

        fault.set_up(note)
        checkpoint_clock.INTERVAL_S = 0.0
        forward, count = trainer._forward, itertools.count()

        def cut_forward(*arguments: Any) -> Any:
            if next(count) == step:
                os.kill(os.getpid(), number)
            return forward(*arguments)

        trainer._forward = cut_forward

    return prepare


def _misreported(ended: Ended, run: Path, fault: Spoiled) -> str | None:
    sentence = ended.last_line
    if ended.status != 2 or not sentence.startswith("cohear: the ") or "Traceback" in ended.err:
        return f"status {ended.status}: {sentence}"
    if f"not finite in epoch {fault.epoch}, step {fault.step}," not in sentence:
        return f"it named another step: {sentence}"
    if not (run / "nonfinite.json").exists():
        return "there is no nonfinite.json"
    record = json.loads((run / "nonfinite.json").read_text("utf-8"))
    clips = {clip["id"]: clip["views"] for clip in record["clips"]}
    if sorted(clips) != sorted(fault.ids) or (record["epoch"], record["step"]) != (fault.epoch, fault.step):
        return f"nonfinite.json tells of other clips: {sorted(clips)}"
    if not all(views[1]["parameters"] and views[1]["change"] for views in clips.values()):
        return "nonfinite.json does not say what was drawn"
    unsound = [name for name, views in clips.items() if not all(view["spectrogram_is_finite"] for view in views)]
    if fault.way == "view" and (unsound != [fault.ids[0]] or f"clips '{fault.ids[0]}'" not in sentence):
        return f"it did not find the spoiled clip {fault.ids[0]}: {sentence}"
    return None


def _not_finite(run: Path, epoch: int) -> str | None:
    from cohear.training.checkpoint_files import read_newest

    checkpoint, refused = read_newest(run)
    if refused:
        return str(refused[0])
    if checkpoint is None:
        return None if epoch == 0 else "there is no checkpoint of the epochs before"
    if checkpoint.progress["epoch"] != epoch:
        return f"the checkpoint is of epoch {checkpoint.progress['epoch']}"
    spoiled = [name for name, tensor in checkpoint.tensors.items() if not np.isfinite(tensor).all()]
    return f"{spoiled[0]} is not finite" if spoiled else None


def _not_dropped(ended: Ended, run: Path, fault: Spoiled) -> str | None:
    from safetensors.numpy import load_file

    if ended.status != 0:
        return f"status {ended.status}: {ended.last_line}"
    if not all(np.isfinite(tensor).all() for tensor in load_file(run / "model.safetensors").values()):
        return "the weights are not finite"
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    dropped = [record.get("n_skipped", 0) for record in history]
    if dropped != [int(epoch == fault.epoch) for epoch in range(N_EPOCHS)]:
        return f"the history counts {dropped} dropped steps"
    warning = f"in 1 of {sum(record['n_steps'] for record in history)} steps, which were dropped (epoch {fault.epoch})"
    places = {"metrics.json": _bytes(run, "metrics.json"), "report.html": _bytes(run, "report.html")}
    silent = [name for name, content in places.items() if warning.encode() not in content]
    said = "which were dropped" in ended.err
    return None if said and not silent else f"nothing of it stands in {silent or 'what was said'}"


def _bytes(run: Path, name: str) -> bytes:
    return (run / name).read_bytes()
