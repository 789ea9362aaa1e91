"""Memory that is not there: limits of the address space, from a little too little to almost nothing."""

import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from faults.forked import leave_pictures_blank, run_forked
from faults.tally import Tally
from tiny import OPTIONS, SAMPLE_RATE, write_tones

MB = 10**6
LARGE = ("--preset", "paper", "--set", "views.n_rooms=4", "--set", "data.sample_rate=44100")
CLIP_S = 0.6
SIZES = (
    ("paper", "training.batch_size=12"),
    ("paper", "training.batch_size=12", "method=none", "views.transform=none"),
    ("paper", "training.batch_size=24", "data.clip_s=2", "views.transform=masking"),
    ("paper", "training.batch_size=24", "data.clip_s=2", "training.precision=bf16"),
    ("paper", "training.batch_size=12", "network.pooling=average", "network.width=0.5", "data.clip_s=8"),
    ("small", "network.width=0.5"),
    ("small", "training.batch_size=192"),
)


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Compare the estimate with real steps, then take memory away before and while training and predicting."""
    os.environ["COHEAR_CACHE"] = str(scratch / "cache")
    table = write_tones(scratch / "tones")
    yield _estimates(quick)
    yield _refusals(scratch, write_tones(scratch / "many", n_clips=14), quick)  # more than a batch of 40 clips
    yield _allocations(scratch, table, quick)


def _estimates(quick: bool) -> Tally:
    from cohear.experiments.memory import training_bytes
    from cohear.experiments.presets import change, parse_override, preset

    sizes = SIZES[3:4] if quick else SIZES
    tally = Tally("The memory of a training step is estimated at 0.7 to 1.05 of what it takes", len(sizes))
    ratios = []
    for name, *texts in sizes:
        command = [sys.executable, "-m", "experiments.step_memory", name, *texts]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        config = change(preset(name), dict(parse_override(text) for text in texts))
        if done.returncode:
            tally.judge(" ".join((name, *texts)), done.stderr.strip()[-300:])
            continue
        ratios.append(training_bytes(config, config.data.clip_s or 5.0, 10) / int(done.stdout.split()[-1]))
        sound = 0.7 < ratios[-1] < 1.05
        tally.judge(" ".join((name, *texts)), None if sound else f"{ratios[-1]:.2f} of what was measured")
    if ratios:
        tally.figures = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return tally


def _refusals(scratch: Path, table: Path, quick: bool) -> Tally:
    """Give less than the estimate, and more."""
    from cohear.experiments.build import prepare_data
    from cohear.experiments.memory import training_bytes
    from cohear.experiments.presets import change, preset

    needed = training_bytes(change(preset("paper"), {"data.clip_s": CLIP_S}), CLIP_S, 3)
    prepare_data(table, preset("paper"))  # sounds are decoded by threads, whose stacks need more than is left here
    commands = {
        "train": ["train", table, *LARGE],
        "crossval": ["crossval", table, *LARGE],
        "crossval --jobs 2": ["crossval", table, *LARGE, "--jobs", "2"],
    }
    shares = (0.5, 0.98) if quick else (0.05, 0.2, 0.5, 0.8, 0.98)
    n_fit = 1 if quick else 3
    tally = Tally("A run that cannot fit in memory is refused before its first step, and one that can is not", 0)
    for (name, words), share in ((pair, share) for pair in commands.items() for share in shares):
        out, n_jobs = scratch / "refused", 2 if "--jobs" in words else 1
        limit = int(share * n_jobs * needed)
        ended = run_forked([*words, "--out", out], scratch, prepare=_limited(limit))
        sentence, problem = ended.last_line, None
        if ended.status != 2 or "need" not in sentence or "batch_size (now 120)" not in sentence:
            problem = f"status {ended.status}: {sentence}"
        elif list(out.rglob("*.json")):
            problem = "it left a run behind"
        elif n_jobs == 2 and "fewer --jobs (now 2)" not in sentence:
            problem = f"it does not speak of --jobs: {sentence}"
        tally.judge(f"{name} with {share:.0%} of what it needs", problem)
        shutil.rmtree(out, ignore_errors=True)
    for number in range(n_fit):
        words = ["train", table, *OPTIONS, "--track", "end", "--out", scratch / f"fits {number}"]
        ended = run_forked(words, scratch, prepare=_limited(1000 * MB))
        tally.judge("a tiny run with 1 GB", None if ended.status == 0 else f"status {ended.status}: {ended.last_line}")
    tally.wanted = len(commands) * len(shares) + n_fit
    tally.figures = f"the refused runs need {needed / 1e9:.1f} GB"
    return tally


def _allocations(scratch: Path, table: Path, quick: bool) -> Tally:
    """Let allocations fail for real: in training steps, while clips are measured, and in `cohear predict`."""
    chance, n = random.Random(5), 2 if quick else 10
    run = scratch / "trained"
    wide = ("--set", "network.width=1", "--set", "training.epochs=1", "--track", "end")
    ended = run_forked(["train", table, *OPTIONS, *wide, "--out", run], scratch, prepare=_limited(None))
    assert ended.status == 0, ended.err
    in_step = ("in a training step", "training.batch_size (now 120)", "clip_s (now 0.6)", "precision=bf16")
    measured = ("while clips were measured", "clip_s (now 0.6)", "precision=bf16")
    sounds = scratch / "long.wav"
    soundfile.write(sounds, np.random.default_rng(0).uniform(-0.5, 0.5, 60 * SAMPLE_RATE), SAMPLE_RATE)
    train = ["train", table, *LARGE, "--set", "training.epochs=1", "--track", "every", "--out", scratch / "out of it"]
    quick_steps = ("--set", "training.batch_size=6", "--set", "network.width=0.25")
    cases: list[tuple[str, list[Any], str, tuple[str, ...]]] = [
        ("training", train, "cohear.training.trainer._forward", in_step),
        ("measuring", [*train, *quick_steps], "cohear.experiments.runs.answer", measured),
        ("predicting", ["predict", run, sounds], "cohear.inference.classifier.Classifier._answer", ("clip_s", "width")),
    ]
    tally = Tally("An allocation that fails is told in a sentence that says what to change", n * len(cases))
    sizes = []
    for name, words, place, wanted in cases:
        for _ in range(n):
            limit = chance.randrange(0, 60) * MB // (1 if name == "training" else 20)
            shutil.rmtree(scratch / "out of it", ignore_errors=True)
            ended = run_forked(words, scratch, prepare=_limited(limit, place))
            sentence = ended.last_line
            worded = ended.status == 2 and all(part in sentence for part in ("the memory ran out", *wanted))
            tally.judge(
                f"{name} with {limit / 1e6:.0f} MB more", None if worded else f"status {ended.status}: {sentence}"
            )
            sizes.append(limit)
    tally.figures = f"limits of {min(sizes) / 1e6:.0f} to {max(sizes) / 1e6:.0f} MB above what was in use"
    return tally


def _limited(n_bytes: int | None, place: str | None = None) -> Callable[[Callable[[Any], None]], None]:
    """Return what limits this process's address space, from now on or from the first call of a function on.

    Args:
        n_bytes: more than is in use; None: no limit.
        place: the function before which the limit begins; what would be refused by the estimate is then tried.
    """

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (n_bytes or 0)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    def prepare(note: Callable[[Any], None]) -> None:
        del note
        leave_pictures_blank()
        if n_bytes is None:
            return
        if place is None:
            limit()
            return
        import importlib

        module, _, name = place.rpartition(".")
        if module.endswith("Classifier"):
            module, _, owner_name = module.rpartition(".")
            owner: Any = getattr(importlib.import_module(module), owner_name)
        else:
            owner = importlib.import_module(module)
        function = getattr(owner, name)

        def limited(*arguments: Any, **options: Any) -> Any:
            limit()
            return function(*arguments, **options)

        setattr(owner, name, limited)

    return prepare
