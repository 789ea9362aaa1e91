"""Names that would lead elsewhere, and links: nothing is read or written but what the command is there for."""

import csv
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib

from cohear.runs.trained_model import TrainedModel, read_packed
from faults.strangers.scene import OPTIONS, TRAIN, Command, copy_of, in_scene, uses
from faults.strangers.watched import Watched, blindness, mark_unread, was_read
from faults.tally import Tally

PACKED = "No label or name within a packed model becomes a part of a path, and nothing beside it is read"
LABELS = "No label, group or name of data becomes a part of a path, but for letters, digits and dashes of it"
LINKS = "Nothing is written through the links of a run folder that somebody else made"

NAMES = (
    *(
        "../escaped",
        "a/../../../escaped",
        "/escaped",
        "..\\..\\escaped",
        "C:\\escaped",
        "file:///etc/passwd",
        "..",
        ".",
    ),
    *("~/escaped", "$HOME/escaped", "$(touch escaped)", "; touch escaped", "-rf", "\u202egnp.exe", "x" * 300, "%s%n"),
)
"""Of files that do not exist, if all goes well."""
_SAFE = re.compile(r"[A-Za-z0-9._=,+-]{1,200}")
"""How a part of a path looks that cohear chose."""
_LIBRARIES = ("cohear-listen-", "gradio", "torchinductor_")
"""Folders of the system's for what is temporary; torch, imported before the command, has settled on its own there."""
_MADE = (
    *("tracks", "arrays", "made.onnx", "begun", "check.html", "check.json", "groups.csv", "runs", "evaluation.html"),
    *("evaluation.json", "cv", "comparison.html"),
)
"""What the commands below are there to make."""


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Try every promise on paths."""
    rounds = 1 if quick else 3
    sound = "sounds/tone0/0.wav"
    crossval = ("crossval", "named.csv", *OPTIONS, "--jobs", "1")  # processes have files of their own
    of_data: tuple[Command, ...] = (
        ("check", "named.csv", "--html", "check.html", "--json", "check.json", "--groups", "groups.csv"),
        ("train", "named.csv", *OPTIONS, "--track", "end", "--validation", "0.3", "--background", "{label}"),
        ("report", "runs"),
        ("pack", "{run}"),
        ("evaluate", "{run}", "named.csv", "--json", "evaluation.json"),
        ("predict", "{run}", sound, "--format", "audacity", "--out", "tracks"),
        (*crossval, "--set", "data.n_folds=2", "--background", "{label}", "--out", "cv"),
        ("compare", "cv"),
    )
    for promise, commands in ((PACKED, uses("model.cohear")), (LABELS, of_data)):
        tally = Tally(promise, 1 + rounds * len(commands))
        tally.judge("a file that is read on purpose", blindness(scratch))
        for turn in range(rounds):
            three = [NAMES[(5 * turn + k) % len(NAMES)] for k in range(3)]
            with _watched_place(scene, scratch) as (place, secret):
                _rename_packed(place / "model.cohear", three)
                _write_table(place, three)
                for command in commands:
                    run = next((place / "runs").glob("*"), place).relative_to(place)
                    words = tuple(word.format(label=three[0], run=run) if word[0] == "{" else word for word in command)
                    before = _tree(place)
                    seen = in_scene(place, words)
                    new = {name for name in before ^ _tree(place) if not name.startswith("cache")}
                    status = 0 if command[0] in ("train", "load", "predict") else None
                    problem = _problem(seen, new - {f"{run.name}.cohear"}, place, secret, status)
                    tally.judge(f"labels {three!r:.100}, {' '.join(words)[:60]}", problem)
        yield tally
    yield _links(scene, scratch, quick)


def _problem(seen: Watched, new: set[str], place: Path, secret: Path, status: int | None) -> str | None:
    """Say what was touched that is none of a command's."""
    fonts = matplotlib.get_cachedir()  # which the harness asks for itself
    allowed = (str(place), fonts, *(str(Path(tempfile.gettempdir()) / name) for name in _LIBRARIES))
    if away := [path for path in (*seen.opened, *seen.changed) if not path.startswith(allowed)]:
        return f"it touched {away[0]}"
    beside = {path.name for path in place.parent.iterdir()} | {path.name for path in secret.parent.iterdir()}
    if beside != {place.name, secret.name} or was_read(secret):
        return f"the secret was read, or there is more than it: {sorted(beside)}"
    for name in sorted(new):
        first, *_ = parts = name.split("/")
        if first not in _MADE or not all(map(_SAFE.fullmatch, parts)):
            return f"it made {name!r:.200}"
    if seen.ran:
        return f"something was run: {seen.ran[0]}"
    if seen.traceback or seen.status not in ((0, 2) if status is None else (status,)):
        return f"status {seen.status}: {seen.traceback or seen.said[-300:]}"
    return None


