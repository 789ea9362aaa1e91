"""How every picture looks, and how it becomes the bytes of a file."""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

WIDTH_IN = 5.4
"""So wide that the text can be read when a page shows a picture across the width of a phone."""

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Characters that no SVG may hold, as a label may."""

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


def svg(figure: Figure) -> bytes:
    """Write a figure as SVG, the same bytes for the same figure."""
    output = io.StringIO()
    figure.savefig(output, format="svg", metadata={"Date": None, "Creator": None})
    return _NOT_XML.sub("?", output.getvalue()).encode()
