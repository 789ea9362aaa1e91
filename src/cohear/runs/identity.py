"""Which run is which, what it is called, and whether a folder may be used for it.

The same identity means the same result, so a finished run need not be made again. A folder belongs to one run, and to
one process at a time.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cohear.errors import UserError
from cohear.runs.config import (
    ENCODER_FACTS,
    FIELDS,
    IN_NAME,
    REPLICATES,
    SCHEDULES,
    VALIDATION_SHARE,
    Config,
    MethodName,
    change,
    differences,
    setting_values,
)
from cohear.runs.presets import PRESETS, scale_schedules
from cohear.runs.run import Record, Run
from cohear.runtime import disk
from cohear.runtime.files import check_writable, explain_disk_errors, remove_partials
from cohear.training.checkpoints import checkpoint_folder
from cohear.transforms.recipes import parse_recipe

NUMERICS = 2
"""Raised whenever a change of the code alters losses."""

ENCODER_SETTLED = frozenset(f"encoder.{name}" for name in ("file", *ENCODER_FACTS))
"""What the file decides; a run's name has that of the file."""
TRANSFORM_NAMES = {
    "none": "No Augmentation",
    "pitch": "Pitch-Shift",
    "reverb": "Reverb",
    "masking": "TF-Masking",
    "combination": "Combination",
}
METHOD_SUFFIXES: dict[MethodName, str] = {"standard": "", "bda": "-BDA", "consistency": "-CL"}
ONE_READ = " (one)"
"""Of `standard`, where it hears one signal of each clip in an epoch."""


def identify(config: Config, data_fingerprint: str, contents: dict[str, str]) -> str:
    """Hash all that can change a run's result: 16 hexadecimal digits.

    Of the settings these are the ones that can change a result and that differ from the defaults, so that a setting
    which is added later leaves the identities of earlier runs as they are.

    Args:
        config: resolved.
        data_fingerprint: of clips, labels, folds and their order.
        contents: hashes of what settings name and do not tell: the weights of `training.initial_run`, recorded rooms.
            These count by their contents alone, wherever they lie.
    """
    settings = {**differences(config, Config()), "training.initial_run": None}
    settings["views.transform"] = parse_recipe(config.views.transform).text(names_sounds=False)
    hashed = {"settings": settings, "contents": contents, "data": data_fingerprint, "numerics": NUMERICS}
    return hashlib.blake2b(json.dumps(hashed, sort_keys=True).encode(), digest_size=8).hexdigest()


def identify_experiment(config: Config, data_fingerprint: str, contents: dict[str, str]) -> str:
    """Hash what runs on other folds and seeds have in common; arguments as for `identify`."""
    return identify(change(config, {name: FIELDS[name].default for name in REPLICATES}), data_fingerprint, contents)


def model_name(config: Config) -> str:
    """Name a configuration's method and transform: as the paper does, or by the recipe, as `noise+pitch-CL`.

    The paper has one name for the two readings of standard augmentation; that which hears one signal of each clip in an
    epoch is `Reverb (one)`.
    """
    transform, suffix = config.views.transform, METHOD_SUFFIXES.get(config.method, "")
    if config.method == "standard" and config.views.standard_reads == "one":
        suffix = ONE_READ
    return TRANSFORM_NAMES.get(transform, transform) + suffix


def readable_name(config: Config, model: str, dataset: str) -> str:
    """Name a run folder: data, model, fold, and what was chosen otherwise than the preset has it.

    Args:
        config: resolved.
        model: the paper's name of the model.
        dataset: the name of the data.
    """
    preset = PRESETS.get(config.preset, Config)()
    epochs = config.training.epochs
    parts = [_short(dataset.lower()), _short(model.lower()), f"fold{config.fold}"]
    parts += [f"seed{config.seed}"] * (config.seed != 0) + [config.preset] * (config.preset != "paper")
    parts += [f"epochs={epochs}"] * (epochs != preset.training.epochs)
    of_file = config.encoder.file or config.network.folder
    parts += [] if of_file is None else [_short(Path(of_file).name.removesuffix(".onnx"))]
    scaled = min((preset, scale_schedules(preset, epochs)), key=lambda base: len(differences(config, base)))
    for name, value in differences(config, scaled).items():
        is_usual = name == "data.validation_share" and value == VALIDATION_SHARE  # nobody chose it
        is_settled = name == "training.precision" and preset.training.precision == "auto"
        is_settled |= name.startswith("front_end.") and config.data.sample_rate != preset.data.sample_rate
        is_settled |= name in ENCODER_SETTLED
        is_settled |= config.network.folder is not None and name in ("network.name", "network.architecture")
        if name not in {*IN_NAME, "training.epochs", "data.background"} and not is_usual and not is_settled:
            parts.append(f"{name.split('.')[-1]}={_short(value)}")
    return "_".join(filter(None, parts))[:150]


