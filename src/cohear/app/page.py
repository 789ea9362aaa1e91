"""The page: a sound comes in, is heard in four ways, and three sliders say how.

A slider makes one view anew and nothing else, so that the answer is there while it moves and sounds that play go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohear.app.cards import TITLES, heading, said, summary, view_card
from cohear.app.examples import Example
from cohear.app.excerpts import Excerpt, excerpt_of_file
from cohear.app.hearing import AMOUNTS, Change, HeardClip, hear_changed, hear_clean
from cohear.errors import UserError
from cohear.inference.classifier import Classifier

if TYPE_CHECKING:
    import gradio

_SLIDERS: dict[Change, tuple[str, float]] = {
    "pitch": ("Semitones", 2.0),
    "room": ("RT60, seconds", 0.6),
    "masks": ("Hidden, %", 20.0),
}
"""What they are called, and where they stand at first."""
_QUIETLY: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "concurrency_id": "listening",
    "concurrency_limit": 1,
    "api_visibility": "private",
}
"""Of events: one after the other, since each adds to what was heard before; of those that wait only the last."""


def build_page(classifier: Classifier, name: str, whose: str, offered: Sequence[Example]) -> "gradio.Blocks":
    """Build the page, with the first of the offered sounds on it.

    Args:
        classifier: what listens.
        name: what it is called.
        whose: where the offered sounds come from, in words.
        offered: sounds to begin with, at least one.

    Raises:
        UserError: where the first sound cannot be read, or the classifier's answers are no numbers.
    """
    import gradio as gr

    def hear(take: Callable[[], Excerpt], heard: HeardClip, amounts: Sequence[float]) -> tuple[Any, ...]:
        try:
            return *_hear(classifier, take(), amounts), None
        except UserError as error:
            told = _refusal(error, f"still {heard.excerpt.name}")
            return gr.skip(), told, *(gr.skip() for _ in range(1 + len(TITLES))), None

    def hear_file(path: str | None, heard: HeardClip, *amounts: float, name: str | None = None) -> tuple[Any, ...]:
        if path is None:  # taken away before its turn came
            return (gr.skip(),) * (4 + len(TITLES))
        return hear(lambda: excerpt_of_file(classifier, Path(path), name), heard, amounts)

    def hear_example(index: int, heard: HeardClip, *amounts: float) -> tuple[Any, ...]:
        return hear(offered[index].take, heard, amounts)

    def move(change: Change, heard: HeardClip, amount: float) -> tuple[Any, ...]:
        try:
            view = hear_changed(classifier, heard.excerpt, change, amount)
            moved = replace(heard, views={**heard.views, change: view})
            return moved, _origin(moved), summary(classifier, moved), view_card(classifier, moved, change)
        except UserError as error:
            return gr.skip(), _refusal(error, "as it was before"), gr.skip(), gr.skip()

    opening = _hear(classifier, offered[0].take(), [first for _, first in _SLIDERS.values()])
    with gr.Blocks(title=f"{name} listens", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        _html(heading(classifier, name), "heading")
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
            choices = [(example.name, index) for index, example in enumerate(offered)]
            chosen = gr.Radio(choices, value=0, label=f"Or one of these {whose}", elem_id="offered")
        told, summed_up = _html(opening[1], "said"), _html(opening[2], "summary")
        sliders, cards = {}, []
        with gr.Row(elem_id="views"):
            with gr.Column(min_width=200, elem_classes="view-column"):
                _html(f"<h2>{TITLES['clean']}</h2>", "title-clean")
                still = gr.Button("Sliders to zero", elem_id="still")
                cards.append(_html(opening[3], "view-clean"))
            for change, card in zip(_SLIDERS, opening[4:], strict=True):
                with gr.Column(min_width=200, elem_classes="view-column"):
                    _html(f"<h2>{TITLES[change]}</h2>", f"title-{change}")
                    sliders[change] = _slider(change)
                    cards.append(_html(card, f"view-{change}"))
        state = gr.State(opening[0])
        inputs, outputs = [state, *sliders.values()], [state, told, summed_up, *cards]
        given.upload(hear_file, [given, *inputs], [*outputs, chosen], **_QUIETLY)
        hear_recording = partial(hear_file, name="Your recording")
        given.stop_recording(hear_recording, [given, *inputs], [*outputs, chosen], **_QUIETLY)
        chosen.input(hear_example, [chosen, *inputs], [*outputs, given], **_QUIETLY)
        for (change, slider), card in zip(sliders.items(), cards[1:], strict=True):
            slider.change(partial(move, change), [state, slider], [state, told, summed_up, card], **_QUIETLY)
        still.click(lambda: [0] * len(sliders), None, list(sliders.values()), **_QUIETLY)
    return page


def _html(text: str, place: str) -> Any:
    import gradio as gr

    return gr.HTML(text, elem_id=place, apply_default_css=False)


def _slider(view: Change) -> Any:
    import gradio as gr

    label, first = _SLIDERS[view]
    low, high, step = AMOUNTS[view]
    return gr.Slider(low, high, first, step=step, label=label, elem_id=f"slider-{view}", buttons=[])


def _hear(classifier: Classifier, excerpt: Excerpt, amounts: Sequence[float]) -> tuple[Any, ...]:
    """Hear a clip in every way: the clip as heard, what is said of it, what sums up, and the views."""
    views = {"clean": hear_clean(classifier, excerpt)}
    for change, amount in zip(_SLIDERS, amounts, strict=True):
        views[change] = hear_changed(classifier, excerpt, change, amount)
    heard = HeardClip(excerpt, views)
    cards = (view_card(classifier, heard, view) for view in TITLES)
    return heard, _origin(heard), summary(classifier, heard), *cards


def _origin(heard: HeardClip) -> str:
    return said(heard.excerpt.origin, heard.excerpt.name)


def _refusal(error: UserError, below: str) -> str:
    return said(f"{str(error).rstrip('.')}. What is below is {below}.", is_error=True)
