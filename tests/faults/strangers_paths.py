"""Packed models and names that would lead elsewhere: nothing is read or written but what the command is there for."""

import csv
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cohear.experiments.packed_model import PackedModel, read_packed
from faults.strangers_scene import OPTIONS, TRAIN, Command, copy_of, in_scene
from faults.tally import Tally
from faults.watched import Watched, blindness, mark_unread, was_read

ARCHIVES = "A packed model with links or with entries of any name reads nothing but itself and writes nothing"
PACKED = "No label or name within a packed model becomes a part of a path"
LABELS = "No label, group or name of data becomes a part of a path, but for letters, digits and dashes of it"
LINKS = "Nothing is written through the links of a run folder that somebody else made"

NAMES = (
    *("../escaped", "../../escaped", "a/../../../escaped", "/escaped", "//escaped", "{outside}/escaped"),
    *("..\\..\\escaped", "C:\\escaped", "\\\\server\\escaped", "file:///etc/passwd", "%2e%2e%2fescaped"),
    *(".", "..", "~/escaped", "$HOME/escaped", "`touch escaped`", "$(touch escaped)", "; touch escaped", "-rf"),
    *("con", "a\nb", "a\tb", "a\rb", "a\0b", "\u202egnp.exe", "\u2024\u2024/escaped", "x" * 300, "*", "{0}", "%s%n"),
)
"""Of files that do not exist, if all goes well; `{outside}` stands for a folder beside the scene."""