def free_name(parent: Path, name: str, identity: str) -> Path:
    """Return a run folder of that name, or of one with digits of the identity where another run has the name."""
    folder = parent / name
    try:
        is_free = not Run(folder).is_begun or Run(folder).record.identity == identity
    except UserError:  # damaged, and so not this run's
        is_free = False
    return folder if is_free else parent / f"{name}_{identity[:4]}"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-")


class InUseError(UserError):
    """Another process is at work in a folder."""


@contextmanager
def claimed(run: Run, record: Record, *, resume: bool) -> Iterator[bool]:
    """Make a folder this run's and keep other processes out of it, or find that the run is finished.

    Args:
        run: its folder may be missing or empty.
        record: of the run that wants it.
        resume: whether an unfinished run may go on.

    Yields:
        True where the run is finished and need not be made again.

    Raises:
        UserError: where the folder holds another run, something else, or an unfinished run without `resume`, or
            another process is at work there.
    """
    is_begun = check_folder(run, record, resume=resume)
    if is_begun and run.is_finished:
        yield True
        return
    with explain_disk_errors(run.folder):
        disk.make_folder(run.folder)
    with locked(run.folder):
        if not check_folder(run, record, resume=resume or not is_begun):  # another process may have come between
            run.write_record(record)
        yield run.is_finished


def check_folder(run: Run, record: Record, *, resume: bool) -> bool:
    """Refuse a folder that cannot be this run's; say whether the run was begun there.

    Raises:
        UserError: as `claimed`.
    """
    folder = run.folder
    if not run.is_begun:
        check_place(folder)
        return False
    there = run.record
    if there.identity != record.identity:
        raise UserError(f"'{folder}' is a run made {_otherwise(there, record)}; choose another --out")
    if not run.is_finished and not resume:
        with _lock(folder):  # where somebody is at it, that is what to say
            pass
        raise UserError(f"'{folder}' is an unfinished run; add --resume to go on with it, or choose another --out")
    if not (run.covers(record.track) if run.is_finished else there.track == record.track):
        raise UserError(
            f"'{folder}' is a run that is measured --track {there.track}, not {record.track}; give --track "
            f"{there.track}, or choose another --out"
        )
    return True


def check_place(folder: Path) -> None:
    """Refuse a folder, not that of a run, in which none can be made.

    Raises:
        UserError: where it holds something else, is a file, or cannot be made or written.
    """
    with explain_disk_errors(folder):
        entries = os.listdir(folder) if os.path.lexists(folder) else []
    foreign = sorted(name for name in entries if not name.endswith((".partial", ".lock")))
    if foreign:
        raise UserError(f"'{folder}' holds '{foreign[0]}' and no config.json, so it is no run; choose another --out")
    check_writable(folder)


def check_parent(folder: Path) -> None:
    """Refuse a place below which no run folders can be made.

    Raises:
        UserError: where it is a run folder itself, or a file, or cannot be made or written.
    """
    with explain_disk_errors(folder):
        if os.path.lexists(folder):
            os.listdir(folder)
    if Run(folder).is_begun:
        raise UserError(
            f"'{folder}' is the folder of one run, and these need one that holds theirs; choose another --out"
        )
    check_writable(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder, and clear away what a killed one left half-written.

    The lock is the operating system's: it is free as soon as the process that held it is no more.

    Raises:
        UserError: where another process is at work there, or its checkpoints lie elsewhere.
    """
    with _lock(folder):
        for inside in (folder, checkpoint_folder(folder)):
            remove_partials(inside)
        yield


def _lock(folder: Path) -> AbstractContextManager[object]:
    lock = folder / ".lock"
    with explain_disk_errors(folder):
        if lock.is_symlink():  # filelock refuses it too, and does not say so
            raise UserError(f"'{lock}' is a link; remove it, then give the same command again")
        try:
            return FileLock(lock, timeout=0).acquire()
        except Timeout as error:
            said = f"another process is working on '{folder}'; wait for it or choose another --out"
            raise InUseError(said) from error


def _otherwise(there: Record, now: Record) -> str:
    """Say in which setting that can change a result or its clips two runs differ, or in what else."""
    theirs, ours = setting_values(there.config), setting_values(now.config)
    of_data = [name for name in ours if name.startswith("data.") and theirs[name] != ours[name]]
    if changed := [*differences(there.config, now.config), *of_data]:
        if "encoder.digest" in changed:
            return "with another encoder file than the one given now"
        changed.sort(key=lambda name: name in SCHEDULES)  # which --epochs changes along
        return f"by other settings: {changed[0]} is {theirs[changed[0]]} there and {ours[changed[0]]} now"
    if there.data_fingerprint != now.data_fingerprint:
        return f"of other data: '{there.data_path}' is not, or no longer, what was given now"
    if changed := [name for name, digest in now.contents.items() if there.contents.get(name) != digest]:
        return f"with other contents of {changed[0]}"
    return "by another version of cohear, or its config.json was changed"
