"""Pictures for reports: curves over epochs, accuracies, confusions, spectrograms.

Every function returns the bytes of one SVG or PNG file, the same bytes for the same input. Sizes are chosen
so that the text can be read when a page shows a picture across the width of a phone. Colors are those of Okabe
and Ito, told apart by the color-blind; lines differ in their dashes too.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from cohear.models.log_mel import POWER_FLOOR
from cohear.reports.experiments import Experiment
from cohear.runs.run import Run

Part = Literal["train", "test"]

WIDTH_IN = 5.4
"""So wide that the text can be read when a page shows a picture across the width of a phone."""
STYLE: dict[Any, Any] = {
    # A `matplotlibrc` where a command is given may be somebody else's: it chooses fonts, and above all sets no TeX.
    **{name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith(("backend", "font."))},
    "text.parse_math": False,  # labels are other people's, and no formulas
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "svg.hashsalt": "cohear",
}
"""How every picture looks."""
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Characters that no SVG may hold, as a label may."""

DYNAMIC_RANGE_DB = 80.0
"""From the brightest to the darkest color of a spectrogram."""
_SILENCE_DB = 10 * math.log10(POWER_FLOOR) + 0.01
"""Zeros read as the floor, but for rounding."""

_METHOD_STYLES = {
    "none": ("#6e6e6e", ":"),
    "standard": ("#009e73", "--"),
    "bda": ("#0072b2", "-."),
    "consistency": ("#d55e00", "-"),
}
_MORE_COLORS = ("#cc79a7", "#56b4e9", "#b8860b", "#000000")
"""For a second experiment of the same method."""
_MOST_ANNOTATED_CLASSES = 12


@dataclass(frozen=True)
class Curve:
    """One line of a plot over epochs."""

    label: str
    color: str
    dashes: str
    runs: tuple[tuple[tuple[int, float], ...], ...]
    """For each run its points: epochs trained, value."""


def svg(figure: Figure) -> bytes:
    """Write a figure as SVG, the same bytes for the same figure."""
    output = io.StringIO()
    figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
    return _NOT_XML.sub("?", output.getvalue()).encode()


def training_curves(run: Run) -> bytes:
    """Draw the training losses of a run over its epochs, the consistency weight below them (SVG)."""
    parts = (
        ("loss", "total", "#000000", "-"),
        ("classification", "classification", "#0072b2", "--"),
        ("consistency", "consistency (unweighted)", "#d55e00", "-."),
    )
    losses = [Curve(label, color, dashes, (_points(run, key),)) for key, label, color, dashes in parts]
    weight = [Curve("weight", "#d55e00", "-", (_points(run, "consistency_weight"),))]
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_curves(upper, losses)
        upper.set(ylabel="training loss, nats", xlabel=None)
        _draw_curves(lower, weight, legend=False)
        lower.set(ylabel="weight")
        return svg(figure)


def tracked_curves(run: Run, quantity: Literal["accuracy", "jsd"]) -> bytes:
    """Draw the tracked accuracy or divergence of a run on each part of its clips (SVG)."""
    parts = (
        ("train", "training clips", "#6e6e6e", "--"),
        ("validation", "validation clips", "#0072b2", "-."),
        ("test", "test clips", "#d55e00", "-"),
    )
    y_label, scale = {"accuracy": ("accuracy, %", 100.0), "jsd": ("JSD, nats", 1.0)}[quantity]
    curves = [
        Curve(label, color, dashes, (_points(run, f"{part}_{quantity}", scale),))
        for part, label, color, dashes in parts
    ]
    return _curves(curves, y_label)


def figure_1(experiments: Sequence[Experiment], part: Part) -> bytes:
    """Draw the paper's Figure 1: the divergence after each epoch, one line per model (SVG).

    Args:
        experiments: a line is the mean over an experiment's runs; where there are several, each is drawn
            lightly too.
        part: (a) the training clips or (b) the test clips.
    """
    styles = experiment_styles(experiments)
    curves = [
        Curve(e.label, color, dashes, tuple(_points(run, f"{part}_jsd") for run in e.runs))
        for e, (color, dashes) in zip(experiments, styles, strict=True)
    ]
    return _curves(curves, f"JSD of {'training' if part == 'train' else 'test'} clips, nats")


def is_tracked(run: Run, key: str) -> bool:
    """Say whether a run's history holds a quantity, as `test_jsd`, for any epoch."""
    return any(record.get(key) is not None for record in run.history)


