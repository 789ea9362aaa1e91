"""What `cohear evaluate` shows of one run: how good, how sure, how consistent, how robust."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from markupsafe import Markup

from cohear.data.wording import counted
from cohear.evaluation.consistency import NAMES, UNITS, Perturbation
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cohear.evaluation.judgement import Judgement, judge
from cohear.evaluation.robustness import error_rates, mean_corruption_error
from cohear.judging.judged_runs import JudgedRun
from cohear.judging.verdict import Verdict, verdict
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.calibration import N_BINS
from cohear.metrics.thresholds import FEWEST_ANSWERS, detections, false_alarms, false_alarms_per_hour
from cohear.reports import plots
from cohear.reports.by_label import class_table, confusions, share
from cohear.reports.pages import Table, nats_text, of_runs, picture, write_page
from cohear.reports.plots import Agreements, Line, Robustness

_BEFORE, _AFTER = Line("as trained", "#6e6e6e", "--"), Line("after temperature", "#d55e00", "-")
_ONLY = Line("", "#d55e00", "-")


def judgement_of(judged: JudgedRun, temperature: float = 1.0) -> Judgement:
    """Judge a run's answers to the clean clips at a temperature."""
    return judge(judged.run.task, judged.logits, judged.clips.truth, temperature)


def right_of(judged: JudgedRun) -> Bool[np.ndarray, " clip"]:
    """Say which clean clips were answered rightly."""
    return judged.run.task.right(judged.logits, judged.clips.truth)


def mean_jsd(jsd: np.ndarray) -> float:
    """Average divergences over clips, nats."""
    return float(jsd.mean(dtype=np.float64))


def mean_agreements(line: Line, runs: Sequence[JudgedRun]) -> Agreements:
    """Average divergences and flips over the clips of some runs."""
    jsd = np.mean([[mean_jsd(its.jsd) for its in run.agreements] for run in runs], axis=0)
    flipped = np.mean([[its.flipped.mean() for its in run.agreements] for run in runs], axis=0)
    return Agreements(line, jsd, flipped)


def corruption_picture(models: Sequence[Robustness]) -> Markup:
    """Draw accuracies under corruptions, for a page."""
    return picture(plots.corruption_panels(models), "Accuracy by corruption and severity, a line each model")


def agreement_picture(models: Sequence[Agreements]) -> Markup:
    """Draw how alike changed clips are answered, for a page."""
    drawn = plots.agreement_panels(models)
    return picture(drawn, "Divergence and flips by strength of pitch shifts, rooms and masks, a line each model")


def write_evaluation(judged: JudgedRun, out: Path) -> tuple[Path, Verdict, list[Table]]:
    """Write the page of one run.

    Args:
        judged: from `judge_runs`.
        out: the HTML file to write; its folder exists.

    Returns:
        Where the page lies, the verdict on it, and every table there is of it, in the order in which they are read.

    Raises:
        UserError: where the page cannot be written.
    """
    before, run, answers = judgement_of(judged), judged.run, judged.answered
    found = verdict(answers, [run], is_own=judged.is_own)
    diagram = [(_BEFORE, before.bins)]
    if run.calibration.has_temperature:
        diagram.append((_AFTER, judgement_of(judged, run.calibration.temperature).bins))
    tables = {
        "classes": class_table(answers),
        "probability": _probability_table(judged),
        "thresholds": None if run.calibration.precision is None else _threshold_table(judged),
        "agreement": _agreement_table(judged),
        "corruptions": None,
    }
    corruptions = None
    if (right := judged.right_when_corrupted) is not None:
        tables["corruptions"] = _corruption_table(judged, right)
        corruptions = corruption_picture([Robustness(_ONLY, before.accuracy, 1 - error_rates(right))])
    place = write_page(
        out,
        "evaluation.html",
        of=of_runs([run], judged.clips.store.fingerprint),
        run=run,
        verdict=found,
        judged=judged,
        judgement=before,
        accuracy=accuracy_sentence(judged),
        tables=tables,
        reliability=picture(plots.reliability_diagram(diagram), "Shares of right answers by probability"),
        confusions=confusions(answers),
        agreement=agreement_picture([mean_agreements(_ONLY, [judged])]),
        corruptions=corruptions,
    )
    return place, found, [table for table in tables.values() if table is not None]


def accuracy_sentence(judged: JudgedRun) -> str:
    """Say how often it was right, and how sure one can be of that."""
    made = judgement_of(judged)
    low, high = (100 * bound for bound in made.interval)
    count = f"{made.n_right} of {made.n_clips} {judged.run.task.words.clips_right} right"
    found = f"{count}: {made.accuracy:.2%}, 95% interval {low:.1f} to {high:.1f}%"
    if (n_recordings := len({*judged.answered.recordings})) == made.n_clips:
        return found
    return f"{found} if the clips were independent, and they are of {counted(n_recordings, 'recording')}"