_SAFE = re.compile(r"[A-Za-z0-9._=,+-]{1,200}")
"""How a part of a path looks that cohear chose."""


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Try every promise on paths."""
    outside = scratch / "outside"
    outside.mkdir()
    names = [name.replace("{outside}", str(outside)) for name in NAMES]
    yield _archives(scene, scratch, names[:8] if quick else names)
    yield _packed(scene, scratch, names, 1 if quick else 3)
    yield _labels(scene, scratch, names, quick)
    yield _links(scene, scratch, quick)


def _archives(scene: Path, scratch: Path, names: Sequence[str]) -> Tally:
    """Give packed files an entry of every name, and entries that are links."""
    commands = _uses("model.cohear")
    kinds = ("beside", "as a link", "in place of the card")
    tally = _begun(ARCHIVES, len(names) * len(kinds), scratch)
    for turn, name in enumerate(names):
        for number, kind in enumerate(kinds):
            command = commands[(turn + number) % len(commands)]
            with _watched_place(scene, scratch) as (place, secret):
                _spoil(place / "model.cohear", name, kind, secret)
                seen, new = _do(place, command)
                tally.judge(f"{name[:60]!r} {kind}, {command[0]}", _problem(seen, new, (), place, secret, status=2))
    return tally


def _packed(scene: Path, scratch: Path, names: Sequence[str], rounds: int) -> Tally:
    """Name labels, data and model of a packed file after paths, and use it."""
    made = {
        ("predict", "--embeddings", "arrays"): {"arrays", "arrays/0.npy"},
        ("predict", "--format", "raven"): {"tracks", "tracks/0.Table.1.selections.txt"},
        ("predict", "--format", "audacity"): {"tracks", "tracks/0.txt"},
    }
    commands = _uses("model.cohear")
    tally = _begun(PACKED, rounds * len(commands), scratch)
    for turn in range(rounds * len(commands)):
        command = commands[turn % len(commands)]
        three = [names[(3 * turn + k) % len(names)] for k in range(3)]
        expected = next((its for words, its in made.items() if set(words) <= {*command}), set())
        if command[0] == "export":
            expected = {"made.onnx"}
        with _watched_place(scene, scratch) as (place, secret):
            _rename_packed(place / "model.cohear", three)
            seen, new = _do(place, command)
            begun = () if "--init" not in command else ("begun",)
            problem = _problem(seen, new - expected, begun, place, secret)
            if not problem and not expected <= new:
                problem = f"only {sorted(new)} were written"
            tally.judge(f"labels {three!r:.100}, {' '.join(command)[:60]}", problem)
    return tally


def _labels(scene: Path, scratch: Path, names: Sequence[str], quick: bool) -> Tally:
    """Train on labels and groups that are paths, and use the run in every way."""
    usable = [name for name in names if not re.search(r"[\n\r\t\0]", name)]  # which data may not have
    rounds = 1 if quick else 4
    commands: tuple[Command, ...] = (
        ("check", "named.csv", "--html", "check.html", "--json", "check.json", "--groups", "groups.csv"),
        ("train", "named.csv", *OPTIONS, "--track", "end", "--validation", "0.3", "--background", "{label}"),
        ("report", "runs"),
        ("pack", "{run}"),
        ("evaluate", "{run}", "named.csv", "--json", "evaluation.json"),
        ("predict", "{run}", "sounds/tone0/0.wav", "--format", "audacity", "--out", "tracks"),
        ("predict", "{run}", "sounds/tone0/0.wav", "--embeddings", "arrays"),
        ("crossval", "named.csv", *OPTIONS, "--set", "data.n_folds=2", "--background", "{label}", "--out", "cv"),
        ("compare", "cv"),
    )
    mine = ("check.html", "check.json", "groups.csv", "runs", "evaluation.html", "evaluation.json", "tracks", "arrays")
    mine += ("cv", "comparison.html")
    tally = _begun(LABELS, rounds * len(commands), scratch)
    for turn in range(rounds):
        three = [usable[(3 * turn + k) % len(usable)] for k in range(3)]
        with _watched_place(scene, scratch) as (place, secret):
            _write_table(place, three)
            for command in commands:
                run = next((place / "runs").glob("*"), place).relative_to(place)
                words = tuple(word.format(label=three[0], run=run) if word[0] == "{" else word for word in command)
                seen, new = _do(place, words)
                packed = (f"{run.name}.cohear",) if command[0] == "pack" else ()
                status = 0 if command[0] == "train" else None  # or nothing would follow
                problem = _problem(seen, new, (*mine, *packed), place, secret, status)
                tally.judge(f"labels {three!r:.100}, {command[0]}", problem)
    return tally


def _links(scene: Path, scratch: Path, quick: bool) -> Tally:
    """Put links in place of a run's files, and go on with the run."""
    go_on = (*TRAIN, "--validation", "0.3", "--set", "data.pitch_cache=true", "--resume", "--out", "run")
    again: tuple[Command, ...] = (("report", "run"), ("pack", "run", "made.cohear"), go_on)
    unfinished = ((*go_on[:-1], "unfinished"),)
    cases: list[tuple[str, tuple[Command, ...]]] = [
        *((f"run/{name}", again) for name in ("report.html", "predictions.csv", ".lock", "history.jsonl")),
        *((f"unfinished/{name}", unfinished) for name in (".lock", "history.jsonl", "environment.json")),
        *((f"unfinished/{name}", unfinished) for name in ("metrics.json", "model.safetensors", "report.html")),
        *(
            (f"unfinished/{name}", unfinished)
            for name in ("predictions.safetensors", "calibration.json", "config.json")
        ),
        ("unfinished/checkpoint", unfinished),
    ]
    cases = cases[1::5] if quick else cases
    ends = (False,) if quick else (False, True)
    tally = Tally(LINKS, len(ends) * sum(len(commands) for _, commands in cases))
    for name, commands in cases:
        for command in commands:
            for dangling in ends:
                with _watched_place(scene, scratch) as (place, secret):
                    target = secret.with_name("dangling") if dangling else secret
                    if name.endswith("checkpoint"):
                        target = secret.parent
                    before = secret.read_bytes()
                    shutil.rmtree(place / name) if (place / name).is_dir() else (place / name).unlink(missing_ok=True)
                    (place / name).symlink_to(target)
                    seen, _ = _do(place, command)
                    others = [path.name for path in secret.parent.iterdir() if path != secret]
                    problem = "it was written through" if secret.read_bytes() != before or others else None
                    if seen.traceback or seen.status not in (0, 2):
                        problem = problem or f"status {seen.status}: {seen.traceback}"
                    tally.judge(f"{name} -> {'nowhere' if dangling else 'a file'}, {command[0]}", problem)
    return tally


