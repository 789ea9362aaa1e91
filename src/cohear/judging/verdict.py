"""Is it good, and what next? What every result opens with: one number, what guessing gives, and one step to take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int64

from cohear.data.wording import counted
from cohear.metrics.accuracy import by_chance
from cohear.metrics.tasks import Decisions, Task
from cohear.runs.predictions import Predictions, join_predictions
from cohear.runs.run import Run

SIGNIFICANCE = 0.05
_LEARNED = 0.9
"""Share of its own training clips that a classifier answers rightly when it has learned them."""
_OFTEN, _FEWEST = 0.2, 2
"""Share and number of a label's clips that are taken for another, from which on that is worth a look."""
_ARRAYS = ("logits", "decisions", "truth")
_UNEQUAL = 2
"""Times as many clips of one label as of another."""
_LONG = 200
"""Epochs, of which more will hardly help."""
_N_DRAWS = {False: 999, True: 199}
"""To tell chance; of several labels each takes longer."""
_PerLabel = Int64[np.ndarray, " label"]
_FEW_CLIPS = 10
_FEW = 0.5
"""Of the clips of the median label: a label with fewer has few."""


@dataclass(frozen=True)
class Verdict:
    """What is said first of some answers."""

    quality: float
    """The task's one number, 0 to 1."""
    guessing: float
    """What answers that have nothing to do with the clips have, 0 to 1."""
    is_real: bool
    """Whether so much is more than chance, at 5 %, of clips that were not trained on."""
    result: str
    """Both numbers as a sentence."""
    next_step: str
    """What to do now, as a sentence."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to some clips, by one run or by several: each other clips, or the same under other seeds."""

    task: Task
    classes: tuple[str, ...]
    logits: Float[np.ndarray, "clip label"]
    decisions: Decisions
    truth: Bool[np.ndarray, "clip label"]
    clips: Sequence[str]
    """What was answered, by identity; the same clip once for each run that answered it."""
    recordings: Sequence[str]
    """The source of each clip."""
    n_trained: int = 0
    """Answers to clips that were trained on, or kept to choose by: these tell nothing of others."""

    @property
    def n_clips(self) -> int:
        """Number of clips, however many runs answered each."""
        return len(set(self.clips))

    @property
    def answered(self) -> Bool[np.ndarray, "clip label"]:
        """Which labels were given to each clip."""
        return self.task.truth(self.decisions, len(self.classes))

    @property
    def label_counts(self) -> tuple[_PerLabel, _PerLabel, _PerLabel]:
        """How many clips have each label, were given it, and were given it rightly."""
        truth, answered = self.truth, self.answered
        return truth.sum(axis=0), answered.sum(axis=0), (truth & answered).sum(axis=0)


