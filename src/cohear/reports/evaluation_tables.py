"""What one run says of some clips, as tables: how good, how sure, how consistent, how robust."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

from cohear.evaluation.calibration import probabilities
from cohear.evaluation.consistency import UNITS, Perturbation
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from cohear.evaluation.judgement import Judgement, judge
from cohear.evaluation.robustness import error_rates, mean_corruption_error
from cohear.experiments.judged_runs import JudgedRun
from cohear.metrics.accuracy import confusion_matrix, wilson_interval
from cohear.metrics.calibration import N_BINS
from cohear.metrics.multi_label import average_precision, f1_scores
from cohear.metrics.thresholds import detections, false_alarms_per_hour
from cohear.reports.tables import WARNING, Table, nats_text

_KIND_WORDS = {"pitch": "pitch", "reverb": "room", "masking": "masks"}


def judgement_of(judged: JudgedRun, temperature: float = 1.0) -> Judgement:
    """Judge a run's answers to the clean clips at a temperature."""
    return judge(judged.logits, judged.clips.truth, temperature, multi_label=judged.record.multi_label)


def accuracy_sentence(judged: JudgedRun) -> str:
    """Say how often it was right, and how sure one can be of that."""
    made = judgement_of(judged)
    low, high = (100 * bound for bound in made.interval)
    what = " with all labels" if judged.record.multi_label else ""
    count = f"{made.n_right} of {made.n_clips} clips{what} right"
    return f"{count}: {made.accuracy:.2%}, 95% interval {low:.1f} to {high:.1f}%"


def probability_table(judged: JudgedRun) -> Table:
    """Build the table of how far probabilities can be believed, before and after the temperature."""
    is_fitted = judged.calibration.is_fitted
    temperatures = [1.0, judged.calibration.temperature] if is_fitted else [1.0]
    made = [judgement_of(judged, temperature) for temperature in temperatures]
    header = ("", "As trained", *([f"Temperature {judged.calibration.temperature:.2f}"] if is_fitted else []))
    rows = [
        ("Negative log-likelihood, nats", *(f"{judgement.nll:.3f}" for judgement in made)),
        ("Brier score", *(f"{judgement.brier:.3f}" for judgement in made)),
        ("Calibration error", *(f"{judgement.ece:.1%}" for judgement in made)),
        ("... by chance alone", *(f"{judgement.ece_by_chance:.1%}" for judgement in made)),
    ]
    several = made[0].several
    if several is not None:
        values = (several.mean_average_precision, several.f1_macro, several.f1_micro)
        names = ("Mean average precision", "F1, mean over labels", "F1, all answers")
        as_text = ["-" if value is None else f"{value:.3f}" for value in values]
        rows = [*((name, *[text] * len(made)) for name, text in zip(names, as_text, strict=True)), *rows]
    return Table("Can its probabilities be believed?", header, tuple(rows), tuple(_probability_notes(judged)))


def _probability_notes(judged: JudgedRun) -> Iterable[str]:
    calibration = judged.calibration
    if calibration.is_fitted:
        yield f"The temperature was fitted to {calibration.n_clips} validation clips, never to these."
    else:
        yield "The run has no validation part, so no temperature was fitted."
    answers = "each label of each clip" if judged.record.multi_label else "the likeliest label of each clip"
    yield (
        f"Calibration error (ECE): how far the probability of {answers} is from the share that is right, over "
        f"{N_BINS} bins of equally many. By chance alone: what so many answers would give on average, were every "
        "probability true."
    )
    if judged.record.multi_label:
        yield "Negative log-likelihood and Brier score: means over labels. F1: at a probability of one half."


def class_table(judged: JudgedRun) -> Table:
    """Build the table of labels: how many of their clips were found, how many of their answers were right."""
    build = _classes_of_several if judged.record.multi_label else _classes_of_one
    return build(judged)


