"""The page of one run: how good it is, how it got there, what it gets wrong, and how its views sound."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.evaluation.calibration import FEWEST_FOR_TEMPERATURE, read_calibration
from cohear.evaluation.fixed_views import N_VIEWS
from cohear.evaluation.shown_clips import ShownClip, ShownView
from cohear.experiments.predictions import Predictions
from cohear.metrics.accuracy import wilson_interval
from cohear.models.log_mel import POWER_FLOOR
from cohear.objectives import largest_divergence
from cohear.reports import plots
from cohear.reports.by_class import multi_label_rows, single_label_parts
from cohear.reports.grouping import flatten
from cohear.reports.method_table import commonest_label_sentences, count_text, resolution_sentence
from cohear.reports.pages import data_uri, picture, write_page
from cohear.reports.run_folders import RunSummary, TrainedRun, read_run
from cohear.reports.sounds import mp3_bytes

REPORT = "report.html"
_N_ANSWERS = 3
_SILENCE_DB = 10 * math.log10(POWER_FLOOR) + 0.01
"""Zeros read as the floor, but for rounding."""
_METHOD_WORDS = {
    "none": "no augmentation",
    "standard": "standard augmentation",
    "bda": "batched data augmentation",
    "consistency": "consistency learning",
}
_BALANCE_WORDS = {
    "weights": ", a clip of a small class counting for more",
    "sampling": ", classes drawn equally often",
}
_TRANSFORM_WORDS = {
    "none": "no transform",
    "pitch": "pitch shifts",
    "reverb": "reverberation",
    "masking": "time-frequency masks",
    "combination": "pitch shifts or reverberation",
}


def write_run_report(run_folder: Path, strips: Sequence[ShownClip] = ()) -> Path:
    """Write the page of a finished run into its folder.

    Args:
        run_folder: of a finished run.
        strips: clips to see and hear, each with its views.

    Returns:
        The file that was written, `report.html`.

    Raises:
        UserError: if the run is unfinished or damaged, or the page cannot be written.
    """
    run = read_run(run_folder)
    answers = run.predictions
    calibration = read_calibration(run_folder)
    low, high = wilson_interval(int(answers.correct.sum()), run.n_clips)
    return write_page(
        run_folder / REPORT,
        "run.html",
        run=run,
        trained=trained_sentence(run),
        n_correct=int(answers.correct.sum()),
        interval=f"{100 * low:.1f} to {100 * high:.1f}",
        n_classes=len(answers.classes),
        n_choices=_n_choices(answers),
        guessing_nll=math.log(_n_choices(answers)),
        largest_jsd=largest_divergence(N_VIEWS, _n_choices(answers)),
        commonest=" ".join(commonest_label_sentences([run])),
        resolution=resolution_sentence([run]),
        data_notes=[note.rstrip(".") for note in run.data_notes],
        curves=curves(run),
        by_class=None if answers.is_multi_label else single_label_parts(answers),
        by_label=multi_label_rows(answers) if answers.is_multi_label else None,
        calibration=calibration,
        fewest_for_temperature=FEWEST_FOR_TEMPERATURE,
        untold=[label for label in answers.classes if label not in calibration.thresholds],
        strips=[_strip(clip, _n_choices(answers)) for clip in strips],
        settings=flatten(run.config),
        facts=flatten({name: value for name, value in run.facts.items() if name != "classes"}),
        environment=flatten(run.environment),
    )


def has_sounds(run_folder: Path) -> bool:
    """Whether a run has a page with sounds to play."""
    page = run_folder / REPORT
    return page.is_file() and "<audio" in page.read_text("utf-8", errors="replace")


def trained_sentence(run: RunSummary) -> str:
    """Say how a run was trained and tested."""
    return f"{how_trained(run)}; tested on fold {run.fold}."


def how_trained(run: TrainedRun) -> str:
    """Say how a run was trained, without a full stop."""
    how = _METHOD_WORDS[run.method]
    if run.method != "none":
        how += f" over {_TRANSFORM_WORDS[run.transform]}"
    training = run.config.get("training", {})
    how += _BALANCE_WORDS.get(training.get("balance"), "")
    epochs = count_text([run.epochs], "epoch")
    if training.get("patience") is not None:
        epochs = f"up to {epochs} (weights of epoch {1 + run.measured['kept_epoch']} of {len(run.history)})"
    return f"Trained with {how}, preset {run.preset}, {epochs}, {run.precision}, seed {run.seed}"


def curves(run: TrainedRun) -> list[dict[str, Any]]:
    """Draw what is known of a run's epochs, each with its title."""
    drawn = [{"title": "Loss and weight", "picture": picture(plots.training_curves(run), "Training loss by epoch")}]
    if plots.is_tracked(run, "train_jsd"):
        drawn.append({"title": "Consistency", "picture": picture(plots.jsd_curves(run), "Divergence by epoch")})
    if plots.is_tracked(run, "train_accuracy"):
        drawn.append({"title": "Accuracy", "picture": picture(plots.accuracy_curves(run), "Accuracy by epoch")})
    return drawn


def _n_choices(answers: Predictions) -> int:
    """Return the outcomes of one answer: the classes, or yes and no."""
    return 2 if answers.is_multi_label else len(answers.classes)


def _strip(clip: ShownClip, n_choices: int) -> dict[str, Any]:
    loudest_db = max(float(view.log_mel.max()) for view in clip.views)
    if loudest_db <= _SILENCE_DB:  # no louder than nothing: dark, not the brightest there is
        loudest_db += plots.DYNAMIC_RANGE_DB
    return {
        "path": clip.path,
        "label": ", ".join(clip.labels) or "none of the labels",
        "jsd": clip.jsd,
        "largest_jsd": largest_divergence(len(clip.views), n_choices),
        "views": [_card(clip, view, loudest_db) for view in clip.views],
    }


def _card(clip: ShownClip, view: ShownView, loudest_db: float) -> dict[str, Any]:
    duration_s = len(view.waveform) / clip.sample_rate
    order = np.argsort(-view.probabilities, kind="stable").tolist()
    shown = order[:_N_ANSWERS] + [k for k in order[_N_ANSWERS:] if clip.classes[k] in clip.labels]
    return {
        "description": view.description,
        "picture": picture(
            plots.spectrogram_picture(view.log_mel, duration_s, loudest_db),
            f"Log-mel spectrogram, {view.description}",
        ),
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
