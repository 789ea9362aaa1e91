"""What stands on the page, read back from its HTML and pictures; what it does where answers are no numbers."""

import asyncio
import copy
import dataclasses
import io
import math
import re
from base64 import b64decode

import numpy as np
import pytest
import soundfile
import torch

from cohear.app.hearing import AMOUNTS, HeardClip, hear
from cohear.app.page import TITLES, build_page, heading, said, summary, view_card
from made_models import changed

NASTY = "<script>alert('x')</script> & \"quotes\" ${1} {{2}}"


@pytest.fixture(scope="module")
def heard(classifier, noise):
    amounts = {"clean": 0.0, "pitch": 2.0, "room": 2.0, "masks": 40.0}
    return HeardClip(noise, {view: hear(classifier, noise, view, amount) for view, amount in amounts.items()})


def _with_logits(heard, **logits):
    views = {
        name: dataclasses.replace(view, logits=np.array(logits.get(name, [9, 0, 1, 2, 3]), np.float32))
        for name, view in heard.views.items()
    }
    return HeardClip(heard.excerpt, views)


def test_a_view_has_picture_sound_and_the_likeliest_labels(classifier, heard):
    card = view_card(classifier, heard, "pitch")
    assert "pitch +2 semitones" in card
    assert card.count('<img src="data:image/png;base64,') == card.count("<svg") == 1
    sound, rate = soundfile.read(io.BytesIO(b64decode(re.search(r"data:audio/mpeg;base64,([^\"]+)", card)[1])))
    assert rate == 16000
    assert np.square(sound).mean() == pytest.approx(np.square(heard.views["pitch"].waveform).mean(), rel=0.2)
    percent = [float(number) for number in re.findall(r"<span>([\d.]+)%</span>", card)]
    assert len(percent) == 4
    assert percent == sorted(percent, reverse=True)
    assert [float(width) for width in re.findall(r"width: ([\d.]+)%", card)] == percent


def test_the_label_of_the_clean_clip_is_marked_wherever_it_stands(classifier, heard):
    card = view_card(classifier, _with_logits(heard, room=[-9, 0, 1, 2, 3]), "room")
    assert re.findall(r'class="answer( clean)?"><span>(\w+)<', card) == [
        *(("", "emu"), ("", "dog"), ("", "cat"), (" clean", "ape")),
    ]  # fmt: skip


def test_the_summary_names_the_answers_and_those_that_differ(classifier, heard):
    text = summary(classifier, _with_logits(heard, masks=[0, 0, 9, 0, 0]))
    items = re.findall(r"<li( class=other)?><span class=quiet>(.*?)</span> (.*?)</li>", text)
    assert items == [
        *(("", TITLES[view], "ape") for view in ("clean", "pitch", "room")),
        (" class=other", "With gaps", "cat"),
    ]
    jsd = float(re.search(r'data-jsd="([^"]+)"', text)[1])
    certain = math.log(4) - 0.75 * math.log(3)  # entropy of 3/4 and 1/4
    assert jsd == pytest.approx(certain, rel=0.02)
    assert f"width: {100 * jsd / math.log(4):.1f}%" in text


def test_names_of_other_people_are_escaped_everywhere(classifier, heard):
    nasty = changed(classifier, classes=tuple(f"{NASTY} {number}" for number in range(5)))
    pages = [summary(nasty, heard), heading(nasty, NASTY), said(NASTY, NASTY)]
    for text in (*pages, *(view_card(nasty, heard, name) for name in TITLES)):
        assert "<script" not in text
        assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quotes&#34;" in text


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