def _classes_of_one(judged: JudgedRun) -> Table:
    classes, labels = judged.record.classes, judged.clips.truth.argmax(axis=1)
    counts = confusion_matrix(judged.logits.argmax(axis=1), labels, len(classes))
    rows = []
    for k, label in enumerate(classes):
        n_clips, n_answers, n_right = counts[k].sum(), counts[:, k].sum(), counts[k, k]
        mistakes = np.where(np.arange(len(classes)) == k, 0, counts[k])
        worst = int(mistakes.argmax())
        mistaken = f"{classes[worst]} ({mistakes[worst]})" if mistakes[worst] else "-"
        rows.append((label, str(n_clips), _share(n_right, n_clips), _share(n_right, n_answers), mistaken))
    notes = (
        "Found: clips of the label that were answered so (recall). Right: answers of the label that were right "
        "(precision). Taken for: the answer to most of the others.",
    )
    return Table("By label", ("Label", "Clips", "Found", "Right", "Taken for"), tuple(rows), notes)


def _classes_of_several(judged: JudgedRun) -> Table:
    truth, answered = judged.clips.truth, judged.logits >= 0
    precisions, f1 = average_precision(judged.logits, truth), f1_scores(answered, truth).by_label
    n_right = (answered & truth).sum(axis=0)
    rows = tuple(
        (
            label,
            str(truth[:, k].sum()),
            _share(n_right[k], truth[:, k].sum()),
            _share(n_right[k], answered[:, k].sum()),
            *("-" if np.isnan(value) else f"{value:.3f}" for value in (f1[k], precisions[k])),
        )
        for k, label in enumerate(judged.record.classes)
    )
    notes = (
        "Found: clips with the label that were given it (recall). Right: clips that were given it and have it "
        "(precision). Both, and F1, at a probability of one half; average precision over all thresholds.",
    )
    return Table("By label", ("Label", "Clips", "Found", "Right", "F1", "Average precision"), rows, notes)


def threshold_table(judged: JudgedRun) -> Table | None:
    """Build the table of thresholds: what was promised by the validation clips, and what came of it here.

    Returns:
        None where none were fitted.
    """
    calibration = judged.calibration
    if calibration.precision is None:
        return None
    counted, truth = _counted(judged), judged.clips.truth
    rows = []
    for k, label in enumerate(judged.record.classes):
        threshold = calibration.thresholds.get(label)
        if threshold is None:
            continue
        n_right, n_counted = int((counted[:, k] & truth[:, k]).sum()), int(counted[:, k].sum())
        rows.append(
            (
                label,
                f"{threshold.probability:.3f}",
                f"{threshold.precision:.0%} of {threshold.n_answers}",
                f"{_share(n_right, n_counted)} of {n_counted}" if n_counted else "-",
                f"{threshold.recall:.0%}",
                _share(n_right, truth[:, k].sum()),
            )
        )
    header = ("Label", "Threshold", "Right then", "Right here", "Found then", "Found here")
    return Table("Thresholds", header, tuple(rows), tuple(_threshold_notes(judged, counted)))


def _counted(judged: JudgedRun) -> Bool[np.ndarray, "clip label"]:
    calibration, several = judged.calibration, judged.record.multi_label
    shown: Float[np.ndarray, "clip label"] = probabilities(judged.logits, calibration.temperature, multi_label=several)
    return detections(judged.record.classes, shown, calibration.thresholds, multi_label=several)


