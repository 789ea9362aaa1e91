"""The same everywhere: on each Python, processor and version of torch, by one process or two, and once more."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from faults.pythons import make_environment, pythons_at_hand, pythons_with_torch
from faults.remaking import cohear, command_of
from faults.tally import Tally
from tiny import OPTIONS, write_classes, write_tones
from training.ranks import compare

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src"
_BOUNDS = {"double": 1e-5, "single": 1e-5, "log_mel_db": 1e-4}
GRADIENT_BOUND = 1e-5


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Try all of it; `quick` makes two runs again instead of five, and two kinds of processors are imitated of four."""
    versions = sorted(pythons_at_hand())
    yield _each_python(scratch / "pythons", quick, "numpy", versions)
    if not quick:
        before_3_13 = [version for version in versions if tuple(map(int, version.split(".")[:2])) < (3, 13)]
        yield _each_python(scratch / "pythons-1.26", quick, "numpy==1.26.*", before_3_13)
    yield from _each_processor(quick)
    yield _one_process_or_two(scratch / "ranks")
    yield _made_again(scratch / "again", quick)


def _each_python(folder: Path, quick: bool, numpy: str, versions: Sequence[str]) -> Tally:
    """Compare keys and splits with the golden ones in fresh environments without torch.

    Args:
        folder: where the environments are made.
        quick: wait less for packages.
        numpy: which of its versions, as `numpy==1.26.*`.
        versions: of Python.
    """
    tally = Tally(
        f"Keys, their numbers and splits are exactly the golden ones on each Python, without torch, with {numpy}",
        len(versions),
    )
    golden = json.loads((TESTS / "golden" / "keys_and_splits.json").read_text("utf-8"))
    pythons = pythons_at_hand()
    seen, missing = [], []
    for version in versions:
        made = make_environment(pythons[version], folder / version, numpy, limit_s=90 if quick else 300)
        if made is None:
            missing.append(version)
            continue
        command = [made, TESTS / "golden" / "keys_and_splits.py"]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            tally.judge(f"Python {version}", f"status {done.returncode}: {done.stderr[-300:]}")
            continue
        told = json.loads(done.stdout)
        changed = sorted(name for name in golden if told["found"].get(name) != golden[name])
        tally.judge(f"Python {version}", f"other {', '.join(changed)}" if changed else None)
        seen.append(f"{version} with numpy {told['numpy']}")
        shutil.rmtree(folder / version)
    tally.figures = f"Python {', '.join(seen)}" + (f"; no packages for {', '.join(missing)}" if missing else "")
    return tally


def _processors(quick: bool) -> dict[str, dict[str, str]]:
    """Return variables under which the numerical libraries compute as on other processors."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    newest = " ".join(name for name in extensions if "512" in name or name == "X86_V4")
    kinds = {
        "this one": {},
        "without AVX2": {
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "NPY_DISABLE_CPU_FEATURES": " ".join(extensions),
        },
        "without AVX-512": {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "NPY_DISABLE_CPU_FEATURES": newest,
        },
        "two threads": {"OMP_NUM_THREADS": "2"},
    }
    return dict(list(kinds.items())[:2]) if quick else kinds


def _each_processor(quick: bool) -> Iterator[Tally]:
    pythons, processors = pythons_with_torch(), _processors(quick)
    n = len(pythons) * len(processors)
    drawn = Tally("Drawn parameters, keys and splits are exactly the golden ones on each processor and torch", n)
    near = {
        "double": Tally("Waveforms in double precision are within 1e-5 of full scale of the golden ones", n),
        "single": Tally(
            "Waveforms in single precision, but for those whose pitch is shifted, are within 1e-5 of full scale of the "
            "golden ones",
            n,
        ),
        "log_mel_db": Tally("Log-mels are within 1e-4 dB of the golden ones", n),
    }
    versions, shifted, largest = [], [], {}
    for version, python in pythons.items():
        for kind, variables in processors.items():
            environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{TESTS}", **variables}
            command = [python, "-W", "ignore", "-m", "golden.differences"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
            case = f"{kind}, torch {version}"
            if done.returncode:
                drawn.judge(case, f"status {done.returncode}: {done.stderr[-300:]}")
                continue
            told = json.loads(done.stdout)
            versions.append(told["versions"])
            shifted.append(told["shifted"])
            drawn.judge(case, f"other {', '.join(told['changed'])}" if told["changed"] else None)
            for name, tally in near.items():
                tally.judge(case, None if told[name] <= _BOUNDS[name] else f"{told[name]:.1e}")
                largest[name] = max(told[name], largest.get(name, 0.0))
    drawn.figures = "; ".join(dict.fromkeys(versions))
    for name, tally in near.items():
        tally.figures = f"at most {largest.get(name, np.nan):.1e}"
    near["single"].figures += f"; those {max(shifted, default=np.nan):.1e}"
    yield from (drawn, *near.values())


def _one_process_or_two(folder: Path) -> Tally:
    tally = Tally("One process and two have the same gradients within 1e-5, batch-norm statistics frozen", 13)
    found = compare(folder)
    for step, difference in found["frozen"].items():
        tally.judge(step, None if difference <= GRADIENT_BOUND else f"{difference:.1e}")
    training, losses = found["training, all weights"].values(), found["losses"].values()
    tally.figures = (
        f"at most {max(found['frozen'].values()):.1e}; batch norm training, with statistics of half a batch each, "
        f"gradients of a step differ by up to {max(training):.0%}, losses of an epoch by up to {max(losses):.0%}"
    )
    return tally


def _made_again(folder: Path, quick: bool) -> Tally:
    first, again = folder / "first", folder / "again"
    write_tones(first / "tones")
    write_classes(first / "classes")
    write_classes(first / "several", several=True)
    own = [*OPTIONS, "--set", "data.clip_s=0.5"]
    chosen = ["--set", "objective.ramp_epochs=0", "--set", "views.pitch_semitones=-1,1.5", "--set", "network.width=0.1"]
    cases = {
        "a table with folds, two threads": (
            ["tones/tones.csv", *OPTIONS, *chosen, "--fold", "2", "--seed", "3"],
            {"OMP_NUM_THREADS": "2"},
        ),
        "a folder, weights, patience": (["classes", *own, "--balance", "sampling", "--patience", "1"], {}),
        "several labels": (["several/clips.csv", *own, "--balance", "weights", "--track", "end"], {}),
        "standard": (["tones/tones.csv", *OPTIONS, "--method", "standard", "--transform", "masking"], {}),
        "none, every clip": (["tones/tones.csv", *OPTIONS, "--method", "none", "--fold", "all"], {}),
    }
    if quick:
        cases = dict(list(cases.items())[:2])
    tally = Tally(
        "A run made again from its config.json and environment.json alone has the same bytes of weights", len(cases)
    )
    for case, (arguments, variables) in cases.items():
        run = first / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(again, ignore_errors=True)
        for data in ("tones", "classes", "several"):
            shutil.copytree(first / data, again / data)
        problem = cohear(["train", *arguments, "--out", "run"], first, {"OMP_NUM_THREADS": "1", **variables})
        if problem is None:
            told, variables = command_of(run)
            problem = cohear([*told, "--out", "run"], again, variables)
        weights = [folder / "model.safetensors" for folder in (run, again / "run")]
        if problem is None and weights[0].read_bytes() != weights[1].read_bytes():
            problem = "other weights"
        tally.judge(case, problem)
    return tally
