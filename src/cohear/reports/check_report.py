"""What was found in a data set as a page for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cohear.data.check.check import Check
from cohear.data.check.finding import Finding, can_train
from cohear.data.clips import Clip
from cohear.data.wording import duration_text
from cohear.reports.check_text import (
    counts_text,
    lengths_text,
    printable,
    severity_counts,
    training_text,
    without_name,
)
from cohear.reports.pages import write_page

SCHEMA = 1
"""Raised whenever the JSON changes in what a program may rely on."""


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
        name=printable(name),
        can_train=can_train(findings),
        counts=severity_counts(findings),
        findings=[_shown(finding) for finding in findings],
        facts=None if check is None else _facts(check),
        labels=[] if check is None else _labels(check),
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


def _clips(check: Check) -> list[dict[str, Any]]:
    heard = [
        {
            **_clip(one.clip),
            "group": group,
            "duration_s": one.sound.duration_s,
            "sample_rate": one.sound.sample_rate,
            "n_channels": one.sound.n_channels,
            "peak": one.sound.measures.peak,
            "is_silent": one.sound.measures.is_silent,
            "flat_share": one.sound.measures.flat_share,
            "content": one.sound.measures.content,
        }
        for one, group in zip(check.survey.heard, check.kinship.groups, strict=True)
    ]
    return heard + [{**_clip(one.clip), "reason": one.reason} for one in check.survey.unusable]


def _clip(clip: Clip) -> dict[str, Any]:
    return {
        "path": clip.path,
        "labels": list(clip.labels),
        "fold": clip.fold,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
    }


def _shown(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "sentence": printable(finding.sentence),
        "remedy": printable(finding.remedy),
        "about": [{"name": printable(item.name), "detail": printable(without_name(item))} for item in finding.items],
    }


def _facts(check: Check) -> dict[str, str]:
    overview = check.overview
    return {
        "clips": str(overview.n_clips),
        "files": str(overview.n_files),
        "duration": duration_text(overview.duration_s),
        "labels": str(len(overview.labels)),
        "lengths": lengths_text(overview),
        "rates": counts_text(overview.sample_rates),
        "channels": counts_text(overview.channels),
        "types": counts_text(overview.file_types),
        "training": training_text(check),
    }


def _labels(check: Check) -> list[dict[str, Any]]:
    largest = max((facts.n_windows for facts in check.overview.labels), default=1)
    return [
        {
            "name": printable(facts.label),
            "n_clips": facts.n_clips,
            "n_windows": facts.n_windows,
            "n_recordings": facts.n_recordings,
            "duration": duration_text(facts.duration_s),
            "percent": 100 * facts.n_windows / largest,
        }
        for facts in check.overview.labels
    ]
