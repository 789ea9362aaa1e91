"""The page: a sound comes in, is heard in four ways, and three sliders say how.

A slider makes one view anew and nothing else, so that the answer is there while it moves and sounds that play go on.
Every text in what changes on the page is escaped: labels and file names are other people's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from jaxtyping import Float

from cohear.app.hearing import AMOUNTS, HeardClip, HeardView, View, answered, divergence, hear, probabilities
from cohear.app.sounds import Excerpt, Take, excerpt_of_file
from cohear.errors import UserError
from cohear.inference.classifier import Classifier
from cohear.reports.pages import data_uri, mp3_bytes, nats_text
from cohear.reports.plots import log_mel_png

if TYPE_CHECKING:
    import gradio

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


_QUIETLY: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "concurrency_id": "listening",
    "concurrency_limit": 1,
    "api_visibility": "private",
}
"""Of events: one after the other, since each adds to what was heard before; of those that wait only the last."""


def build_page(classifier: Classifier, name: str, whose: str, offered: dict[str, Take]) -> "gradio.Blocks":
    """Build the page, with the first of the offered sounds on it.

    Args:
        classifier: what listens.
        name: what it is called.
        whose: where the offered sounds come from, in words.
        offered: sounds to begin with, at least one, by what their buttons say.

    Raises:
        UserError: where the first sound cannot be read, or the classifier's answers are no numbers.
    """
    import gradio as gr

    html = partial(gr.HTML, apply_default_css=False)

    def hear_sound(take: Callable[[str], Excerpt], of: str, heard: HeardClip, *amounts: float) -> tuple[Any, ...]:
        try:
            return *_hear_in_every_way(classifier, take(of), amounts), None
        except UserError as error:
            told = _refusal(error, f"still {heard.excerpt.name}")
            return gr.skip(), told, *(gr.skip() for _ in range(1 + len(TITLES))), None

    hear_file = partial(hear_sound, lambda path: excerpt_of_file(classifier, Path(path)))
    hear_example = partial(hear_sound, lambda name: offered[name]())

    def move(view: View, heard: HeardClip, amount: float) -> tuple[Any, ...]:
        try:
            moved = replace(heard, views={**heard.views, view: hear(classifier, heard.excerpt, view, amount)})
            return moved, _origin(moved), summary(classifier, moved), view_card(classifier, moved, view)
        except UserError as error:
            return gr.skip(), _refusal(error, "as it was before"), gr.skip(), gr.skip()

    first, *_ = offered
    opening = _hear_in_every_way(classifier, offered[first](), [amounts.first for amounts in AMOUNTS.values()])
    with gr.Blocks(title=f"{name} listens", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        html(heading(classifier, name), elem_id="heading")
        with gr.Row(elem_id="sources"):
            given = gr.Audio(
                sources=["upload", "microphone"],
                type="filepath",
                label="A sound of yours",
                editable=False,
                buttons=[],
                waveform_options={"show_recording_waveform": False},
                elem_id="given",
            )
            chosen = gr.Radio(list(offered), value=first, label=f"Or one of these {whose}", elem_id="offered")
        told, summed_up = html(opening[1], elem_id="said"), html(opening[2], elem_id="summary")
        controls, cards = [], []
        with gr.Row(elem_id="views"):
            for view, card in zip(TITLES, opening[3:], strict=True):
                with gr.Column(min_width=200, elem_classes="view-column"):
                    html(f"<h2>{TITLES[view]}</h2>", elem_id=f"title-{view}")
                    controls.append(_slider(view) if view in AMOUNTS else gr.Button("Sliders to zero", elem_id="still"))
                    cards.append(html(card, elem_id=f"view-{view}"))
        state, (still, *sliders) = gr.State(opening[0]), controls
        inputs, outputs = [state, *sliders], [state, told, summed_up, *cards]
        gr.on([given.upload, given.stop_recording], hear_file, [given, *inputs], [*outputs, chosen], **_QUIETLY)
        chosen.input(hear_example, [chosen, *inputs], [*outputs, given], **_QUIETLY)
        for view, slider, card in zip(AMOUNTS, sliders, cards[1:], strict=True):
            slider.change(partial(move, view), [state, slider], [state, told, summed_up, card], **_QUIETLY)
        still.click(lambda: [0] * len(sliders), None, sliders, **_QUIETLY)
    return page


def _slider(view: View) -> Any:
    import gradio as gr

    unit, low, high, step, first = AMOUNTS[view]
    return gr.Slider(low, high, first, step=step, label=unit, elem_id=f"slider-{view}", buttons=[])


def _hear_in_every_way(classifier: Classifier, excerpt: Excerpt, amounts: Sequence[float]) -> tuple[Any, ...]:
    """Return the clip as heard, what is said of it, what sums up, and the views."""
    views: dict[View, Any] = {"clean": hear(classifier, excerpt)}
    views |= {view: hear(classifier, excerpt, view, amount) for view, amount in zip(AMOUNTS, amounts, strict=True)}
    heard = HeardClip(excerpt, views)
    return heard, _origin(heard), summary(classifier, heard), *(view_card(classifier, heard, view) for view in TITLES)


def _origin(heard: HeardClip) -> str:
    return said(heard.excerpt.origin, heard.excerpt.name)


def _refusal(error: UserError, below: str) -> str:
    return said(f"{str(error).rstrip('.')}. What is below is {below}.", is_error=True)


def view_card(classifier: Classifier, heard: HeardClip, name: View) -> str:
    """Write one view: its picture, its sound, the likeliest labels, and how far it is from the clean clip."""
    view, clean = heard.views[name], heard.views["clean"]
    return _render(
        "view.html",
        name=name,
        view=view,
        strokes=waveform_strokes(view.waveform, float(np.abs(clean.waveform).max()) or 1.0),
        spectrogram=data_uri(log_mel_png(view.picture, float(clean.log_mel.max())), "image/png"),
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
