"""The parts of the page that change, as HTML: each view with its picture, sound and answer, and what sums them up.

Every text in them is escaped: labels and file names are other people's.
"""

import math
from typing import Any

import jinja2
import numpy as np
from jaxtyping import Float

from cohear.app.hearing import HeardClip, HeardView, View, answered, divergence, probabilities
from cohear.inference.classifier import Classifier
from cohear.reports.pages import data_uri, mp3_bytes
from cohear.reports.plots import log_mel_png
from cohear.reports.tables import nats_text

TITLES: dict[View, str] = {
    "clean": "As it is",
    "pitch": "Higher or lower",
    "room": "In a room",
    "masks": "With gaps",
}
"""What the views are called, in their order."""

_N_BARS = 4
_N_COLUMNS = 300
"""Of a waveform."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.app"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
_TEMPLATES.filters["nats"] = nats_text


def view_card(classifier: Classifier, heard: HeardClip, name: View) -> str:
    """Write one view: its picture, its sound, the likeliest labels, and how far it is from the clean clip."""
    view, clean = heard.views[name], heard.views["clean"]
    return _render(
        "view.html",
        name=name,
        view=view,
        strokes=waveform_strokes(view.waveform, float(np.abs(clean.waveform).max()) or 1.0),
        spectrogram=data_uri(log_mel_png(view.log_mel, float(clean.log_mel.max())), "image/png"),
        duration_s=classifier.clip_s,
        sound=data_uri(mp3_bytes(view.waveform, classifier.sample_rate), "audio/mpeg"),
        bars=_bars(classifier, view, clean),
        jsd=divergence(classifier, [clean, view]),
    )


def summary(classifier: Classifier, heard: HeardClip) -> str:
    """Write how far the answers disagree, and what each of them is."""
    answers = {TITLES[name]: answered(classifier, view) for name, view in heard.views.items()}
    jsd = divergence(classifier, list(heard.views.values()))
    return _render("summary.html", jsd=jsd, largest=math.log(len(answers)), answers=answers, clean=TITLES["clean"])


def heading(classifier: Classifier, name: str) -> str:
    """Write which classifier it is and what it can answer."""
    return _render("heading.html", name=name, classifier=classifier)


def said(text: str, name: str = "", *, is_error: bool = False) -> str:
    """Write a sentence on the sound, or what is wrong with it."""
    return _render("said.html", name=name, text=text, is_error=is_error)


def waveform_strokes(waveform: Float[np.ndarray, " time"], loudest: float) -> list[tuple[int, int]]:
    """Return the picture of a waveform, for each of 300 columns where its stroke begins and ends, 0 (top) to 100.

    A stroke reaches from the lowest to the highest sample of its column.

    Args:
        waveform: at least one sample.
        loudest: what reaches the edge, > 0; the same for all views of a clip, so that their pictures compare.
    """
    edges = np.linspace(0, len(waveform), min(_N_COLUMNS, len(waveform)), endpoint=False).astype(int)
    lows, highs = np.minimum.reduceat(waveform, edges), np.maximum.reduceat(waveform, edges)
    tops, bottoms = (np.rint(np.clip(50 - 50 * side / loudest, 0, 100)).astype(int) for side in (highs, lows))
    return list(zip(tops.tolist(), np.maximum(bottoms, tops + 1).tolist(), strict=True))


def _bars(classifier: Classifier, view: HeardView, clean: HeardView) -> list[dict[str, Any]]:
    """Choose the likeliest labels, and what the clean clip was taken for in any case."""
    shares, first = probabilities(classifier, view), int(np.argmax(clean.logits))
    shown = np.argsort(-shares, kind="stable")[:_N_BARS].tolist()
    if first not in shown:
        shown[-1] = first
    return [{"label": classifier.classes[k], "percent": 100 * float(shares[k]), "is_clean": k == first} for k in shown]


def _render(template: str, **content: Any) -> str:
    return _TEMPLATES.get_template(template).render(**content)