def _threshold_notes(judged: JudgedRun, counted: Bool[np.ndarray, "clip label"]) -> Iterable[str]:
    calibration, background = judged.calibration, judged.record.config.data.background
    yield (
        f"An answer at or above its label's threshold counts. Then: on {calibration.n_clips} validation clips, where "
        f"{calibration.precision:.0%} of the answers that count were to be right. Here: on these clips."
    )
    without = [label for label in judged.record.classes if label not in calibration.thresholds and label != background]
    if without:
        yield f"Without a threshold, since none was right often enough there: {', '.join(without)}."
    is_background = ~judged.clips.truth.any(axis=1)
    if background in judged.record.classes:
        is_background |= judged.clips.truth[:, judged.record.classes.index(background)]
    n_clips = int(is_background.sum())
    if n_clips == 0:
        yield "None of these clips is background, so nothing can be said of false alarms."
        return
    n_alarms = int(counted[is_background].any(axis=1).sum())
    rate = false_alarms_per_hour(n_alarms, n_clips, judged.clips.clip_s)
    low, high = (bound * 3600 / judged.clips.clip_s for bound in wilson_interval(n_alarms, n_clips))
    yield (
        f"False alarms: {_rate(rate)} per hour of background, 95% interval {_rate(low)} to {_rate(high)} ({n_alarms} "
        f"of {n_clips} clips of {judged.clips.clip_s:g} s)."
    )


def agreement_table(judged: JudgedRun) -> Table:
    """Build the table of how alike clean and changed clips are answered."""
    rows = tuple(
        (perturbation_text(agreement.perturbation), nats_text(float(agreement.jsd.mean(dtype=np.float64))),
         f"{agreement.flipped.mean():.1%}")
        for agreement in judged.agreements
    )  # fmt: skip
    several = "any label crosses one half" if judged.record.multi_label else "the answer changes"
    notes = (
        "JSD: of the answers to a clip and to the changed clip, mean over clips; from 0, the same, to 0.6931 (ln 2), "
        f"certain of something else. Flips: clips of which {several}.",
        "Masks hide up to that share of the bands, and of the frames.",
        "Over a clip and two views of `combination`, JSD is "
        f"{nats_text(float(judged.jsd.mean(dtype=np.float64)))} nats.",
    )
    return Table("Does it answer a changed clip alike?", ("Change", "JSD, nats", "Flips"), rows, notes)


def perturbation_text(perturbation: Perturbation) -> str:
    """Say `pitch +2 semitones`."""
    unit = "" if perturbation.kind == "masking" else f" {UNITS[perturbation.kind]}"
    return f"{_KIND_WORDS[perturbation.kind]} {perturbation.describe()}{unit}"


def corruption_table(judged: JudgedRun) -> Table | None:
    """Build the table of error rates under corruptions; None where these were not asked for."""
    if judged.right_when_corrupted is None:
        return None
    rates = 100 * error_rates(judged.right_when_corrupted)
    rows = [
        (levels_text(corruption), *(f"{rate:.0f}" for rate in its), f"{its.mean():.1f}")
        for corruption, its in zip(CORRUPTIONS, rates, strict=True)
    ]
    rows.append(("all", *(f"{rate:.0f}" for rate in rates.mean(axis=0)), f"{rates.mean():.1f}"))
    clean = 1 - judgement_of(judged).accuracy
    notes = (
        f"Error rates in percent, by severity; clean {clean:.1%}. Mean corruption error: "
        f"{mean_corruption_error(judged.right_when_corrupted):.1%}.",
    )
    header = ("Corruption", *map(str, SEVERITIES), "Mean")
    return Table("How much damage does it survive?", header, tuple(rows), notes)


def levels_text(corruption: Corruption) -> str:
    """Say `white noise (30, 20, 10, 5, 0 dB SNR)`."""
    return f"{corruption.name} ({', '.join(f'{level:g}' for level in corruption.levels)} {corruption.unit})"


def single_tables(judged: JudgedRun) -> list[Table]:
    """Return every table there is of a run, in the order in which they are read."""
    tables = (
        probability_table(judged),
        class_table(judged),
        threshold_table(judged),
        agreement_table(judged),
        corruption_table(judged),
    )
    return [table for table in tables if table is not None]


def warning_lines(judged: JudgedRun) -> list[str]:
    """Return what must be known before any number is read."""
    return [WARNING + warning for warning in judged.clips.warnings]


def _rate(per_hour: float) -> str:
    return f"{per_hour:.0f}" if per_hour >= 100 else f"{per_hour:.2g}"


def _share(n: int | np.integer, of: int | np.integer) -> str:
    return f"{n / of:.0%}" if of else "-"
