"""What engines cost and bring: `python -m benchmarks.executors [--executors local,ray] [--hours 4]`, from the root.

A grid of short runs and hours of made-up recordings, by each executor with one worker and with two, beside a loop in
one process. What a call takes to begin is told from what a recording takes by hearing half of them and all. Recordings
are FLAC of ten minutes at 32 kHz, the classifier is one of `small`'s size, and never trained.
On SLURM run it under `tests/cluster/slurm.sh`; there a queue's own waiting counts too. Leave the machine alone
meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from benchmarks.page import markdown_table

MINUTES, RATE, N_RUNS = 10, 32000, 8
"""Of a recording; Hz; of a grid."""
TRAINING = ("--preset", "small", "--epochs", "6", "--track", "end")
_ONE_PROCESS = """
import sys, time
import torch
from cohear.data.audio_decoding import AudioStream
from cohear.inference.classifier import load
torch.set_num_threads(1)
classifier = load(sys.argv[1])
start_s, times_s = time.perf_counter(), [0.0, 0.0]
for path in sys.argv[2:]:
    for _ in AudioStream(path, classifier.sample_rate): ...
times_s[0] = time.perf_counter() - start_s
for path in sys.argv[2:]:
    for _ in classifier.listen(path): ...
times_s[1] = time.perf_counter() - start_s - times_s[0]
print(*times_s)
"""


def make_recordings(folder: Path, hours: float) -> list[Path]:
    """Write noise whose level comes and goes."""
    rng, n, paths = np.random.default_rng(0), MINUTES * 60 * RATE, list[Path]()
    folder.mkdir(parents=True)
    for number in range(round(hours * 60 / MINUTES)):
        level = 0.1 * np.abs(np.sin(np.arange(n) * (0.1 + 0.01 * number) / RATE))
        paths.append(folder / f"{number:03}.flac")
        soundfile.write(paths[-1], level * rng.standard_normal(n), RATE)
    return paths


def make_sounds(folder: Path) -> Path:
    """Write clips of four labels in as many folds as the grid has runs, a second each."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    lines = ["path,label,fold"]
    for fold in range(1, N_RUNS + 1):
        for number in range(24):
            hz = 300 * 2 ** (number % 4)
            tone = 0.2 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000) + 0.1 * rng.standard_normal(16000)
            soundfile.write(folder / f"{fold}-{number}.wav", tone, 16000)
            lines.append(f"{fold}-{number}.wav,{hz},{fold}")
    (folder / "sounds.csv").write_text("\n".join(lines))
    return folder / "sounds.csv"


def cohear(*words: object) -> float:
    """Give a command, and return the seconds it took."""
    start_s = time.perf_counter()
    given = [sys.executable, "-m", "cohear", *map(str, words)]
    said = subprocess.run(
        given, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    if said.returncode:
        sys.exit(f"{' '.join(given)}: {said.stderr[-2000:]}")
    return time.perf_counter() - start_s


def measure_grid(executors: Sequence[str], folder: Path, sounds: Path) -> str:
    """Time a grid by each, and count what a run takes more than in one process."""
    rows, base_s = list[tuple[str, ...]](), 0.0
    for name in executors:
        for jobs in (1, 2):
            out = folder / f"runs-{name}-{jobs}"
            took_s = cohear("crossval", sounds, *TRAINING, "--executor", name, "--jobs", jobs, "--out", out)
            base_s = base_s or took_s
            more = f"{(took_s * jobs - base_s) / N_RUNS:+.1f}"
            rows.append((name, str(jobs), f"{took_s:.0f}", f"{3600 * N_RUNS / took_s:.0f}", more))
    header = ("executor", "workers", "seconds", "runs an hour", "more a run and worker, s")
    return f"{N_RUNS} runs of 6 epochs of 192 clips:\n\n{markdown_table(header, rows)}"


def measure_listening(
    executors: Sequence[str], folder: Path, run: Path, recordings: Sequence[Path], n_rounds: int
) -> str:
    """Time the hearing of recordings by each, round by round beside a loop over them; return medians."""
    hours, half = len(recordings) * MINUTES / 60, recordings[: len(recordings) // 2]
    words = [sys.executable, "-c", _ONE_PROCESS, str(run), *map(str, recordings)]
    decoding_s, loop_s, of_call = list[float](), list[float](), dict[tuple[str, int], list[tuple[float, float]]]()
    for round_ in range(n_rounds):
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        decoding_s.append(float(said.split()[0]))
        loop_s.append(float(said.split()[1]))
        for name, jobs in ((name, jobs) for name in executors for jobs in (1, 2)):
            half_s, all_s = (
                cohear(
                    *("predict", run, *some, "--parquet", folder / f"heard-{name}-{jobs}-{len(some)}-{round_}"),
                    *("--executor", name, "--jobs", jobs),
                )
                for some in (half, recordings)
            )
            one_s = (all_s - half_s) / (len(recordings) - len(half))
            of_call.setdefault((name, jobs), []).append((one_s, all_s - one_s * len(recordings)))
    rows = [
        ("decoding alone", "1", "", f"{hours / median(decoding_s) * 3600:.0f}", ""),
        ("a loop, once all is loaded", "1", "", f"{hours / median(loop_s) * 3600:.0f}", "1.00"),
    ]
    for (name, jobs), calls in of_call.items():
        ratios = [one_s * jobs * len(recordings) / its_s for (one_s, _), its_s in zip(calls, loop_s, strict=True)]
        rate, start_s = MINUTES * 60 / median(one_s for one_s, _ in calls), median(start_s for _, start_s in calls)
        spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if n_rounds > 1 else ""
        rows.append((name, str(jobs), f"{start_s:.0f}", f"{rate:.0f}", f"{median(ratios):.2f}{spread}"))
    header = (
        "executor",
        "workers",
        "start, s",
        "hours of sound an hour, once begun",
        "a worker's time over the loop's",
    )
    return f"{len(recordings)} recordings of {MINUTES} minutes:\n\n{markdown_table(header, rows)}"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", default="local,ray", help="whom to ask")
    parser.add_argument("--hours", type=float, default=4.0, help="of sound")
    parser.add_argument("--rounds", type=int, default=1, help="of hearing, of which the medians are told")
    asked = parser.parse_args()
    names = asked.executors.split(",")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["COHEAR_CACHE"] = str(folder / "cache")
        sounds = make_sounds(folder / "sounds")
        cohear("train", sounds, *TRAINING, "--fold", "1", "--out", folder / "run")  # it fills the caches too
        print(measure_grid(names, folder, sounds), flush=True)
        recordings = make_recordings(folder / "night", asked.hours)
        print(f"\n{measure_listening(names, folder, folder / 'run', recordings, asked.rounds)}")


if __name__ == "__main__":
    main()
