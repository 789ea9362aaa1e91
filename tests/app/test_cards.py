"""What stands on the page, read back from its HTML and its pictures."""

import dataclasses
import io
import math
import re
from base64 import b64decode

import numpy as np
import pytest
import soundfile

from cohear.app.cards import TITLES, heading, said, summary, view_card, waveform_strokes
from cohear.app.hearing import HeardClip, hear
from cohear.evaluation.calibration import Calibration
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
    several = changed(classifier, task="multi_label")
    text = summary(several, _with_logits(heard, clean=[9, 9, -9, -9, -9], room=[-9] * 5))
    assert "</span> ape, bee</li>" in text
    assert "</span> none of its labels</li>" in text


def test_names_of_other_people_are_escaped_everywhere(classifier, heard):
    nasty = changed(classifier, classes=tuple(f"{NASTY} {number}" for number in range(5)))
    pages = [summary(nasty, heard), heading(nasty, NASTY), said(NASTY, NASTY)]
    for text in (*pages, *(view_card(nasty, heard, name) for name in TITLES)):
        assert "<script" not in text
        assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quotes&#34;" in text


def test_the_heading_says_what_the_classifier_can_answer(classifier):
    assert "5 labels, one for each clip, also where it is none of them · clips of 1 s · 16 kHz\n" in heading(
        classifier, "run"
    )
    fitted = changed(classifier, background="dog", calibration=Calibration(n_clips=12))
    assert "5 labels, one for each clip · clips of 1 s · 16 kHz · probabilities calibrated on 12" in heading(
        fitted, "run"
    )
    assert "several at once ·" in heading(changed(classifier, task="multi_label"), "run")


def test_a_waveform_reaches_from_its_lowest_to_its_highest_samples():
    waveform = np.zeros(3000, np.float32)
    waveform[1000:1010], waveform[2999] = [0.5, -0.25] * 5, -1.0
    strokes = waveform_strokes(waveform, loudest=0.5)
    assert len(strokes) == 300
    assert strokes[100] == (0, 75)
    assert strokes[299] == (50, 100)  # louder than the loudest: at the edge
    assert strokes[0] == (50, 51)  # silence is a line
    assert len(waveform_strokes(np.zeros(2, np.float32), loudest=1.0)) == 2