def _links(scene: Path, scratch: Path, quick: bool) -> Tally:
    """Put links in place of a run's files, and go on with the run."""
    go_on = (*TRAIN, "--validation", "0.3", "--resume", "--out", "unfinished")
    cases: list[tuple[str, Command]] = [
        *((f"run/{name}", ("report", "run")) for name in ("report.html", ".lock")),
        *((f"unfinished/{name}", go_on) for name in (".lock", "history.jsonl", "environment.json", "metrics.json")),
        *((f"unfinished/{name}", go_on) for name in ("model.safetensors", "report.html", "predictions.safetensors")),
        *((f"unfinished/{name}", go_on) for name in ("config.json", "checkpoint")),
    ]
    cases = cases[::6] if quick else cases
    tally = Tally(LINKS, 2 * len(cases))
    for name, command in cases:
        for dangling in (False, True):
            with _watched_place(scene, scratch) as (place, secret):
                target = secret.with_name("dangling") if dangling else secret
                target = secret.parent if name.endswith("checkpoint") else target
                before = secret.read_bytes()
                shutil.rmtree(place / name) if (place / name).is_dir() else (place / name).unlink(missing_ok=True)
                (place / name).symlink_to(target)
                seen = in_scene(place, command)
                others = [path.name for path in secret.parent.iterdir() if path != secret]
                problem = "it was written through" if secret.read_bytes() != before or others else None
                if seen.traceback or seen.status not in (0, 2):
                    problem = problem or f"status {seen.status}: {seen.traceback}"
                tally.judge(f"{name} -> {'nowhere' if dangling else 'a file'}, {command[0]}", problem)
    return tally


@contextmanager
def _watched_place(scene: Path, scratch: Path) -> Iterator[tuple[Path, Path]]:
    """Lend a copy of the scene, and a secret beside it that nobody may touch."""
    outside = scratch / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir()
    secret = outside / "secret.wav"
    shutil.copy(scene / "sounds/tone0/0.wav", secret)
    mark_unread(secret)
    with copy_of(scene, scratch / "copy" / "of") as place:
        yield place, secret


def _tree(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


def _rename_packed(packed: Path, names: Sequence[str]) -> None:
    """Name a packed model's labels, data set, model and all else that is text."""
    model = read_packed(packed)
    about, calibration = model.description, model.description.calibration
    thresholds = dict(zip(names, calibration.thresholds.values(), strict=False))
    first = {"dataset": names[0], "model": names[1], "preset": names[2], "identity": names[0], "warnings": tuple(names)}
    changes = {
        "classes": tuple(names),
        "provenance": about.provenance.model_copy(update={**first, "versions": {names[0]: names[1]}}),
        "calibration": type(calibration)(
            calibration.temperature, thresholds, calibration.precision, calibration.n_clips
        ),
    }
    packed.write_bytes(TrainedModel(about.model_copy(update=changes), model.weights, names[0]).to_bytes())


def _write_table(place: Path, labels: Sequence[str]) -> None:
    """List the sounds with other labels and groups."""
    with open(place / "named.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, label in enumerate(labels):
            sounds = sorted((place / "sounds" / f"tone{number}").iterdir())
            writer.writerows([f"sounds/tone{number}/{its.name}", label, f"{label}{its.name}"] for its in sounds)
