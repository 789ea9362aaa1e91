"""What a check has to say: one finding is one sentence, with what to do and which clips or labels it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""Training is refused; its result would mislead or be worse than it could be; good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The most important first."""


@dataclass(frozen=True)
class Item:
    """A clip, label or pair that a finding is about."""

    name: str
    detail: str = ""
    """What is the matter with it; a sentence, a number, or nothing."""


@dataclass(frozen=True)
class Finding:
    """Something that should be known of a data set, or mended."""

    kind: str
    """A word for programs, the same whatever the data."""
    severity: Severity
    sentence: str
    """What was found."""
    remedy: str = ""
    """Sentences on what to do; empty where there is nothing."""
    items: tuple[Item, ...] = ()
    """All that it is about, the worst first or in the order of the data."""


def can_train(findings: Iterable[Finding]) -> bool:
    """Whether training would not be refused."""
    return all(finding.severity != "error" for finding in findings)
