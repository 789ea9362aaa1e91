"""What the page does when somebody chooses a sound or moves a slider, where the network's answers are no numbers."""

import asyncio
import copy
import dataclasses

import pytest
import torch

from cohear.app.hearing import AMOUNTS, HeardClip, hear
from cohear.app.page import build_page
from cohear.errors import UserError

FIRST = {"clean": 0.0, **{view: amounts.first for view, amounts in AMOUNTS.items()}}
REFUSED = "the network answers with NaN or infinite numbers"


@pytest.fixture
def wild(classifier):
    """One that answers as the other does, until somebody makes its weights too large."""
    return dataclasses.replace(classifier, network=copy.deepcopy(classifier.network))


def _grow(classifier):
    with torch.no_grad():
        classifier.network.head.weight.fill_(3e38)


def _on(page, place):
    """Find what is called when the part of the page with that id is used."""
    (event,) = (event for event in page.fns.values() if page.blocks[event.targets[0][0]].elem_id == place)
    return event.fn


def _texts(updates):
    """Return the HTML among what is sent to the page."""
    return [update for update in updates if isinstance(update, str)]


@pytest.fixture
def page(wild, noise):
    pytest.importorskip("gradio")

    async def build():  # where no event loop runs, Gradio makes one and leaves it open
        return build_page(wild, "wild", "made-up sounds", {"noise": lambda: noise})

    return asyncio.run(build())


def test_a_page_of_answers_that_are_no_numbers_is_not_opened(wild, noise):
    pytest.importorskip("gradio")
    _grow(wild)
    with pytest.raises(UserError, match=REFUSED):
        build_page(wild, "wild", "made-up sounds", {"noise": lambda: noise})


def test_such_answers_to_a_sound_or_a_slider_leave_the_page_and_say_why(page, wild, noise):
    heard = HeardClip(noise, {view: hear(wild, noise, view, amount) for view, amount in FIRST.items()})
    another, moving = _on(page, "offered"), _on(page, "slider-pitch")
    sound_weights = copy.deepcopy(wild.network.state_dict())
    assert len(_texts(another("noise", heard, 2.0, 0.6, 20.0))) == 2 + 4
    _grow(wild)
    for shown in (another("noise", heard, 2.0, 0.6, 20.0), moving(heard, 3.0)):
        (text,) = _texts(shown)
        assert REFUSED in text
    wild.network.load_state_dict(sound_weights)
    moved, *shown = moving(heard, 3.0)
    assert moved.views["pitch"].description == "pitch +3 semitones"
    origin, _, card = _texts(shown)
    assert "noise" in origin
    assert "pitch +3 semitones" in card
