"""A table to train on, in which what belongs together has one group."""

import csv
import io
import os
from pathlib import Path

from cohear.data.check.recording_groups import Kinship, divided
from cohear.data.clips import SEPARATOR
from cohear.data.containment import is_beneath
from cohear.data.datasets import Dataset
from cohear.errors import UserError


def sounds_folder(dataset: Dataset, kinship: Kinship, folder: Path) -> Path:
    """Choose to which folder the paths of a table are relative, as it must hold every sound with links followed.

    Args:
        dataset: the clips'.
        kinship: of the clips that are listed.
        folder: where the table will lie, which is chosen where it can be; else --sounds has to name the other one.
    """
    files = [os.path.realpath(dataset.root / one.clip.path) for one in kinship.heard]
    for chosen in (folder, dataset.root):
        if all(is_beneath(file, os.path.realpath(chosen)) for file in files):
            return chosen
    return Path(os.path.commonpath([os.path.dirname(file) for file in files]))


def groups_table(dataset: Dataset, kinship: Kinship, folder: Path) -> str:
    """Write a CSV with path, label and group, and what else the clips have, that keeps together what belongs together.

    Folds that the data brought are kept where they divide no group, else left out.

    Args:
        dataset: the clips'.
        kinship: of the clips that can be used; others are left out.
        folder: from `sounds_folder`; paths are relative to it.

    Raises:
        UserError: where a label holds a semicolon, which in a table separates labels.
    """
    clips, groups = [one.clip for one in kinship.heard], kinship.groups
    for clip in clips:
        if SEPARATOR in clip.label and not clip.multi_label:
            raise UserError(f"the label '{clip.label}' cannot stand in a table, where '{SEPARATOR}' separates labels.")
    columns = ["path", "label", "group"]
    keeps_folds = dataset.brings_folds and not divided(groups, [clip.fold for clip in clips])
    columns += ["fold"] if keeps_folds else []
    columns += ["start", "end"] if any(clip.start_s is not None or clip.end_s is not None for clip in clips) else []
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for clip, group in zip(clips, groups, strict=True):
        path = Path(os.path.relpath(dataset.root / clip.path, folder))
        if path.parts[0] == "..":  # a link leads there
            path = Path(os.path.relpath(os.path.realpath(dataset.root / clip.path), os.path.realpath(folder)))
        path = path.as_posix()
        path = f"./{path}" if path[0].isspace() else path  # readers leave out the blanks before a value
        times = {"start": clip.start_s, "end": clip.end_s}
        label = f"{clip.label}{SEPARATOR}" if dataset.multi_label else clip.label
        table.writerow({"path": path, "label": label, "group": group, "fold": clip.fold, **times})
    return text.getvalue()
