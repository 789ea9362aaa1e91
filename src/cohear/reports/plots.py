"""Pictures for reports: curves over epochs, accuracies, confusions, reliability, robustness, spectrograms.

Every function returns the bytes of one SVG or PNG file, the same bytes for the same input. Sizes are chosen
so that the text can be read when a page shows a picture across the width of a phone. Colors are those of Okabe
and Ito, told apart by the color-blind; lines differ in their dashes too.
"""

import io
import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from cohear.evaluation.consistency import NAMES, PERTURBATIONS, UNITS
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.calibration import ReliabilityBin
from cohear.models.log_mel import POWER_FLOOR, hz_to_mel, mel_to_hz
from cohear.reports.experiments import Experiment
from cohear.runs.run import Run

Part = Literal["train", "test"]

WIDTH_IN = 5.0
"""So wide that the text can be read when a page shows a picture across a phone, or three side by side."""
STYLE: dict[Any, Any] = {
    # A `matplotlibrc` where a command is given may be somebody else's: it chooses fonts, and above all sets no TeX.
    **{name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith(("backend", "font."))},
    "text.parse_math": False,  # labels are other people's, and no formulas
    "font.size": 12.5,
    "figure.labelsize": "medium",
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 12.5,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 0.8,
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
_LONGEST_LINE = 36
"""Letters across a picture."""
_SHORT_LINE = 24
"""Letters of a name beside a plot."""
_PANEL_LINE = 22
"""Letters above one of two panels."""
MOST_LARGE_CLASSES = 12
"""Of a matrix that a phone shows whole, with its counts."""
_COLUMNS = 2


class Line(NamedTuple):
    """How a run, or the mean of runs, is drawn."""

    label: str
    color: str
    dashes: str


class Robustness(NamedTuple):
    """Accuracies, 0 to 1."""

    line: Line
    clean: float
    corrupted: Float[np.ndarray, "corruption severity"]
    corrupted_errors: Float[np.ndarray, "corruption severity"] | None = None
    """Standard errors; None for a single run."""


class Agreements(NamedTuple):
    """Means over clips, in the order of `PERTURBATIONS`."""

    line: Line
    jsd: Float[np.ndarray, " perturbation"]
    """Nats."""
    flipped: Float[np.ndarray, " perturbation"]
    """Shares."""


Points = dict[int, float]
"""Epochs trained and what was measured after them, of one run."""


def svg(figure: Figure) -> bytes:
    """Write a figure as SVG, the same bytes for the same figure."""
    output = io.StringIO()
    figure.savefig(output, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _NOT_XML.sub("?", output.getvalue()).encode()


def training_curves(run: Run) -> bytes:
    """Draw the training losses of a run over its epochs, the consistency weight below them (SVG)."""
    parts = (
        ("loss", Line("total", "#000000", "-")),
        ("classification", Line("classification", "#0072b2", "--")),
        ("consistency", Line("consistency, unweighted", "#d55e00", "-.")),
    )
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_curves(upper, [(line, [_points(run, key)]) for key, line in parts])
        upper.set(ylabel="training loss, nats", xlabel=None)
        _draw_curves(lower, [(Line("_", "#d55e00", "-"), [_points(run, "consistency_weight")])])  # without a legend
        lower.set(ylabel="weight")
        return _with_legend(figure, upper)


def tracked_curves(run: Run, quantity: Literal["accuracy", "jsd"]) -> bytes:
    """Draw the tracked accuracy or divergence of a run on each part of its clips (SVG)."""
    parts = (
        ("train", Line("training clips", "#6e6e6e", "--")),
        ("validation", Line("validation clips", "#0072b2", "-.")),
        ("test", Line("test clips", "#d55e00", "-")),
    )
    y_label, scale = {"accuracy": ("accuracy, %", 100.0), "jsd": ("JSD, nats", 1.0)}[quantity]
    return _curves([(line, [_points(run, f"{part}_{quantity}", scale)]) for part, line in parts], y_label)


def figure_1(experiments: Sequence[Experiment], part: Part) -> bytes:
    """Draw the paper's Figure 1: the divergence after each epoch, one line per model (SVG).

    Args:
        experiments: a line is the mean over an experiment's runs; where there are several, each is drawn
            lightly too.
        part: (a) the training clips or (b) the test clips.
    """
    lines = experiment_lines(experiments)
    curves = [
        (line, [_points(run, f"{part}_jsd") for run in experiment.runs])
        for line, experiment in zip(lines, experiments, strict=True)
    ]
    return _curves(curves, f"JSD of {'training' if part == 'train' else 'test'} clips, nats")


def is_tracked(run: Run, key: str) -> bool:
    """Say whether a run's history holds a quantity, as `test_jsd`, for more epochs than one."""
    return sum(record.get(key) is not None for record in run.history) > 1


def experiment_lines(experiments: Sequence[Experiment]) -> list[Line]:
    """Choose color and dashes: a method's own, other colors for further experiments of the same method."""
    more, used, lines = iter(_MORE_COLORS * len(experiments)), set(), []
    for experiment in experiments:
        color, dashes = _METHOD_STYLES[experiment.method]
        name = _wrapped(experiment.label, _LONGEST_LINE)
        lines.append(Line(name, next(more) if experiment.method in used else color, dashes))
        used.add(experiment.method)
    return lines


def _wrapped(label: str, width: int) -> str:
    """Break a long name, as one of settings, into lines of so many letters, which leave room for the picture."""
    return "\n".join(textwrap.wrap(label, width, break_on_hyphens=False))


def accuracy_by_model(rows: Sequence[tuple[Experiment, float | None]]) -> bytes:
    """Draw each model's mean accuracy with its standard error, in [0, 1], and its folds as dots (SVG)."""
    with mpl.rc_context(STYLE):
        labels = [_wrapped(experiment.label, _SHORT_LINE) for experiment, _ in rows]
        n_lines = sum(1 + label.count("\n") for label in labels)
        figure = Figure((WIDTH_IN, 1.0 + 0.34 * n_lines), layout="constrained")
        axes = figure.subplots()
        for y, (experiment, standard_error) in enumerate(rows):
            color, _ = _METHOD_STYLES[experiment.method]
            folds = [100 * value for value in experiment.accuracy_by_fold.values()]
            axes.plot(folds, [y] * len(folds), "o", color=color, alpha=0.35, markersize=5, markeredgewidth=0)
            error = None if standard_error is None else 100 * standard_error
            axes.errorbar(100 * experiment.accuracy, y, xerr=error, fmt="D", color=color, capsize=4, markersize=6)
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("test accuracy, %")
        axes.grid(axis="y", visible=False)
        return svg(figure)


def confusion_picture(counts: Int64[np.ndarray, "label label"], classes: Sequence[str]) -> bytes:
    """Draw a confusion matrix, each row as shares of its class, with counts where there is room (SVG)."""
    n_classes = len(classes)
    is_large = n_classes <= MOST_LARGE_CLASSES
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(WIDTH_IN, 0.19 * n_classes)
    framed: dict[Any, Any] = {"axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}
    with mpl.rc_context({**STYLE, **framed, "font.size": STYLE["font.size"] if is_large else 8.5}):
        figure = Figure((size, size), layout="constrained")
        axes = figure.subplots()
        seen = np.where(counts > 0, shares, np.nan)  # nothing is the page's own color, by day and by night
        axes.imshow(seen, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        for row, column in zip(*np.nonzero(counts), strict=True) if is_large else ():
            ink = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
        axes.set_xticks(range(n_classes), classes, rotation=90)
        axes.set_yticks(range(n_classes), classes)
        axes.set(xlabel="answered", ylabel="label")
        return svg(figure)


def log_mel_png(log_mel: Float[np.ndarray, "band frame"], loudest_db: float) -> bytes:
    """Draw a log-mel spectrogram, low bands below; a cell is a pixel, which the page enlarges (PNG).

    Args:
        log_mel: dB; what is NaN is left out of the picture.
        loudest_db: the brightest color; the darkest is 80 dB below. Where that is silence, all is dark. The same for
            all views of a clip, so that their pictures compare.
    """
    top_db = loudest_db if loudest_db > _SILENCE_DB else loudest_db + DYNAMIC_RANGE_DB
    output = io.BytesIO()
    imsave(output, log_mel, top_db - DYNAMIC_RANGE_DB, top_db, cmap="magma", format="png", origin="lower")
    return output.getvalue()


def khz_marks(f_min: float, f_max: float) -> tuple[str, str, str]:
    """Return kHz to write beside a picture of mel bands: at its top, its middle and its bottom.

    Args:
        f_min: the lowest frequency of the lowest band, Hz.
        f_max: the highest of the highest, Hz.
    """
    top, middle, bottom = mel_to_hz(np.linspace(hz_to_mel(f_max), hz_to_mel(f_min), 3)) / 1000
    return f"{top:.3g} kHz", f"{middle:.3g}", f"{bottom:.3g}"


def reliability_diagram(lines: Sequence[tuple[Line, Sequence[ReliabilityBin]]]) -> bytes:
    """Draw shares of right answers over their probabilities; of one or two lines with 95 % intervals (Wilson)."""
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 4.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color="#9aa5b1", linewidth=1)
        for line, bins in lines:
            x = [100 * b.probability for b in bins]
            y = np.array([100 * b.share_right for b in bins])
            ends = [wilson_interval(round(b.share_right * b.n_answers), b.n_answers) for b in bins]
            bars = np.abs(100 * np.array(ends).T - y) if len(lines) <= 2 else None
            axes.errorbar(x, y, bars, elinewidth=0.8, capsize=2, **_style(line))
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="probability, %", ylabel="right, %", aspect="equal")
        return _with_legend(figure, axes)


def corruption_panels(models: Sequence[Robustness]) -> bytes:
    """Draw the accuracy under each corruption over its severity, one small plot for each, and last their mean."""
    n_rows = -(-(len(CORRUPTIONS) + 1) // _COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 0.5 + 1.8 * n_rows), layout="constrained")
        panels = figure.subplots(n_rows, _COLUMNS, sharex=True, sharey=True).ravel()
        for place, axes in enumerate(panels[: len(CORRUPTIONS) + 1]):
            is_mean = place == len(CORRUPTIONS)
            for model in models:
                values = model.corrupted.mean(axis=0) if is_mean else model.corrupted[place]
                x, y = [0, *SEVERITIES], 100 * np.array([model.clean, *values])
                axes.plot(x, y, **_style(model.line))
                if model.corrupted_errors is not None and not is_mean:
                    spread = 100 * np.array([0.0, *model.corrupted_errors[place]])
                    axes.fill_between(x, y - spread, y + spread, color=model.line.color, alpha=0.12, linewidth=0)
            title = "mean of all"
            if not is_mean:
                its = CORRUPTIONS[place]
                title = f"{its.name}\n" + _wrapped(f"{its.levels[0]:g} to {its.levels[-1]:g} {its.unit}", _PANEL_LINE)
            axes.set_title(title, loc="left")
            axes.set(xlim=(-0.2, len(SEVERITIES) + 0.2), ylim=(0, 100), xticks=range(len(SEVERITIES) + 1))
        for axes in panels[len(CORRUPTIONS) + 1 :]:
            axes.set_axis_off()
        figure.supxlabel("severity (0: clean)")
        figure.supylabel("accuracy, %")
        return _with_legend(figure, panels[0])


def agreement_panels(models: Sequence[Agreements]) -> bytes:
    """Draw divergence and flips over the strength of each transform."""
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH_IN, 4.4), layout="constrained")
        panels = figure.subplots(2, len(NAMES), sharex="col", sharey="row", squeeze=False)
        for column, (kind, title) in enumerate(NAMES.items()):
            places = [place for place, perturbation in enumerate(PERTURBATIONS) if perturbation.kind == kind]
            strengths = [PERTURBATIONS[place].strength for place in places]
            for model in models:
                for row, values in enumerate((model.jsd, 100 * model.flipped)):
                    panels[row, column].plot(strengths, values[places], **_style(model.line))
            panels[0, column].set_title(title, loc="left")
            panels[1, column].set_xlabel(_wrapped(UNITS[kind], _PANEL_LINE // 2))
            panels[1, column].set_xticks([*strengths[:1], *strengths[-1:]])
        for row, label in enumerate(("JSD, nats", "flips, %")):
            panels[row, 0].set_ylabel(label)
            panels[row, 0].set_ylim(bottom=0)
        return _with_legend(figure, panels[0, 0])


def _with_legend(figure: Figure, axes: Axes) -> bytes:
    """Name the lines above everything, where names have the whole width; two in a row if they fit."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        longest = [max(map(len, label.split("\n"))) for label in labels]
        half = -(-len(labels) // 2)
        fits = max(longest[:half]) + max(longest[half:], default=0) <= _LONGEST_LINE
        figure.legend(handles, labels, loc="outside upper left", ncols=1 + fits)
    return svg(figure)


def _style(line: Line) -> dict[str, Any]:
    how = {"linewidth": 1.8, "marker": "o", "markersize": 3.5}
    return {"label": line.label, "color": line.color, "linestyle": line.dashes, **how}


def _curves(curves: Sequence[tuple[Line, Sequence[Points]]], y_label: str) -> bytes:
    with mpl.rc_context(STYLE):
        n_lines = sum(1 + line.label.count("\n") for line, _ in curves)
        figure = Figure((WIDTH_IN, 2.6 + 0.2 * max(4, n_lines)), layout="constrained")
        axes = figure.subplots()
        _draw_curves(axes, curves)
        axes.set_ylabel(y_label)
        return _with_legend(figure, axes)


def _points(run: Run, key: str, scale: float = 1.0) -> Points:
    """Take values by epoch, at whose end they were measured."""
    return {record["epoch"]: scale * record[key] for record in run.history if record.get(key) is not None}


def _draw_curves(axes: Axes, curves: Sequence[tuple[Line, Sequence[Points]]]) -> None:
    for line, of_runs in curves:
        runs = [points for points in of_runs if points]
        if not runs:
            continue
        shared = sorted(set(runs[0]).intersection(*runs[1:]))  # a mean over fewer runs would jump
        means = [sum(points[epoch] for points in runs) / len(runs) for epoch in shared]
        for points in runs if len(runs) > 1 else ():
            axes.plot(list(points), list(points.values()), color=line.color, linewidth=0.7, alpha=0.3)
        marker = "o" if len(shared) <= 12 else None
        style = {"color": line.color, "marker": marker, "markersize": 4, "linewidth": 2}
        axes.plot(shared, means, line.dashes, label=line.label, **style)
    axes.set_xlabel("epochs trained")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=0)
