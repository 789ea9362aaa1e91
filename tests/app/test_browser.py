"""The page in a real browser: sounds come in, sliders move, answers follow, and nothing leaves the machine.

Skipped only where no Chromium is installed, and neither COHEAR_BROWSER nor CI asks for one.
"""

import os
import re
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.cli import run as command
from tiny import OPTIONS, write_tones

LABELS = ("<b onclick=alert(1)>bee</b>", "${1}{{cat}}", "\"dog\" & 'co'")
RATE = 16000
VIEWS = ("clean", "pitch", "room", "masks")

pytestmark = pytest.mark.slow


@cache
def driving():
    """What drives the page for the pictures of the documentation too."""
    return runpy.run_path(str(Path(__file__).parents[2] / "docs" / "regenerate_listening.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose labels are nobody's friends."""
    folder = tmp_path_factory.mktemp("run")
    table = write_tones(folder / "data")
    text = table.read_text()
    for number, label in enumerate(LABELS):
        quoted = '"' + label.replace('"', '""') + '"'
        text = text.replace(f",tone{number},", f",{quoted},")
    table.write_text(text)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(folder / "cache"))
        assert command(["train", str(table), *OPTIONS, "--track", "end", "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def server(run, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("temporary")
    with driving()["served"](run, TMPDIR=str(temporary)) as server:
        yield server
        assert list(temporary.iterdir())
        assert server.stop() == 130
    assert server.said == ["cohear: stopped"]
    assert not list(temporary.iterdir()), "uploads were left behind"


@pytest.fixture(scope="module")
def browser():
    executable = driving()["chromium"]()
    if executable is None:
        assert "COHEAR_BROWSER" not in os.environ, f"COHEAR_BROWSER={os.environ['COHEAR_BROWSER']} is no program"
        assert "CI" not in os.environ, "no Chromium; make browser installs it"
        pytest.skip("no Chromium; make browser installs it")
    with driving()["browsing"](executable) as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    with driving()["opened"](browser, server.address) as page:
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        yield page
        assert problems == []


@pytest.fixture
def sound(tmp_path):
    """Two seconds of two channels, quiet but for a chirp at the end."""
    random = np.random.default_rng(0)
    time_s = np.arange(2 * RATE) / RATE
    chirp = 0.5 * np.sin(2 * np.pi * (300 + 400 * time_s) * time_s) * (time_s > 1.5)
    path = tmp_path / "<i>pond<i> & reed.wav"
    soundfile.write(path, chirp[:, None] + 0.001 * random.standard_normal((len(time_s), 2)), RATE)
    return path


def _jsd(page):
    return float(page.get_attribute("[data-jsd]", "data-jsd"))


def _percent(page, view):
    """The probabilities of a view, once as written and once as wide as the bars are."""
    texts = page.locator(f"#view-{view} .answer > span:nth-child(2)").all_inner_texts()
    widths = page.eval_on_selector_all(
        f"#view-{view} .bar span", "bars => bars.map(bar => bar.offsetWidth / bar.parentElement.offsetWidth)"
    )
    percent = [float(text.rstrip("%")) for text in texts]
    assert [100 * width for width in widths] == pytest.approx(percent, abs=2)
    return percent


def _upload(page, path, words):
    page.set_input_files("#given input[type=file]", path)
    page.locator("#said", has_text=words).wait_for()


def test_an_uploaded_sound_is_heard_in_four_ways(page, sound):
    _upload(page, sound, "reed.wav: 2.00 s at 16000 Hz, the mean of 2 channels")
    assert page.locator("#said i").count() == 0
    for view in VIEWS:
        card = page.locator(f"#view-{view}")
        assert card.locator("svg.waveform path").count() == 1
        assert card.locator("img").evaluate("image => image.naturalWidth") > 20
        audio = card.locator("audio").element_handle()
        page.wait_for_function("audio => audio.duration > 0.55 && audio.duration < 0.8", arg=audio)
        assert len(_percent(page, view)) == 3
    assert page.locator("#offered .selected").count() == 0


def test_sliders_move_bars_and_divergence_at_once(page):
    before = {view: page.inner_html(f"#view-{view} article") for view in VIEWS}
    jsd = _jsd(page)
    page.fill("#slider-pitch input[type=range]", "-7")
    page.locator("#view-pitch .done", has_text="pitch -7 semitones").wait_for()
    assert _jsd(page) != jsd
    assert [view for view, html in before.items() if page.inner_html(f"#view-{view} article") != html] == ["pitch"]
    page.fill("#slider-masks input[type=range]", "60")
    page.locator("#view-masks .done", has_text="60 % of bands and of time hidden").wait_for()
    page.click("#still")
    for view in VIEWS:
        page.locator(f"#view-{view} .done", has_text=re.compile("^clean$")).wait_for()
        assert _percent(page, view) == _percent(page, "clean")
    assert _jsd(page) == pytest.approx(0, abs=1e-6)


def test_labels_of_other_people_are_text_and_nothing_else(page):
    assert page.locator("#offered label").all_inner_texts() == sorted(LABELS)
    page.locator("#offered label").nth(1).click()
    page.locator("#said", has_text="tone1-1-0.wav").wait_for()
    shown = page.locator("#view-clean .answer > span:first-child").all_inner_texts()
    assert sorted(shown) == sorted(LABELS)
    assert page.locator(".answer b, .verdicts b, #offered b").count() == 0


def test_what_cannot_be_heard_is_answered_in_a_sentence(page, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound at all")
    _upload(page, tmp_path / "notes.wav", "notes.wav cannot be read as sound")
    assert "What is below is still tone" in page.inner_text("#said")
    page.click("#given [aria-label=Clear]")
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(101 << 20)
    page.set_input_files("#given input[type=file]", tmp_path / "huge.wav")
    page.get_by_text("exceed the maximum allowed size of 100").wait_for()


def test_the_page_fits_a_phone_and_is_light_in_the_dark(browser, server):
    with driving()["opened"](browser, server.address, 390, 844, color_scheme="dark", has_touch=True) as page:
        page.locator("#slider-masks").scroll_into_view_if_needed()
        right = page.eval_on_selector_all("body *", "all => Math.max(...all.map(e => e.getBoundingClientRect().right))")
        assert right <= 391
        assert page.locator("[data-jsd]").evaluate("e => e.getBoundingClientRect().top") >= 0, "it stays in sight"
        for place, color in ((".gradio-container", "rgb(245, 247, 249)"), ("#given", "rgb(255, 255, 255)")):
            assert page.evaluate(f"getComputedStyle(document.querySelector('{place}')).backgroundColor") == color