def _begun(promise: str, n_tries: int, scratch: Path) -> Tally:
    """Begin the tally of a promise that a secret is not read by a control: that a reading would be seen."""
    tally = Tally(promise, 1 + n_tries)
    tally.judge("a file that is read on purpose", blindness(scratch))
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


def _do(place: Path, command: Command) -> tuple[Watched, set[str]]:
    """Run a command, and list what is new or gone within the scene, but for its cache."""
    before = _tree(place)
    seen = in_scene(place, command)
    return seen, {name for name in before ^ _tree(place) if not name.startswith("cache")}


def _tree(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


def _problem(
    seen: Watched, new: set[str], mine: Sequence[str], place: Path, secret: Path, status: int | None = None
) -> str | None:
    """Say what was touched that is none of a command's; `mine` are folders and files that it makes."""
    allowed = (str(place), *(str(Path(tempfile.gettempdir()) / name) for name in ("cohear-listen-", "gradio")))
    if away := [path for path in (*seen.opened, *seen.changed) if not path.startswith(allowed)]:
        return f"it touched {away[0]}"
    beside = {path.name for path in place.parent.iterdir()} | {path.name for path in secret.parent.iterdir()}
    if beside != {place.name, secret.name} or was_read(secret):
        return f"the secret was read, or there is more than it: {sorted(beside)}"
    for name in sorted(new):
        first, *_ = parts = name.split("/")
        if first not in mine or not all(map(_SAFE.fullmatch, parts)):
            return f"it made {name!r:.200}"
    if seen.ran:
        return f"something was run: {seen.ran[0]}"
    if seen.traceback or seen.status not in ((0, 2) if status is None else (status,)):
        return f"status {seen.status}: {seen.traceback or seen.said[-300:]}"
    return None


def _uses(packed: str) -> tuple[Command, ...]:
    sound = "sounds/tone0/0.wav"
    return (
        ("load", packed),
        ("predict", packed, sound, "--top", "3"),
        ("predict", packed, sound, "--format", "jsonl"),
        ("predict", packed, sound, "--format", "audacity", "--out", "tracks"),
        ("predict", packed, sound, "--format", "raven", "--out", "tracks"),
        ("predict", packed, sound, "--embeddings", "arrays"),
        ("export", packed, "made.onnx"),
        ("listen", packed, "--port", "0", "--no-open"),
        (*TRAIN, "--init", packed, "--out", "begun"),
    )


def _spoil(packed: Path, name: str, kind: str, secret: Path) -> None:
    """Add an entry, or put a link in place of one."""
    with zipfile.ZipFile(packed) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(packed, "w") as archive:
        for entry, content in entries.items():
            if kind != "in place of the card" or entry != "README.md":
                archive.writestr(entry, content)
        info = zipfile.ZipInfo("entry")
        info.filename = name  # as it is: the constructor would tidy it
        if kind == "as a link":
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, str(secret))


def _rename_packed(packed: Path, names: Sequence[str]) -> None:
    """Name a packed model's labels, data set, model and all else that is text."""
    model = read_packed(packed)
    about = model.description
    calibration = about.calibration
    thresholds = dict(zip(names, calibration.thresholds.values(), strict=False))
    first = {"dataset": names[0], "model": names[1], "preset": names[2], "identity": names[0], "warnings": tuple(names)}
    provenance = about.provenance.model_copy(update={**first, "versions": {names[0]: names[1]}})
    changed = about.model_copy(
        update={
            "classes": tuple(names),
            "provenance": provenance,
            "calibration": type(calibration)(
                calibration.temperature, thresholds, calibration.precision, calibration.n_clips
            ),
        }
    )
    packed.write_bytes(PackedModel(changed, model.weights, names[0]).to_bytes())


def _write_table(place: Path, labels: Sequence[str]) -> None:
    """List the sounds with other labels and groups."""
    with open(place / "named.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, label in enumerate(labels):
            sounds = sorted((place / "sounds" / f"tone{number}").iterdir())
            writer.writerows([f"sounds/tone{number}/{its.name}", label, f"{label}{its.name}"] for its in sounds)
