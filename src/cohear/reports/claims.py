"""Every claim of the paper that Table 1, Figure 1 and the ablations can answer, with what the runs say of it."""

import inspect

from cohear.experiments.paper import FOLLOWED
from cohear.reports import verdicts
from cohear.reports.accuracy_claims import accuracy_findings
from cohear.reports.curve_claims import curve_findings
from cohear.reports.table1_runs import Table1Runs
from cohear.reports.verdicts import Finding, Verdict


def findings(runs: Table1Runs) -> list[Finding]:
    """Judge every claim."""
    return accuracy_findings(runs) + curve_findings(runs)


def verdict_words(finding: Finding, is_rehearsal: bool) -> str:
    """Say a verdict, as what it is: runs that are not the paper's say nothing of the paper.

    Example:
        >>> verdict_words(Finding("It does", Verdict.DOES_NOT, "", "ours is larger"), is_rehearsal=True)
        'does not hold in this rehearsal (ours is larger)'
    """
    where = " in this rehearsal" if is_rehearsal and finding.verdict is not Verdict.OPEN else ""
    return f"{finding.verdict.value}{where}" + (f" ({finding.remark})" if finding.remark else "")


def caveat() -> str:
    """Return what to keep in mind with every verdict."""
    n_claims = len(findings(Table1Runs({}, (), ())))
    return (
        "Each verdict on accuracies stands on 95 % intervals that are corrected for their number within a claim, not "
        f"over all {n_claims} claims: of twenty such verdicts one would be wrong by chance alone. And the "
        "intervals take the seeds as given; other seeds may come out otherwise."
    )


def rules() -> str:
    """Return how verdicts come about, as Markdown: what the code of the verdicts says of itself."""
    followed = [model.name for model in FOLLOWED]
    text = (inspect.getdoc(verdicts) or "").partition("\n\n")[2]
    return text.replace("{followed}", f"{', '.join(followed[:-1])} and {followed[-1]}")
