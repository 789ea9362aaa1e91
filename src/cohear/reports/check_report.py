"""What was found in a data set: on one screen, as a page for people, and as JSON for programs."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cohear.data.check.check import SEVERITIES, Check, Finding, Item, can_train
from cohear.data.check.survey import Counts, Overview
from cohear.data.clips import Clip
from cohear.data.wording import counted, duration_text, some
from cohear.reports.pages import printable, write_page

SCHEMA = 1
"""Raised whenever the JSON changes in what a program may rely on."""
_N_LABELS = 20
_N_ITEMS = {"error": 5, "warning": 3, "note": 2}
"""How many labels, and things that a finding is about, are named on the screen; the page has all."""


def to_screen(check: Check, width: int = 80) -> str:
    """Write what was found as text, for a screen of at least 40 columns."""
    name, overview = printable(check.dataset.name), check.overview
    can = "can" if can_train(check.findings) else "cannot"
    counts = severity_counts(check.findings) or "nothing was found wrong"
    facts = [f"{counted(overview.n_clips, 'clip')} in {counted(overview.n_files, 'file')}"]
    if overview.labels:
        lengths, *properties, training = _facts(check).values()
        facts[0] += f", {duration_text(overview.duration_s)} in all, {lengths}"
        facts += [_labels_text(overview), "; ".join(properties), f"training: {training}"]
    lines = [*textwrap.wrap(f"{name}: training {can} start; {counts}", width)]
    lines += [line for fact in facts for line in _hanging("", fact, width, indent=2)]
    return "\n".join([*lines, "", *(line for finding in check.findings for line in _block(finding, width))]).rstrip()


def write_check_page(path: Path, name: str, findings: Sequence[Finding], check: Check | None) -> Path:
    """Write the page of a check.

    Args:
        path: where it goes.
        name: of the data set.
        findings: the most important first.
        check: all that was found; None where the data could not be listed.

    Raises:
        UserError: where the place cannot be written.
    """
    return write_page(
        path,
        "check.html",
        name=name,
        can_train=can_train(findings),
        counts=severity_counts(findings),
        findings=findings,
        detail=_detail,
        overview=check and check.overview,
        facts=check and _facts(check),
    )


def check_json(name: str, findings: Sequence[Finding], check: Check | None) -> dict[str, Any]:
    """Return plain values: whether training can start, the findings with all they are about, the numbers, each clip.

    Args:
        name: of the data set.
        findings: the most important first.
        check: all that was found; None where the data could not be listed.
    """
    return {
        "schema": SCHEMA,
        "dataset": name,
        "can_train": can_train(findings),
        "findings": [asdict(finding) for finding in findings],
        "overview": None if check is None else asdict(check.overview),
        "training": None if check is None else asdict(check.form),
        "clips": [] if check is None else _clips(check),
    }


def severity_counts(findings: Iterable[Finding]) -> str:
    """Count findings by severity, such as `1 error, 2 warnings`."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(counted(counts[severity], severity) for severity in SEVERITIES if counts[severity])


def _lengths_text(overview: Overview) -> str:
    if overview.longest_s - overview.shortest_s < 0.01:
        return f"{duration_text(overview.longest_s)} each"
    shortest, longest = duration_text(overview.shortest_s), duration_text(overview.longest_s)
    return f"{shortest} to {longest} (median {duration_text(overview.median_s)})"


def _counts_text(counts: Counts) -> str:
    """Write values with the number of clips that have them, or the only one alone."""
    if len(counts) == 1:
        return printable(counts[0][0])
    return ", ".join(f"{printable(value)} {n}" for value, n in counts)


def _training_text(check: Check) -> str:
    """Say what training will make of the clips."""
    form, overview = check.form, check.overview
    length = f" of {form.clip_s:g} s" if form.clip_s else ""
    clips = f"{counted(overview.n_windows, 'clip')}{length} at {form.sample_rate} Hz"
    if not overview.folds:
        return clips
    sizes = sorted(n for _, n in overview.folds)
    each = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    its = "its " if check.dataset.brings_folds else ""
    return f"{clips}, in {its}{len(sizes)} folds of {each}"


def _labels_text(overview: Overview) -> str:
    """List the labels with their numbers of clips."""
    same = len({facts.n_clips for facts in overview.labels}) == 1
    names = [_label_text(facts.label) + ("" if same else f" {facts.n_clips}") for facts in overview.labels]
    each = f", {counted(overview.labels[0].n_clips, 'clip')} each" if same else ""
    without = f"; {counted(overview.n_unlabeled, 'clip')} without any" if overview.n_unlabeled else ""
    return f"{counted(len(names), 'label')}: {some(names, _N_LABELS)}{each}{without}"


def _label_text(label: str) -> str:
    """Write a label, in quotes where it would look like several."""
    return printable(f"'{label}'" if "," in label else label)


def _block(finding: Finding, width: int) -> list[str]:
    # Of a reason only what is the matter: its remedy stands behind all.
    texts = [": ".join(filter(None, (item.name, _detail(item).split(": ")[0]))) for item in finding.items]
    about = f" ({some(texts, _N_ITEMS[finding.severity])})." if texts else "."
    text = printable(f"{finding.sentence.removesuffix('.')}{about} {finding.remedy}")
    name = finding.severity.upper() if finding.severity == "error" else finding.severity
    return _hanging(name, text, width, indent=9)


def _hanging(name: str, text: str, width: int, indent: int) -> list[str]:
    """Wrap a text behind a name in the margin; words wider than the screen are torn."""
    first, others = f"{name:<{indent}}", " " * indent
    return textwrap.TextWrapper(width, first, others, break_on_hyphens=False).wrap(text.strip())


def _detail(item: Item) -> str:
    """Return the detail of an item without the path that a reason begins with."""
    return item.detail.removeprefix(f"{item.name.split('#')[0]} ")


def _clips(check: Check) -> list[dict[str, Any]]:
    heard = [
        {
            **_clip(one.clip),
            "group": group,
            **asdict(one.sound),
        }
        for one, group in zip(check.survey.heard, check.kinship.groups, strict=True)
    ]
    return heard + [{**_clip(one.clip), "reason": one.reason} for one in check.survey.unusable]


def _clip(clip: Clip) -> dict[str, Any]:
    span = {"start_s": clip.start_s, "end_s": clip.end_s}
    return {"path": clip.path, "labels": list(clip.labels), "fold": clip.fold, **span}


def _facts(check: Check) -> dict[str, str]:
    """Describe the sounds, and what training makes of them."""
    overview = check.overview
    return {
        "Lengths": _lengths_text(overview),
        "Sample rates": _counts_text(overview.sample_rates),
        "Channels": _counts_text(overview.channels),
        "File types": _counts_text(overview.file_types),
        "Training": _training_text(check),
    }
