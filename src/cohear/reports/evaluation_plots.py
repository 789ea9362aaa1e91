"""Pictures of how far answers can be believed, how alike changed clips are answered, and what damage answers survive.

As in `plots`: bytes of one SVG file, the same for the same input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cohear.evaluation.consistency import PERTURBATIONS, UNITS, Kind
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from cohear.metrics.accuracy import wilson_interval
from cohear.metrics.calibration import ReliabilityBin
from cohear.reports.plots import STYLE, WIDTH_IN, svg

_COLUMNS = 2
_MOST_WITH_BARS = 2
_KIND_TITLES: dict[Kind, str] = {"pitch": "pitch", "reverb": "rooms", "masking": "masks"}
_SMALL = {**STYLE, "font.size": 9, "legend.fontsize": 9, "axes.titlesize": 9}


@dataclass(frozen=True)
class Line:
    """How a run, or the mean of runs, is drawn."""

    label: str
    color: str
    dashes: str


@dataclass(frozen=True, eq=False)
class Robustness:
    """Accuracies, 0 to 1."""

    line: Line
    clean: float
    corrupted: Float[np.ndarray, "corruption severity"]
    corrupted_errors: Float[np.ndarray, "corruption severity"] | None = None
    """Standard errors; None for a single run."""


@dataclass(frozen=True, eq=False)
class Agreements:
    """Means over clips, in the order of `PERTURBATIONS`."""

    line: Line
    jsd: Float[np.ndarray, " perturbation"]
    """Nats."""
    flipped: Float[np.ndarray, " perturbation"]
    """Shares."""


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
            bars = np.abs(100 * np.array(ends).T - y) if len(lines) <= _MOST_WITH_BARS else None
            axes.errorbar(x, y, bars, elinewidth=0.8, capsize=2, **_style(line))
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="probability, %", ylabel="right, %", aspect="equal")
        return _with_legend(figure, axes, len(lines) + 1)


def corruption_panels(models: Sequence[Robustness]) -> bytes:
    """Draw the accuracy under each corruption over its severity, one small plot for each, and last their mean."""
    n_rows = -(-(len(CORRUPTIONS) + 1) // _COLUMNS)
    with mpl.rc_context(_SMALL):
        figure = Figure((WIDTH_IN, 0.5 + 1.6 * n_rows), layout="constrained")
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
            axes.set_title("mean of all" if is_mean else _title(CORRUPTIONS[place]), loc="left")
            axes.set(xlim=(-0.2, len(SEVERITIES) + 0.2), ylim=(0, 100), xticks=range(len(SEVERITIES) + 1))
        for axes in panels[len(CORRUPTIONS) + 1 :]:
            axes.set_axis_off()
        figure.supxlabel("severity (0: clean)", fontsize=9)
        figure.supylabel("accuracy, %", fontsize=9)
        return _with_legend(figure, panels[0], len(models))


def agreement_panels(models: Sequence[Agreements]) -> bytes:
    """Draw divergence and flips over the strength of each transform."""
    with mpl.rc_context(_SMALL):
        figure = Figure((WIDTH_IN, 3.8), layout="constrained")
        panels = figure.subplots(2, len(_KIND_TITLES), sharex="col", sharey="row", squeeze=False)
        for column, (kind, title) in enumerate(_KIND_TITLES.items()):
            places = [place for place, perturbation in enumerate(PERTURBATIONS) if perturbation.kind == kind]
            strengths = [PERTURBATIONS[place].strength for place in places]
            for model in models:
                for row, values in enumerate((model.jsd, 100 * model.flipped)):
                    panels[row, column].plot(strengths, values[places], **_style(model.line))
            panels[0, column].set_title(title, loc="left")
            panels[1, column].set_xlabel(UNITS[kind])
        for row, label in enumerate(("JSD, nats", "flips, %")):
            panels[row, 0].set_ylabel(label)
            panels[row, 0].set_ylim(bottom=0)
        return _with_legend(figure, panels[0, 0], len(models))


def _with_legend(figure: Figure, axes: Axes, n_lines: int) -> bytes:
    if n_lines > 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return svg(figure)


def _style(line: Line) -> dict[str, Any]:
    return {"label": line.label, "color": line.color, "linestyle": line.dashes, "linewidth": 1.8, "marker": "o",
            "markersize": 3.5}  # fmt: skip


def _title(corruption: Corruption) -> str:
    return f"{corruption.name}\n{corruption.levels[0]:g} to {corruption.levels[-1]:g} {corruption.unit}"
