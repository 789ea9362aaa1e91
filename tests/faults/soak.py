"""Long use in one process: memory and open files stay what they were after the first tenth.

Each kind of use measures a process of its own: `python -m faults.soak KIND FOLDER [--quick]`.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from faults.tally import Tally

RATE = 16000
"""Hz, of the recordings that are heard."""
MODEL = "model"
"""The run folder of what listens; and the kind of use that makes it."""


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Try each kind of long use; `quick` trains a tiny network and hears less."""
    memory = Tally("Memory after the first tenth of long use and at its end differs by at most 5 %", len(KINDS))
    files = Tally("At the end of long use as many files are open as after its first tenth", len(KINDS))
    _use(MODEL, scratch, quick).check_returncode()
    said = []
    for kind in KINDS:
        done = _use(kind, scratch, quick)
        if done.returncode:
            memory.judge(kind, f"status {done.returncode}: {done.stderr[-500:]}")
            continue
        what, (first_mib, n_first), (last_mib, n_last) = json.loads(done.stdout.splitlines()[-1])
        grown = last_mib / first_mib - 1
        memory.judge(what, None if abs(grown) <= 0.05 else f"{first_mib:.0f} MiB, then {last_mib:.0f} MiB")
        files.judge(what, None if n_last == n_first else f"{n_first} open files, then {n_last}")
        said.append(f"{what} {first_mib:.0f} MiB {grown:+.1%}")
    memory.figures = "; ".join(said)
    yield from (memory, files)


def _use(kind: str, scratch: Path, quick: bool) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faults.soak", kind, str(scratch), *["--quick"] * quick]
    environment = {**os.environ, "COHEAR_CACHE": str(scratch / "cache")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


Mark = Callable[[float, float], None]
"""Called with what is done and all that is to be done: measures at a tenth, and at the end."""


def train(folder: Path, quick: bool, mark: Mark) -> str:
    """Train for 200 epochs, on the demo's sounds or, for 60, on a tiny set."""
    from cohear.data.synthetic import write_sounds
    from cohear.runs.config import change, parse_override
    from cohear.runs.execution import execute
    from cohear.runs.plan import Plan, list_clips
    from cohear.runs.presets import demo, quarter
    from tiny import TINY, write_tones

    table = write_tones(folder / "tones") if quick else write_sounds(folder / "sounds") / "sounds.csv"
    config = change(quarter(), dict(map(parse_override, TINY))) if quick else demo()
    epochs = 60 if quick else 200
    listing = list_clips(table, change(config, {"training.epochs": epochs}), {"data.sample_rate"})
    plan = Plan(listing.config, listing.decode(), track="5", out=folder / "long-run")
    execute(plan, on_step=mark)
    return f"{epochs} epochs of training on {'tiny tones' if quick else 'the demo set'}"


def predict(folder: Path, quick: bool, mark: Mark) -> str:
    """Hear short waveforms of many lengths and rates, files of 30 s, and as much in one file."""
    import cohear

    n, random = (12 if quick else 120), np.random.default_rng(0)
    classifier = cohear.load(folder / MODEL)
    files = [_recording(folder / f"{number}.wav", 30, seed=number) for number in range(10)]
    long = _recording(folder / "long.wav", 30 * n, seed=99)
    for number in range(n):
        for _ in range(20):
            sound = (0.1 * random.standard_normal(int(random.integers(200, 40_000)))).astype(np.float32)
            classifier.predict(sound, sample_rate=int(random.choice([8000, 11025, 16000, 22050, 44100])))
        assert classifier.predict(files[number % len(files)])[-1].end_s == 30
        mark(number + 1, 2 * n)
    assert classifier.predict(long)[-1].end_s == 30 * n
    mark(2 * n, 2 * n)
    return f"{n} minutes of sound and {20 * n} short predictions"


def make_model(folder: Path, _quick: bool, _mark: Mark) -> str:
    """Train a network for an epoch: in another process than those that listen, whose memory is measured."""
    import cohear
    from cohear.data.synthetic import write_sounds

    table = write_sounds(folder / "few-sounds", n_clips=2) / "sounds.csv"
    cohear.train(table, preset="demo", out=folder / MODEL, track="end", settings={"training.epochs": 1})
    return "a model"


KINDS: dict[str, Callable[[Path, bool, Mark], str]] = {"train": train, "predict": predict}
"""Each says in words what was done; all but the first need a model."""


def _recording(path: Path, duration_s: int, seed: int) -> Path:
    """Write noise that comes and goes, a minute at a time."""
    random = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for start in range(0, duration_s, 60):
            n_samples = min(60, duration_s - start) * RATE
            level = np.abs(np.sin(np.arange(n_samples) / RATE))
            file.write(0.2 * level * random.standard_normal(n_samples))
    return path


def _measure() -> tuple[float, int]:
    """Return resident memory, MiB, and open files of this process."""
    gc.collect()
    kib = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
    return kib / 1024, len(os.listdir("/proc/self/fd"))


def main(kind: str, folder: Path, quick: bool) -> None:
    """Use cohear for long, and print what was done and measured as a line of JSON."""
    measured: list[tuple[float, int]] = []

    def mark(done: float, total: float) -> None:
        if (not measured and 10 * done >= total) or done >= total:
            measured.append(_measure())

    what = {**KINDS, MODEL: make_model}[kind](folder, quick, mark)
    print(json.dumps([what, *(measured[i] for i in (0, -1) if measured)]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "--quick" in sys.argv[3:])