def _probability_table(judged: JudgedRun) -> Table:
    """How far probabilities can be believed, before and after the temperature."""
    calibration, task = judged.run.calibration, judged.run.task
    made = {"As trained": judgement_of(judged)}
    if calibration.has_temperature:
        temperature = calibration.temperature
        made[f"Temperature {temperature:.2f}"] = judgement_of(judged, temperature)
    shown = {
        "Negative log-likelihood, nats": [f"{its.nll:.3f}" for its in made.values()],
        "Brier score": [f"{its.brier:.3f}" for its in made.values()],
        "Calibration error": [f"{its.ece:.1%}" for its in made.values()],
        "... by chance alone": [f"{its.ece_by_chance:.1%}" for its in made.values()],
    }
    notes = [f"{calibration.temperature_text.capitalize()}."]
    notes.append(
        f"Calibration error (ECE): how far the probability of {task.words.answers} is from the share that is right, "
        f"over {N_BINS} bins of equally many. By chance alone: what so many answers would give on average, were every "
        "probability true."
    )
    for name, value in (made["As trained"].several or {}).items():
        shown[task.score_titles[name]] = ["-" if value is None else f"{value:.3f}"] * len(made)
    if task.gives_several:
        notes.append("Negative log-likelihood and Brier score: means over labels. F1: at a probability of one half.")
    rows = tuple((name, *cells) for name, cells in shown.items())
    return Table("Can its probabilities be believed?", ("", *made), rows, tuple(notes))


def _threshold_table(judged: JudgedRun) -> Table:
    """What was promised by the validation clips, and what came of it here."""
    calibration, truth, classes = judged.run.calibration, judged.clips.truth, judged.run.record.classes
    task = judged.run.task
    shown = task.probabilities(judged.logits, calibration.temperature)
    answers = task.answers(task.decide(judged.logits), len(classes))
    counted = detections(classes, shown, answers, calibration.thresholds)
    rows = []
    for k, label in enumerate(classes):
        if (threshold := calibration.thresholds.get(label)) is None:
            continue
        n_right, n_counted = int((counted[:, k] & truth[:, k]).sum()), int(counted[:, k].sum())
        rows.append(
            (
                label,
                f"{threshold.probability:.3f}",
                "default" if threshold.precision is None else f"{threshold.precision:.0%} of {threshold.n_answers}",
                f"{share(n_right, n_counted)} of {n_counted}" if n_counted else "-",
                "-" if threshold.recall is None else f"{threshold.recall:.0%}",
                share(n_right, truth[:, k].sum()),
            )
        )
    header = ("Label", "Threshold", "Right then", "Right here", "Found then", "Found here")
    return Table("Thresholds", header, tuple(rows), tuple(_threshold_notes(judged, counted)))


def _threshold_notes(judged: JudgedRun, counted: Bool[np.ndarray, "clip label"]) -> Iterable[str]:
    calibration, background = judged.run.calibration, judged.run.config.data.background
    yield (
        f"An answer at or above its label's threshold counts. Then: on {calibration.n_clips} validation clips, where "
        f"{calibration.precision:.0%} of the answers that count were to be right; of fewer than {FEWEST_ANSWERS} such "
        "answers, or where too few are right, it is a default. Here: on these clips."
    )
    n_alarms, n_clips = false_alarms(counted, judged.clips.truth, judged.run.record.classes, background)
    clip_s = judged.clips.clip_s
    if n_clips == 0:
        yield "None of these clips is background, so nothing can be said of false alarms."
        return
    rates = [false_alarms_per_hour(n_alarms, n_clips, clip_s)]
    rates += [bound * 3600 / clip_s for bound in wilson_interval(n_alarms, n_clips)]
    rate, low, high = (f"{its:.0f}" if its >= 100 else f"{its:.2g}" for its in rates)
    yield (
        f"False alarms: {rate} per hour of background, 95% interval {low} to {high} ({n_alarms} of {n_clips} clips of "
        f"{clip_s:g} s, taken as independent)."
    )


def _agreement_table(judged: JudgedRun) -> Table:
    """How alike clean and changed clips are answered."""
    rows = tuple(
        (_perturbation_text(its.perturbation), nats_text(mean_jsd(its.jsd)), f"{its.flipped.mean():.1%}")
        for its in judged.agreements
    )
    notes = (
        "JSD: of the answers to a clip and to the changed clip, mean over clips; from 0, the same, to 0.6931 (ln 2), "
        f"certain of something else. Flips: clips of which {judged.run.task.words.change}.",
        "Masks hide up to that share of the bands, and of the frames.",
        f"Over a clip and two views of `combination`, JSD is {nats_text(mean_jsd(judged.jsd))} nats.",
    )
    return Table("Does it answer a changed clip alike?", ("Change", "JSD, nats", "Flips"), rows, notes)


def _corruption_table(judged: JudgedRun, right: Bool[np.ndarray, "corruption severity clip"]) -> Table:
    """Error rates under corruptions."""
    rates = 100 * error_rates(right)
    names = [f"{its.name} ({', '.join(f'{level:g}' for level in its.levels)} {its.unit})" for its in CORRUPTIONS]
    rows = tuple(
        (name, *(f"{rate:.0f}" for rate in its), f"{its.mean():.1f}")
        for name, its in zip([*names, "all"], [*rates, rates.mean(axis=0)], strict=True)
    )
    note = (
        f"Error rates in percent, by severity; clean {1 - judgement_of(judged).accuracy:.1%}. Mean corruption error: "
        f"{mean_corruption_error(right):.1%}."
    )
    return Table("How much damage does it survive?", ("Corruption", *map(str, SEVERITIES), "Mean"), rows, (note,))


def _perturbation_text(perturbation: Perturbation) -> str:
    """Say `pitch +2 semitones`."""
    unit = "" if perturbation.kind == "masking" else f" {UNITS[perturbation.kind]}"
    return f"{NAMES[perturbation.kind]} {perturbation.describe()}{unit}"
