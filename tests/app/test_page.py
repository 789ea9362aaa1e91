"""What the page does when somebody chooses a sound or moves a slider, where the network's answers are no numbers."""

import asyncio
import copy
import dataclasses
import re

import numpy as np
import pytest
import torch

from cohear.app.cards import summary
from cohear.app.examples import Example
from cohear.app.hearing import Change, HeardClip, divergence, hear_changed, hear_clean
from cohear.app.page import build_page
from cohear.errors import UserError

AMOUNTS: dict[Change, float] = {"pitch": 2.0, "room": 0.6, "masks": 20.0}
REFUSED = "the network answers with NaN or infinite numbers"


@pytest.fixture
def wild(classifier):
    """One that answers as the other does, until somebody makes its weights too large."""
    return dataclasses.replace(classifier, network=copy.deepcopy(classifier.network))


def _grow(classifier):
    with torch.no_grad():
        classifier.network.linear.weight.fill_(3e38)


def _on(page, place):
    """Find what is called when the part of the page with that id is used."""
    (event,) = (event for event in page.fns.values() if page.blocks[event.targets[0][0]].elem_id == place)
    return event.fn


def _texts(updates):
    """Return the HTML among what is sent to the page."""
    return [update for update in updates if isinstance(update, str)]


@pytest.fixture
def heard(classifier, noise):
    views = {"clean": hear_clean(classifier, noise)}
    views |= {change: hear_changed(classifier, noise, change, amount) for change, amount in AMOUNTS.items()}
    return HeardClip(noise, views)


@pytest.fixture
def page(wild, noise):
    pytest.importorskip("gradio")

    async def build():  # where no event loop runs, Gradio makes one and leaves it open
        return build_page(wild, "wild", "made-up sounds", [Example("noise", lambda: noise)])

    return asyncio.run(build())


def test_a_page_of_answers_that_are_no_numbers_is_not_opened(wild, noise):
    pytest.importorskip("gradio")
    _grow(wild)
    with pytest.raises(UserError, match=REFUSED):
        build_page(wild, "wild", "made-up sounds", [Example("noise", lambda: noise)])


def test_a_sound_with_such_answers_leaves_the_page_and_says_why(page, wild, heard):
    assert len(_texts(_on(page, "offered")(0, heard, *AMOUNTS.values()))) == 2 + 4
    _grow(wild)
    (text,) = _texts(_on(page, "offered")(0, heard, *AMOUNTS.values()))
    assert REFUSED in text
    assert "What is below is still noise." in text


def test_so_does_a_slider_and_the_next_good_answer_takes_the_sentence_away(page, wild, heard):
    sound_weights = copy.deepcopy(wild.network.state_dict())
    _grow(wild)
    (text,) = _texts(_on(page, "slider-pitch")(heard, 3.0))
    assert REFUSED in text
    assert "What is below is as it was before." in text
    wild.network.load_state_dict(sound_weights)
    moved, *shown = _on(page, "slider-pitch")(heard, 3.0)
    assert moved.views["pitch"].description == "pitch +3 semitones"
    origin, summed_up, card = _texts(shown)
    assert re.sub("<[^>]+>", "", origin).startswith("noise: made here")
    assert "nats" in summed_up
    assert "pitch +3 semitones" in card


def test_a_divergence_that_is_no_number_is_not_shown_as_agreement(classifier, noise):
    clean, changed = hear_clean(classifier, noise), hear_changed(classifier, noise, "pitch", 2.0)
    vast = np.array([3e38, -3e38, 0, 0, 0], np.float32)  # finite, and their differences are not
    views = [dataclasses.replace(view, logits=vast) for view in (clean, changed)]
    with pytest.raises(UserError, match=REFUSED):
        divergence(classifier, views)
    with pytest.raises(UserError, match=REFUSED):
        summary(classifier, HeardClip(noise, {"clean": views[0], "pitch": views[1]}))
