"""What a clip looks like: its waveform as an SVG path, its log-mel spectrogram as a small PNG.

One cell of the spectrogram is one pixel, which the page enlarges. Both are made in a few milliseconds.
"""

import io

import numpy as np
from jaxtyping import Float, UInt8
from markupsafe import Markup
from PIL import Image

DYNAMIC_RANGE_DB = 80.0
"""From the brightest to the darkest color of a spectrogram, as in reports."""

_N_COLUMNS = 300
"""Of a waveform."""
_MAGMA = (
    *("#000004", "#0b0924", "#20114b", "#3b0f70", "#57157e", "#721f81", "#8c2981", "#a8327d", "#c43c75"),
    *("#de4968", "#f1605d", "#fa7f5e", "#fe9f6d", "#febf84", "#fddea0", "#fcfdbf"),
)
"""Every 17th color of matplotlib's magma, by N. J. Smith and S. van der Walt (CC0), from dark to bright."""


def log_mel_png(log_mel: Float[np.ndarray, "band frame"], loudest_db: float) -> bytes:
    """Draw a log-mel spectrogram, low bands below (PNG).

    Args:
        log_mel: dB.
        loudest_db: the brightest color; the darkest is 80 dB below.
    """
    shares = np.clip((log_mel - loudest_db) / DYNAMIC_RANGE_DB + 1, 0, 1)
    image = Image.fromarray(np.rint(255 * shares[::-1]).astype(np.uint8), mode="P")
    image.putpalette(palette().tobytes())
    output = io.BytesIO()
    image.save(output, "png")
    return output.getvalue()


def palette() -> UInt8[np.ndarray, "256 3"]:
    """Return red, green and blue of the colors from dark to bright."""
    known = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in _MAGMA])
    places = np.linspace(0, len(known) - 1, 256)
    return np.stack([np.rint(np.interp(places, np.arange(len(known)), c)) for c in known.T], 1).astype(np.uint8)


def waveform_svg(waveform: Float[np.ndarray, " time"], loudest: float) -> Markup:
    """Draw a waveform: in each of 300 columns from its lowest to its highest sample (SVG, as wide as its place).

    Args:
        waveform: at least one sample.
        loudest: what reaches the edge, > 0; the same for all views of a clip, so that their pictures compare.
    """
    edges = np.linspace(0, len(waveform), min(_N_COLUMNS, len(waveform)), endpoint=False).astype(int)
    lows, highs = np.minimum.reduceat(waveform, edges), np.maximum.reduceat(waveform, edges)
    tops, bottoms = (np.rint(np.clip(50 - 50 * side / loudest, 0, 100)).astype(int) for side in (highs, lows))
    bars = "".join(
        f"M{x + 0.5} {top}V{max(bottom, top + 1)}" for x, (top, bottom) in enumerate(zip(tops, bottoms, strict=True))
    )
    return Markup(
        '<svg class=waveform viewBox="0 0 {} 100" preserveAspectRatio=none role=img aria-label="Waveform">'
        '<path d="{}"/></svg>'
    ).format(len(edges), bars)
