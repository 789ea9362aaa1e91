"""Every claim of the paper that Table 1, Figure 1 and the ablations can answer, with what the runs say of it."""

import inspect

from cohear.reports import verdicts
from cohear.reports.accuracy_claims import accuracy_findings
from cohear.reports.curve_claims import curve_findings
from cohear.reports.table1_runs import Table1Runs
from cohear.reports.verdicts import Finding, Verdict


def findings(runs: Table1Runs) -> list[Finding]:
    """Judge every claim."""
    return accuracy_findings(runs) + curve_findings(runs)


def verdict_words(verdict: Verdict, is_rehearsal: bool) -> str:
    """Say a verdict, as what it is: runs that are not the paper's say nothing of the paper.

    Example:
        >>> verdict_words(Verdict.HOLDS, is_rehearsal=True), verdict_words(Verdict.OPEN, is_rehearsal=True)
        ('holds in this rehearsal', 'not enough data yet')
    """
    return verdict.value + (" in this rehearsal" if is_rehearsal and verdict is not Verdict.OPEN else "")


def rules() -> str:
    """Return how verdicts come about, as Markdown: what the code of the verdicts says of itself."""
    return (inspect.getdoc(verdicts) or "").partition("\n\n")[2]
