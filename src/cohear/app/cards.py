"""The parts of the page that change, as HTML: each view with its picture, sound and answer, and what sums them up.

Every text in them is escaped: labels and file names are other people's.
"""

import math
from typing import Any

import jinja2
import numpy as np

from cohear.app.hearing import HeardClip, HeardView, answered, divergence, probabilities
from cohear.app.pictures import DYNAMIC_RANGE_DB, log_mel_png, waveform_svg
from cohear.inference.classifier import Classifier
from cohear.models.log_mel import POWER_FLOOR
from cohear.reports.pages import data_uri
from cohear.reports.sounds import mp3_bytes
from cohear.reports.tables import nats_text

TITLES = {"clean": "As it is", "pitch": "Higher or lower", "room": "In a room", "masks": "With gaps"}
"""What the views are called, in their order."""
_N_BARS = 4
_SILENCE_DB = 10 * math.log10(POWER_FLOOR) + 0.01
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.app"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["nats"] = nats_text
_TEMPLATES.filters["g"] = "{:g}".format


def view_card(classifier: Classifier, heard: HeardClip, name: str) -> str:
    """Write one view: its picture, its sound, the likeliest labels, and how far it is from the clean clip."""
    view, clean = heard.views[name], heard.views["clean"]
    loudest_db = float(clean.log_mel.max())
    if loudest_db <= _SILENCE_DB:  # no louder than nothing: dark, not the brightest there is
        loudest_db += DYNAMIC_RANGE_DB
    return _render(
        "view.html",
        name=name,
        view=view,
        waveform=waveform_svg(view.waveform, float(np.abs(clean.waveform).max()) or 1.0),
        spectrogram=data_uri(log_mel_png(view.log_mel, loudest_db), "image/png"),
        duration_s=classifier.clip_s,
        sound=data_uri(mp3_bytes(view.waveform, classifier.sample_rate), "audio/mpeg"),
        bars=_bars(classifier, view, clean),
        comparison=_comparison(classifier, name, view, clean),
    )


def summary(classifier: Classifier, heard: HeardClip) -> str:
    """Write how far the answers disagree, and what each of them is."""
    clean = answered(classifier, heard.views["clean"])
    answers = {name: answered(classifier, view) for name, view in heard.views.items()}
    return _render(
        "summary.html",
        jsd=divergence(classifier, list(heard.views.values())),
        largest=math.log(len(heard.views)),
        verdicts=[
            {"title": TITLES[name], "answer": ", ".join(answer) or "none of its labels", "differs": answer != clean}
            for name, answer in answers.items()
        ],
    )


def heading(classifier: Classifier, name: str) -> str:
    """Write which classifier it is and what it can answer."""
    kind = "several at once" if classifier.multi_label else "one for each clip"
    if not classifier.multi_label and classifier.background is None:
        kind += ", also where it is none of them"
    facts = [
        f"{len(classifier.classes)} labels, {kind}",
        f"clips of {classifier.clip_s:g} s",
        f"{classifier.sample_rate / 1000:g} kHz",
    ]
    if classifier.calibration.is_fitted:
        facts.append(f"probabilities calibrated on {classifier.calibration.n_clips} validation clips")
    return _render("heading.html", name=name, facts=facts)


def said(text: str, name: str = "", *, is_error: bool = False) -> str:
    """Write a sentence on the sound, or what is wrong with it."""
    return _render("said.html", name=name, text=text, is_error=is_error)


def _bars(classifier: Classifier, view: HeardView, clean: HeardView) -> list[dict[str, Any]]:
    """Choose the likeliest labels, and what the clean clip was taken for in any case."""
    shares, first = probabilities(classifier, view), int(np.argmax(clean.logits))
    shown = np.argsort(-shares, kind="stable")[:_N_BARS].tolist()
    if first not in shown:
        shown[-1] = first
    return [{"label": classifier.classes[k], "percent": 100 * float(shares[k]), "is_clean": k == first} for k in shown]


def _comparison(classifier: Classifier, name: str, view: HeardView, clean: HeardView) -> str:
    if name == "clean":
        return "Blue, in all four: the likeliest label of the clean clip."
    told = f"JSD from the clean clip {nats_text(divergence(classifier, [clean, view]))} nats, at most 0.69."
    return f"{told} The sound leaves out what is hidden." if name == "masks" else told


def _render(template: str, **content: Any) -> str:
    return _TEMPLATES.get_template(template).render(**content)
