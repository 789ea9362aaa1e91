"""How every picture looks, and how it becomes the bytes of a file."""

import io
from typing import Any

from matplotlib.figure import Figure

WIDTH_IN = 5.4
"""So wide that the text can be read when a page shows a picture across the width of a phone."""

STYLE: dict[Any, Any] = {
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


def svg(figure: Figure) -> bytes:
    """Write a figure as SVG, the same bytes for the same figure."""
    output = io.BytesIO()
    figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
    return output.getvalue()
