"""The page: a sound comes in, is heard in four ways, and three sliders say how.

A slider makes one view anew and nothing else, so that the answer is there while it moves and sounds that play go on.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.app.cards import TITLES, heading, said, summary, view_card
from cohear.app.hearing import AMOUNTS, HeardClip, View, hear
from cohear.app.sounds import Excerpt, Take, excerpt_of_file
from cohear.errors import UserError
from cohear.inference.classifier import Classifier

if TYPE_CHECKING:
    import gradio

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

    def hear_sound(take: Take, heard: HeardClip, amounts: Sequence[float]) -> tuple[Any, ...]:
        try:
            return *_hear_in_every_way(classifier, take(), amounts), None
        except UserError as error:
            told = _refusal(error, f"still {heard.excerpt.name}")
            return gr.skip(), told, *(gr.skip() for _ in range(1 + len(TITLES))), None

    def hear_file(path: str, heard: HeardClip, *amounts: float) -> tuple[Any, ...]:
        return hear_sound(lambda: excerpt_of_file(classifier, Path(path)), heard, amounts)

    def hear_example(name: str, heard: HeardClip, *amounts: float) -> tuple[Any, ...]:
        return hear_sound(offered[name], heard, amounts)

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
