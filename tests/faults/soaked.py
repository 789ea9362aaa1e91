"""One kind of long use, which measures its own process: `python -m faults.soaked KIND FOLDER [--quick]`."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
"""Hz, of the recordings that are heard."""
MODEL = "model"
"""The run folder of what listens; and the kind of use that makes it."""


@dataclass
class Gauge:
    """Resident memory, MiB, and open files of this process: after the first tenth, and now."""

    first: tuple[float, int] | None = None
    last: tuple[float, int] = (0.0, 0)
    began: float = field(default_factory=time.monotonic)

    def mark(self, done: float, total: float) -> None:
        """Measure where a tenth is just done, or all of it."""
        if self.first is None and 10 * done >= total:
            self.first = _measure()
        if done >= total:
            self.last = _measure()


def train(folder: Path, quick: bool, gauge: Gauge) -> str:
    """Train for 200 epochs, on the demo's sounds or on a tiny set, measured after every tenth."""
    from cohear.data.synthetic import write_sounds
    from cohear.experiments.build import prepare_data
    from cohear.experiments.presets import change, parse_override, preset
    from cohear.experiments.runs import RunRequest, execute
    from tiny import TINY, write_tones

    if quick:
        table = write_tones(folder / "tones")
        config = change(preset("small"), dict(parse_override(text) for text in TINY))
    else:
        table, config = write_sounds(folder / "sounds") / "sounds.csv", preset("demo")
    config = change(config, {"training.epochs": 200})
    request = RunRequest(table, config, track="10")
    execute(request, prepare_data(table, config), folder / "long-run", on_step=gauge.mark)
    return f"200 epochs of training on {'tiny tones' if quick else 'the demo set'}"


def predict(folder: Path, quick: bool, gauge: Gauge) -> str:
    """Hear two hours, or twelve minutes: one half in files of 30 s, the other in one file."""
    import cohear

    half_s = 360 if quick else 3600
    classifier = cohear.load(folder / MODEL)
    files = [_recording(folder / f"{number}.wav", 30, seed=number) for number in range(10)]
    long = _recording(folder / "long.wav", half_s, seed=99)
    for number in range(half_s // 30):
        rows = classifier.predict(files[number % len(files)])
        assert rows[-1].end_s == 30, rows[-1]
        gauge.mark((number + 1) * 30, 2 * half_s)
    rows = classifier.predict(long)
    assert rows[-1].end_s == half_s, rows[-1]
    gauge.mark(2 * half_s, 2 * half_s)
    return f"{2 * half_s / 60:.0f} minutes of sound heard"


def answer(folder: Path, quick: bool, gauge: Gauge) -> str:
    """Ask about 5000 short waveforms, or 1000, of many lengths and rates."""
    import cohear

    classifier = cohear.load(folder / MODEL)
    n_asked, random = (1000 if quick else 5000), np.random.default_rng(0)
    for number in range(n_asked):
        sound = (0.1 * random.standard_normal(int(random.integers(200, 40_000)))).astype(np.float32)
        classifier.predict(sound, sample_rate=int(random.choice([8000, 11025, 16000, 22050, 44100])))
        gauge.mark(number + 1, n_asked)
    return f"{n_asked} short predictions"


def hear(folder: Path, quick: bool, gauge: Gauge) -> str:
    """Do 500 times, or 200, what the page does: a recording is opened, heard in four ways and drawn."""
    import cohear
    from cohear.app.excerpts import excerpt_of_file
    from cohear.app.hearing import AMOUNTS, divergence, hear_changed, hear_clean

    classifier = cohear.load(folder / MODEL)
    files = [_recording(folder / f"clip{number}.wav", 5, seed=number) for number in range(10)]
    n_heard, random = (200 if quick else 500), np.random.default_rng(0)
    for number in range(n_heard):
        excerpt = excerpt_of_file(classifier, files[number % len(files)])
        views = [hear_clean(classifier, excerpt)]
        for change, (low, high, step) in AMOUNTS.items():
            amount = low + step * int(random.integers(0, round((high - low) / step) + 1))
            views.append(hear_changed(classifier, excerpt, change, amount))
        assert 0 <= divergence(classifier, views) <= np.log(4) + 1e-6
        gauge.mark(number + 1, n_heard)
    return f"{n_heard} clips heard in four ways each"


def make_model(folder: Path) -> None:
    """Train a network of the demo for an epoch: in another process than those that listen, whose memory is measured."""
    from cohear.data.synthetic import write_sounds
    from cohear.experiments.build import prepare_data
    from cohear.experiments.presets import change, preset
    from cohear.experiments.runs import RunRequest, execute

    table = write_sounds(folder / "few-sounds", n_clips=2) / "sounds.csv"
    config = change(preset("demo"), {"training.epochs": 1, "views.n_rooms": 8})
    execute(RunRequest(table, config, track="end"), prepare_data(table, config), folder / MODEL)


KINDS: dict[str, Callable[[Path, bool, Gauge], str]] = {
    "train": train,
    "predict": predict,
    "answer": answer,
    "hear": hear,
}
"""Each says in words what was done; all but the first need a model."""


def _measure() -> tuple[float, int]:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    kib = int(status.split("VmRSS:")[1].split()[0])
    return kib / 1024, len(os.listdir("/proc/self/fd"))


def _recording(path: Path, duration_s: int, seed: int) -> Path:
    """Write noise that comes and goes, a minute at a time."""
    random = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for start in range(0, duration_s, 60):
            n_samples = min(60, duration_s - start) * RATE
            level = np.abs(np.sin(np.arange(n_samples) / RATE))
            file.write(0.2 * level * random.standard_normal(n_samples))
    return path


def main(kind: str, folder: Path, quick: bool) -> None:
    """Use cohear for long, and print what was measured as a line of JSON; or make the model."""
    if kind == MODEL:
        make_model(folder)
        return
    gauge = Gauge()
    what = KINDS[kind](folder, quick, gauge)
    duration_s = time.monotonic() - gauge.began
    print(json.dumps({"what": what, "first": gauge.first, "last": gauge.last, "duration_s": duration_s}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "--quick" in sys.argv[3:])