def join_answers(parts: Sequence[Answered]) -> Answered:
    """Put answers of the same task and classes one after the other."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    clips, recordings = ([one for part in parts for one in getattr(part, name)] for name in ("clips", "recordings"))
    n_trained = sum(part.n_trained for part in parts)
    return Answered(parts[0].task, parts[0].classes, **arrays, clips=clips, recordings=recordings, n_trained=n_trained)


def answered_by(runs: Sequence[Run]) -> Answered:
    """Put the answers of runs of the same classes to their test clips one after the other.

    Raises:
        UserError: where a run's answers are missing or damaged.
    """
    return answered_in([run.predictions for run in runs])


def answered_in(parts: Sequence[Predictions]) -> Answered:
    """Put answers to clips that are of the same classes one after the other."""
    joined = join_predictions(parts)
    task, recordings = joined.task, [group or path for group, path in zip(joined.groups, joined.paths, strict=True)]
    truth = task.truth(joined.labels, len(joined.classes))
    logits = task.logits(joined.log_probabilities)
    return Answered(task, joined.classes, logits, joined.predicted, truth, joined.paths, recordings)


@lru_cache(maxsize=1)  # the page of a training and the terminal ask for the same
def verdict_on(run: Run) -> Verdict:
    """Say how good a run's answers to its test clips are.

    Raises:
        UserError: where they cannot be read.
    """
    return verdict(answered_by([run]), [run])


def verdict(answers: Answered, runs: Sequence[Run], *, is_own: bool = True, name: str = "", among: int = 1) -> Verdict:
    """Say how good answers are, and what to do next.

    Args:
        answers: to at least one clip.
        runs: whose they are; how these were trained decides what comes next.
        is_own: whether the clips are the test parts of the runs' own data.
        name: of the runs, where there are others.
        among: of how many experiments these are the best: chance had so many tries, and p is multiplied by them.
    """
    task, truth = answers.task, answers.truth
    n_labels, n_clips = int(truth.any(axis=0).sum()), answers.n_clips
    if not n_labels:
        return Verdict(0.0, 0.0, False, f"None of {counted(n_clips, 'clip')} has a label.", "Judge it on others too.")
    quality = task.quality(answers.logits, answers.decisions, truth)

    def dealt(rows: Int64[np.ndarray, " clip"]) -> float:
        return task.quality(answers.logits, answers.decisions, truth[rows])

    # Clips of one recording with the same label are no independent evidence: they change places together.
    alike = [(recording, its.tobytes()) for recording, its in zip(answers.recordings, truth, strict=True)]
    n_draws = max(_N_DRAWS[task.gives_several], math.ceil(2 * among / SIGNIFICANCE))  # so that p can be small enough
    guessing, p = by_chance(dealt, alike, n_draws=n_draws)
    how = "Guessing"
    if not task.gives_several:
        guessing, how = 1 / n_labels, f"Always answering '{answers.classes[truth.sum(axis=0).argmax()]}'"
    is_real = quality > guessing and p * among < SIGNIFICANCE and not answers.n_trained
    trained_on = f"{answers.n_trained} of these answers are to clips that it was trained on or chosen by"
    trained_on = trained_on if answers.n_trained else ""
    if n_labels == 1:
        label = answers.classes[truth.any(axis=0).argmax()]
        result = f"{quality:.0%} of {counted(n_clips, 'clip')} of '{label}' found" + (trained_on and f"; {trained_on}")
    else:
        n_recordings = len(set(answers.recordings))
        of = counted(n_clips, "clip") + (f" of {n_recordings} recordings" if n_recordings < n_clips else "")
        of += f", {counted(len(truth), 'answer')}" if len(truth) > n_clips else ""
        what = "this is better" if is_real else "this is no better"
        if trained_on:
            what = trained_on
        elif quality > guessing and not is_real:
            what = "of so few recordings this may be chance"
        result = f"{quality:.0%} {task.words.quality}: {n_labels} labels, {of}. {how} would give {guessing:.0%}; {what}"
    result = f"{name}: {result}." if name else f"{result}."
    return Verdict(quality, guessing, is_real, result, _next_step(answers, runs, is_real=is_real, is_own=is_own))


def _next_step(answers: Answered, runs: Sequence[Run], *, is_real: bool, is_own: bool) -> str:
    """Find the first thing that stands in the way of better answers."""
    config, classes, epochs = runs[0].config, answers.classes, runs[0].config.training.epochs
    n_clips, n_given = answers.truth.sum(axis=0), answers.answered.any(axis=0).sum()
    if answers.n_trained:
        return "Judge it on clips that it was not trained on: leave --fold out, or give other sounds."
    if (n_clips > 0).sum() == 1:
        return "Judge it on clips of other labels too, which it may take for this one."
    counts = [n for n in (_training_clips(runs) or dict(zip(classes, n_clips.tolist(), strict=True))).values() if n]
    if not answers.task.gives_several and n_given == 1:
        remedy = f"train longer, --epochs {2 * epochs}"
        if max(counts) >= _UNEQUAL * min(counts):
            remedy = "record more of the others" if config.training.balance != "none" else "--balance sampling"
        return f"All answers are '{classes[answers.answered.any(axis=0).argmax()]}': {remedy}."
    learned = [run.history[-1].get("train_accuracy") for run in runs if run.history]
    known = [share for share in learned if share is not None]
    is_short = config.training.patience is None and epochs < _LONG and not answers.task.gives_several
    if known and np.mean(known) < _LEARNED and is_short:
        share = f"{np.mean(known):.0%} of its own training clips right"
        return f"Still learning when it ended ({share}): --epochs {2 * epochs}."
    if step := _weakest_label(answers, runs):
        return step
    if is_own and len({run.config.fold for run in runs}) == 1:
        return "`cohear crossval` tests it on every clip, and says how far to trust this number."
    if not is_real:
        return "Record more clips, of other recordings, and train again."
    if not is_own:
        return "Try it on whole recordings by `cohear predict --events --html`."
    keep = "`cohear train --fold all` with the same options trains the classifier to keep"
    return f"{keep}; try it on a recording by `cohear predict`."


def _training_clips(runs: Sequence[Run]) -> dict[str, int]:
    """Return the most training clips that a label had in a run; nothing of runs that kept no count."""
    by_label = [run.metrics.get("n_train_clips_by_label") for run in runs]
    if not all(by_label):
        return {}
    return {name: max(its[name] for its in by_label if its) for name in runs[0].record.classes}


def _weakest_label(answers: Answered, runs: Sequence[Run]) -> str | None:
    """Say what ails the label that is found least, if it is often missed."""
    classes, truth, answered = answers.classes, answers.truth, answers.answered
    n_clips = truth.sum(axis=0)
    n_missed = (truth & ~answered).sum(axis=0)
    shares = np.where(n_missed >= _FEWEST, n_missed / np.maximum(n_clips, 1), 0.0)
    worst = int(shares.argmax())
    if shares[worst] < _OFTEN:
        return None
    label, of = classes[worst], f"{n_clips[worst]} {'clips' if answers.n_clips == len(truth) else 'answers'}"
    missed = f"'{label}' is missed in {n_missed[worst]} of {of}: listen to them, are their labels right?"
    counts = _training_clips(runs)
    if counts and counts[label] < max(_FEW_CLIPS, _FEW * np.median([*counts.values()])):
        few = counted(counts[label], "clip")
        return f"{few} of '{label}' to learn from {'is' if counts[label] == 1 else 'are'} too few: record more."
    if answers.task.gives_several:
        return f"{missed} Or lower its threshold."
    mistaken = (truth[:, worst : worst + 1] & answered).sum(axis=0)
    mistaken[worst] = 0
    other = int(mistaken.argmax())
    if mistaken[other] < _FEWEST:
        return missed
    return (
        f"'{label}' is taken for '{classes[other]}' in {mistaken[other]} of {of}: listen to them, are their labels "
        "right? Else record more of both."
    )