def experiment_styles(experiments: Sequence[Experiment]) -> list[tuple[str, str]]:
    """Choose color and dashes: a method's own, others for further experiments of the same method."""
    more, used, styles = iter(_MORE_COLORS * len(experiments)), set(), []
    for experiment in experiments:
        color, dashes = _METHOD_STYLES[experiment.method]
        styles.append((next(more), dashes) if experiment.method in used else (color, dashes))
        used.add(experiment.method)
    return styles


def accuracy_by_model(rows: Sequence[tuple[Experiment, float | None]]) -> bytes:
    """Draw each model's mean accuracy with its standard error, in [0, 1], and its folds as dots (SVG)."""
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 1.0 + 0.34 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for y, (experiment, standard_error) in enumerate(rows):
            color, _ = _METHOD_STYLES[experiment.method]
            folds = [100 * value for value in experiment.accuracy_by_fold.values()]
            axes.plot(folds, [y] * len(folds), "o", color=color, alpha=0.35, markersize=5, markeredgewidth=0)
            error = None if standard_error is None else 100 * standard_error
            axes.errorbar(100 * experiment.accuracy, y, xerr=error, fmt="D", color=color, capsize=4, markersize=6)
        axes.set_yticks(range(len(rows)), [experiment.label for experiment, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("test accuracy, %")
        axes.grid(axis="y", visible=False)
        return svg(figure)


def confusion_picture(counts: Int64[np.ndarray, "label label"], classes: Sequence[str]) -> bytes:
    """Draw a confusion matrix, each row as shares of its class, with counts where there is room (SVG)."""
    n_classes = len(classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(max(WIDTH_IN, 0.17 * n_classes), 9.0)
    with mpl.rc_context({**STYLE, "axes.grid": False, "font.size": 11 if n_classes <= 12 else 7}):
        figure = Figure((size, size), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        if n_classes <= _MOST_ANNOTATED_CLASSES:
            for row, column in zip(*np.nonzero(counts), strict=True):
                ink = "white" if shares[row, column] > 0.55 else "black"
                text = str(counts[row, column])
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=10)
        axes.set_xticks(range(n_classes), classes, rotation=90)
        axes.set_yticks(range(n_classes), classes)
        axes.set(xlabel="answered", ylabel="label")
        return svg(figure)


def log_mel_png(log_mel: Float[np.ndarray, "band frame"], loudest_db: float) -> bytes:
    """Draw a log-mel spectrogram, low bands below; a cell is a pixel, which the page enlarges (PNG).

    Args:
        log_mel: dB.
        loudest_db: the brightest color; the darkest is 80 dB below. Where that is silence, all is dark. The same for
            all views of a clip, so that their pictures compare.
    """
    top_db = loudest_db if loudest_db > _SILENCE_DB else loudest_db + DYNAMIC_RANGE_DB
    output = io.BytesIO()
    imsave(output, log_mel, top_db - DYNAMIC_RANGE_DB, top_db, cmap="magma", format="png", origin="lower")
    return output.getvalue()


def _curves(curves: Sequence[Curve], y_label: str) -> bytes:
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 3.4), layout="constrained")
        axes = figure.subplots()
        _draw_curves(axes, curves)
        axes.set_ylabel(y_label)
        return svg(figure)


def _points(run: Run, key: str, scale: float = 1.0) -> tuple[tuple[int, float], ...]:
    """Values are of the time after an epoch, which is counted from 0: one epoch trained comes first."""
    return tuple((record["epoch"] + 1, scale * record[key]) for record in run.history if record.get(key) is not None)


def _draw_curves(axes: Axes, curves: Sequence[Curve], legend: bool = True) -> None:
    n_drawn = 0
    for curve in curves:
        runs = [dict(points) for points in curve.runs if points]
        if not runs:
            continue
        shared = sorted(set(runs[0]).intersection(*runs[1:]))  # a mean over fewer runs would jump
        means = [sum(points[epoch] for points in runs) / len(runs) for epoch in shared]
        for points in runs if len(runs) > 1 else ():
            axes.plot(list(points), list(points.values()), color=curve.color, linewidth=0.7, alpha=0.3)
        marker = "o" if len(shared) <= 12 else None
        style = {"color": curve.color, "marker": marker, "markersize": 4, "linewidth": 2}
        axes.plot(shared, means, curve.dashes, label=curve.label, **style)
        n_drawn += 1
    axes.set_xlabel("epochs trained")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=0)
    if legend and n_drawn:  # above the curves, which leave no corner free for sure
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
