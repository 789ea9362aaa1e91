"""A recipe says which transforms make a view, has one way of being written, and is refused in one sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.transforms import (
    TRANSFORMS,
    AddNoise,
    Chain,
    Choose,
    Gain,
    PitchShift,
    Reverb,
    SpecAugment,
    parse_recipe,
)

RATE = 22050
PITCH, REVERB = PitchShift(sample_rate=RATE), Reverb(sample_rate=RATE)
MEANT = {
    "none": None,
    "pitch": PITCH,
    "masking": SpecAugment(),
    "combination": Choose((PITCH, REVERB)),
    "reverb,pitch": Choose((REVERB, PITCH)),
    "noise(snr_db=0..20)+pitch,reverb+masking": Choose(
        (Chain((AddNoise((0, 20), sample_rate=RATE), PITCH)), Chain((REVERB, SpecAugment())))
    ),
    "combination+masking": Chain((Choose((PITCH, REVERB)), SpecAugment())),
    "pitch,pitch,reverb": Choose((PITCH, PITCH, REVERB)),
    "pitch(semitones=-2|-1|1|2)": PitchShift((-2, -1, 1, 2), RATE),
    "pitch(semitones=3)": PitchShift((3,), RATE),
    "gain(gain_db=-3.5)": Gain((-3.5, -3.5)),
    "noise(snr_db=-5..5, color=pink)": AddNoise((-5, 5), "pink", RATE),
    "masking(band_masks=0..2, fill=-80)": SpecAugment((0, 2), fill=-80.0),
    "reverb(n_rooms=50, rt60_s=0.2..0.4)": Reverb(50, (0.2, 0.4), RATE),
}


@pytest.mark.parametrize("text", MEANT)
def test_a_recipe_makes_what_it_says_and_is_written_so(text: str):
    recipe = parse_recipe(text)
    assert recipe.build(RATE) == MEANT[text]
    assert str(recipe) == text


@pytest.mark.parametrize(
    ("spelled", "written"),
    [
        (" pitch , reverb ", "combination"),
        ("noise( snr_db = 5.0 .. 30 )", "noise"),
        ("masking(fill=-80.0,band_masks=0..1)", "masking(band_masks=0..1, fill=-80)"),
        ("reverb(bank=rooms/)", "reverb(bank=rooms/)"),
        ('reverb(bank = "Bob\'s rooms, (old)")+gain', 'reverb(bank="Bob\'s rooms, (old)")+gain'),
        ("recorded-noise(recordings='a b')", "recorded-noise(recordings='a b')"),
    ],
)
def test_two_spellings_are_one_recipe(spelled: str, written: str):
    assert str(parse_recipe(spelled)) == written
    assert parse_recipe(written) == parse_recipe(spelled)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("pitch,", "'pitch,'"),
        ("pitch++noise", r"\+noise"),
        ("pitch reverb", "reverb"),
        ("noise(snr_db=3", "snr_db"),
        ("revreb", "'reverb'"),
        ("none,pitch", "'none'"),
        ("combination(semitones=1)", "combination"),
        ("combination+masking+gain", r"masking\+gain"),
        ("noise(snr=3)", "'snr_db'"),
        ("pitch(sample_rate=8000)", "semitones"),
        ("noise(snr_db=1, snr_db=2)", "snr_db"),
        ("noise(color=red)", "'white'"),
        ("noise(snr_db=20..0)", "noise"),
        ("noise(snr_db=1|2)", r"1\.\.2"),
        ("pitch(semitones=-2..2)", r"1\|2"),
        ("low-pass(cutoff_hz=200000)", "low-pass"),
        ("recorded-noise", r"recordings='a folder/'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence_that_names_it(text: str, named: str):
    with pytest.raises(UserError, match=rf"^[^\n]*{named}[^\n]*$"):
        parse_recipe(text)


def test_what_a_sample_rate_does_not_allow_is_refused_when_it_is_known():
    recipe = parse_recipe("low-pass(cutoff_hz=30000)")
    recipe.build(96000)
    with pytest.raises(UserError, match=r"low-pass: .*22050 Hz"):
        recipe.build(RATE)


def test_what_is_named_is_read_once_the_recipe_is_built():
    recipe = parse_recipe("reverb(n_rooms=50, bank='halls')+gain")
    with pytest.raises(UserError, match="reader"):
        recipe.build(RATE)
    asked = []

    def read(*given: object) -> None:
        asked.append(given)

    recipe.build(RATE, {ResponseBank: read})
    assert asked == [("halls", {"n_rooms": 50}, RATE)]
    assert recipe.text(names_sounds=False) == "reverb(n_rooms=50)+gain"


def test_the_papers_recipes_are_read_without_torch():
    code = (
        "import sys; from cohear.transforms import parse_recipe; from cohear.transforms.recipes import PAPER;"
        "assert [str(parse_recipe(text)) for text in PAPER] == list(PAPER); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_recipes_in_the_documentation_are_recipes_and_name_every_transform():
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "transforms" / "recipes.md").read_text()
    shown = [line.split("`")[1].replace("\\|", "|") for line in page.splitlines() if line.startswith("| `")]
    for other in {*docs.rglob("*.md")} - {docs / "extending.md"}:  # which adds one
        shown += [text[1:-1] for text in re.findall(r"""--transform ('[^']*'|"[^"]*")""", other.read_text())]
    assert len(shown) > 15
    for text in shown:
        parse_recipe(text)
    ours = [name for name in TRANSFORMS if TRANSFORMS[name].__module__.startswith("cohear.")]
    assert all(f"`{name}`" in page for name in ours)
