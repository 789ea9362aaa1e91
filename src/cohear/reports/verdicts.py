"""Three answers to a claim of the paper: it holds, it does not, or there is not enough data yet.

Accuracies. A claim is judged when every model that it speaks of has all five folds under at least one seed; before
that there is not enough data, whatever a fold or two may show. Differences are taken on the same clips, and every
interval is a 95 % interval: of McNemar's test for two models under one seed, which takes clips of one recording as
independent, else of a bootstrap over source recordings. The seeds are taken as given: how other seeds would come out
is said by the standard error over seeds alone.
With all five folds there may still be "not enough data yet", where an interval is too wide; more seeds may narrow it.

- A direction ("better than") holds if the interval of the difference lies above zero and does not if it lies below.
  While zero lies inside, either may be true, and there is not enough data yet.
- A size ("by 1.99 points") does not hold if the interval excludes the paper's number; then it is said whether ours is
  larger or smaller. It holds if the interval contains the number and excludes zero. An interval that contains both says
  too little. The paper's number is taken as exact, though it was measured too: its own errors stand in the table, and
  a number that our interval misses by little may agree with ours.
- Several steps at once ("A above B above C") hold if each of them holds. They do not if one of them is reversed and
  stays so (p below 0.05) after Holm's correction for their number: the more steps, the likelier a reversal by chance.
- Likeness ("similar results") holds if the interval lies within one point of zero, half of what consistency learning
  gains on average in the paper. It does not if the whole interval lies further away.
- "Does not fall when training goes on" speaks of the mean accuracy over the last sixth of the epochs minus that over
  the sixth before it, in each run that was measured after each epoch; the last epoch against the best one would find a
  fall in any noise. The interval is Student's over these runs. It holds if the fall that the interval allows is smaller
  than one clip of a fold, and does not if the interval lies below zero. This is a weak test: it takes the runs as
  independent, though models share the clips of a fold, and by then the learning rate is so small that little can
  change. Unless more is asked for, only {followed} are measured after each epoch, on fold 1.

Divergences. They come from the runs that were measured after each epoch, on fold 1 as in the paper's Figure 1. One
model's curve lies below another's if it does so after the last epoch under every seed, and in at least three quarters
of the epochs after the ramp. It does not if it lies above after the last epoch under every seed, and below in at most a
quarter of these epochs. This describes curves and is no test: such a verdict stands on one fold and the seeds that are
named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cohear.metrics.paired_tests import PairedTest, holm

SIMILAR = 0.01
"""Largest difference of accuracies that still is similar, in [0, 1]."""

_SIGNIFICANCE = 0.05
_USUALLY = 0.75


class Verdict(Enum):
    """What runs say of a claim."""

    HOLDS = "holds"
    DOES_NOT = "does not hold"
    OPEN = "not enough data yet"


@dataclass(frozen=True)
class Finding:
    """A claim of the paper with what the runs say of it."""

    claim: str
    """A sentence without its full stop."""
    verdict: Verdict
    evidence: str
    """One or more whole sentences."""
    remark: str = ""
    """A few words that belong beside the verdict, as `ours is larger`."""


def direction(interval: tuple[float, float]) -> Verdict:
    """Judge a difference that shall be positive.

    Example:
        >>> direction((0.1, 0.5)).value, direction((-0.1, 0.5)).value, direction((-0.5, -0.1)).value
        ('holds', 'not enough data yet', 'does not hold')
    """
    return Verdict.HOLDS if interval[0] > 0 else Verdict.DOES_NOT if interval[1] < 0 else Verdict.OPEN


def size(interval: tuple[float, float], number: float) -> Verdict:
    """Judge a difference that shall be as large as the paper's.

    Example:
        >>> [size(interval, 2.0).value for interval in ((0.5, 2.5), (-0.5, 2.5), (-0.5, 1.5))]
        ['holds', 'not enough data yet', 'does not hold']
    """
    if not interval[0] <= number <= interval[1]:
        return Verdict.DOES_NOT
    return Verdict.OPEN if interval[0] <= 0 <= interval[1] else Verdict.HOLDS


def steps(tests: Sequence[PairedTest]) -> tuple[Verdict, list[Verdict]]:
    """Judge several differences that shall all be positive.

    Args:
        tests: of each step, at least one.

    Returns:
        The verdict on all of them, and on each: reversed only after Holm's correction.
    """
    corrected = holm([test.p_value for test in tests])
    each = [
        Verdict.HOLDS
        if test.interval[0] > 0
        else Verdict.DOES_NOT
        if test.difference < 0 and p < _SIGNIFICANCE
        else Verdict.OPEN
        for test, p in zip(tests, corrected, strict=True)
    ]
    return together(each), each


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Judge a claim of several parts: it holds if all do, and does not if one does not.

    Example:
        >>> together([Verdict.HOLDS, Verdict.OPEN]).value, together([Verdict.DOES_NOT, Verdict.OPEN]).value
        ('not enough data yet', 'does not hold')
    """
    if Verdict.DOES_NOT in verdicts:
        return Verdict.DOES_NOT
    return Verdict.HOLDS if verdicts and all(v is Verdict.HOLDS for v in verdicts) else Verdict.OPEN


def likeness(interval: tuple[float, float], margin: float = SIMILAR) -> Verdict:
    """Judge a difference that shall be negligible.

    Example:
        >>> [likeness(interval).value for interval in ((-0.004, 0.007), (-0.004, 0.013), (0.012, 0.03))]
        ['holds', 'not enough data yet', 'does not hold']
    """
    if -margin < interval[0] and interval[1] < margin:
        return Verdict.HOLDS
    return Verdict.DOES_NOT if interval[0] > margin or interval[1] < -margin else Verdict.OPEN


def no_fall(interval: tuple[float, float], margin: float) -> Verdict:
    """Judge a change that shall not be negative by as much as a margin.

    Example:
        >>> [no_fall(interval, 0.0025).value for interval in ((-0.001, 0.002), (-0.004, 0.002), (-0.004, -0.001))]
        ['holds', 'not enough data yet', 'does not hold']
    """
    if interval[0] > -margin:
        return Verdict.HOLDS
    return Verdict.DOES_NOT if interval[1] < 0 else Verdict.OPEN


def below(is_below_at_the_end: Sequence[bool], share_of_epochs: float) -> Verdict:
    """Judge a curve that shall lie below another.

    Args:
        is_below_at_the_end: for each seed, whether it does after the last epoch.
        share_of_epochs: after the ramp in which it does, 0 to 1.

    Example:
        >>> [below(*seen).value for seen in (([True], 0.9), ([True, False], 0.6), ([False], 0.1))]
        ['holds', 'not enough data yet', 'does not hold']
    """
    if all(is_below_at_the_end) and share_of_epochs >= _USUALLY:
        return Verdict.HOLDS
    return Verdict.DOES_NOT if not any(is_below_at_the_end) and share_of_epochs <= 1 - _USUALLY else Verdict.OPEN
