"""The page of one run: how good it is, how it got there, what it gets wrong, and how its views sound.

A run that was trained on every clip has a page of its own: nothing was left to test it on, so it says what to expect.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from cohear.evaluation.measure import N_VIEWS
from cohear.judging.shown_clips import ShownClip, ShownView
from cohear.judging.verdict import answered_by, verdict_on
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.thresholds import FEWEST_ANSWERS
from cohear.objectives import largest_divergence
from cohear.reports import plots
from cohear.reports.by_label import class_table, confusions
from cohear.reports.pages import count_text, data_uri, mp3_bytes, picture, write_page
from cohear.runs.config import setting_values
from cohear.runs.run import Run

_N_ANSWERS = 3
_SILENCE = 1e-5
"""Of full scale, up to which nothing is heard."""


def write_run_report(run: Run, strips: Sequence[ShownClip] = ()) -> Path:
    """Write the page of a finished run into its folder.

    Args:
        run: finished.
        strips: clips to see and hear, each with its views.

    Returns:
        The file that was written, `report.html`.

    Raises:
        UserError: if the run is unfinished or damaged, or the page cannot be written.
    """
    if not run.is_tested:
        return write_page(run.report, "untested.html", **_content(run))
    answers = answered_by([run])
    n_correct, n_choices = int(run.predictions.correct.sum()), answers.task.n_outcomes(len(answers.classes))
    low, high = wilson_interval(n_correct, run.n_clips)
    return write_page(
        run.report,
        "run.html",
        **_content(run),
        verdict=verdict_on(run),
        n_correct=n_correct,
        is_several=answers.task.gives_several,
        interval=(100 * low, 100 * high),
        n_choices=n_choices,
        guessing_nll=math.log(n_choices),
        largest_jsd=largest_divergence(N_VIEWS, n_choices),
        by_label=class_table(answers),
        confusions=confusions(answers),
        strips=[_strip(clip, n_choices, _band_edges(run)) for clip in strips],
    )


def _band_edges(run: Run) -> tuple[float, float] | None:
    """Return the lowest and the highest frequency that a run hears, Hz."""
    front_end = run.config.front_end
    if front_end.filters == "kaldi":  # another scale
        return None
    return front_end.f_min, front_end.f_max or run.config.data.sample_rate / 2


def has_sounds(run: Run) -> bool:
    """Whether a run has a page with sounds to play."""
    return run.report.is_file() and "<audio" in run.report.read_text("utf-8", errors="replace")


def how_trained(run: Run) -> str:
    """Say how a run was trained, without a full stop."""
    training, epochs = run.config.training, count_text([run.config.training.epochs], "epoch")
    if training.patience is not None:
        kept: Any = run.metrics.get("kept_epoch")
        epochs = f"up to {epochs} (weights of epoch {kept} of {len(run.history)})"
    balance = "" if training.balance == "none" else f", classes balanced by {training.balance}"
    return (
        f"Trained with method {run.config.method}, transform {run.config.views.transform}{balance}, preset "
        f"{run.config.preset}, {epochs}, {training.precision}, seed {run.config.seed}"
    )


def _content(run: Run) -> dict[str, Any]:
    """What both pages show."""
    calibration, background = run.calibration, run.record.config.data.background
    facts = {k: v for k, v in vars(run.record).items() if k not in ("config", "classes", "contents", "schema_")}
    return {
        "run": run,
        "trained": how_trained(run),
        "data_notes": [note.rstrip(".") for note in run.data_notes],
        "curves": _curves(run),
        "calibration": calibration,
        "fewest_answers": FEWEST_ANSWERS,
        "untold": [label for label in run.record.classes if label not in {*calibration.thresholds, background}],
        "settings": setting_values(run.config),
        "facts": facts | run.record.contents,
        "environment": _flat(run.environment),
    }


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write nested values as `section.name` and value."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _curves(run: Run) -> dict[str, Markup]:
    """Draw what is known of a run's epochs, by title."""
    drawn = {"Loss and weight": picture(plots.training_curves(run), "Training loss by epoch")}
    if plots.is_tracked(run, "train_jsd"):
        drawn["Consistency"] = picture(plots.tracked_curves(run, "jsd"), "Divergence by epoch")
    if plots.is_tracked(run, "train_accuracy"):
        drawn["Accuracy"] = picture(plots.tracked_curves(run, "accuracy"), "Accuracy by epoch")
    return drawn


def _silent_percent(waveform: Float[np.ndarray, " time"]) -> float:
    """Say how much of a waveform's end is nothing at all, as where a short clip is filled up."""
    sounding = np.flatnonzero(np.abs(waveform) > _SILENCE)
    return 100 - 100 * (int(sounding[-1]) + 1 if len(sounding) else 0) / len(waveform)


def _strip(clip: ShownClip, n_choices: int, hz: tuple[float, float] | None) -> dict[str, Any]:
    loudest_db = max(float(view.log_mel.max()) for view in clip.views)
    return {
        "path": clip.path,
        "label": ", ".join(clip.labels) or "none of the labels",
        "jsd": clip.jsd,
        "largest_jsd": largest_divergence(len(clip.views), n_choices),
        "khz": plots.khz_marks(*hz) if hz else (),
        "views": [_card(clip, view, loudest_db) for view in clip.views],
    }


def _card(clip: ShownClip, view: ShownView, loudest_db: float) -> dict[str, Any]:
    order = np.argsort(-view.probabilities, kind="stable").tolist()
    shown = order[:_N_ANSWERS] + [k for k in order[_N_ANSWERS:] if clip.classes[k] in clip.labels]
    return {
        "description": view.description,
        "silent_percent": _silent_percent(view.waveform),
        "picture": picture(plots.log_mel_png(view.log_mel, loudest_db), f"Log-mel spectrogram, {view.description}"),
        "sound": data_uri(mp3_bytes(view.waveform, clip.sample_rate), "audio/mpeg"),
        "answers": [
            {
                "name": clip.classes[k],
                "percent": 100 * float(view.probabilities[k]),
                "right": clip.classes[k] in clip.labels,
            }
            for k in shown
        ],
    }
