"""Pages of runs and of their comparison: one safe file each, with what it promises to say."""

import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from cohear.errors import UserError
from cohear.judging.shown_clips import ShownClip, ShownView
from cohear.reports.comparison import write_comparison
from cohear.reports.pages import Table, mp3_bytes, to_html, to_markdown, to_text
from cohear.reports.run_report import write_run_report
from cohear.runs.run import Run
from run_folders_made import read_runs

NASTY = "<script>alert('x')</script> & \"quotes\""
VOID = {"meta", "img", "br", "link", "input"}


class _Outline(HTMLParser):
    """Checks that elements nest, and gathers what a page would load."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _outline(page):
    outline = _Outline()
    outline.feed(page)
    assert outline.open == []
    assert all(address.startswith("data:") for address in outline.addresses)
    assert "script" not in outline.tags
    return outline


def _strip(labels=("bird",)):
    time = np.arange(8000) / 16000
    views = tuple(
        ShownView(
            description=description,
            waveform=(0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32),
            log_mel=np.random.default_rng(0).normal(-40, 10, (16, 20)).astype(np.float32),
            probabilities=np.array([0.1, 0.6, 0.25, 0.05], np.float32),
        )
        for description in ("clean", "pitch +1.5 semitones", f"reverb {NASTY}")
    )
    return ShownClip(f"audio/{NASTY}.wav", labels, ("dog", "rain", "siren", "bird"), 16000, views, jsd=0.1234)


@pytest.mark.slow
def test_a_run_report_is_one_safe_file_that_needs_no_network(tmp_path, write_run):
    folder = write_run(tmp_path / "run", dataset=NASTY, warnings=[f"fold 1's test part has no clip of '{NASTY}'"])
    (folder / "report.html").write_text("old")
    page = write_run_report(Run(folder), [_strip()])
    assert page == folder / "report.html"
    text = page.read_text()
    outline = _outline(text)
    assert not re.search("https?:", re.sub(r"data:[^\"]*", "", text))
    assert outline.tags.count("audio") == 3
    assert outline.tags.count("img") == 3 + 3 + 1  # spectrograms, curves, confusions
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "environment.json", "history.jsonl", "metrics.json", "predictions.safetensors", "report.html",
    ]  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_a_run_report_says_how_good_the_run_is(tmp_path, write_run):
    text = write_run_report(Run(write_run(tmp_path / "run")), [_strip()]).read_text()
    said = (
        "90.0%", "18 of 20 test clips", "95% interval 69.9 to 97.2%",  # Wilson's interval of 18 in 20
        "ln 4 = 1.39", "Always answering &#39;dog&#39; would give 25%",
        "method consistency, transform combination, preset small, 3 epochs, float32, seed 0",
        "bird (label)",  # not among the three best answers, shown all the same
        "JSD 0.1234 of at most 1.10 nats", "objective.consistency_weight", "packages.torch", "/data/made-up",
        "0.0400 over views of its own transform",
    )  # fmt: skip
    assert [its for its in said if its not in text] == []


@pytest.mark.usefixtures("undrawn")
def test_a_run_report_boxes_what_to_beware_of_and_marks_where_a_clip_ends(tmp_path, write_run):
    notes = ["4 clips decoded", "WARNING: 65% of what is heard is padding"]
    folder = write_run(tmp_path / "run", data_notes=notes, warnings=["no temperature is fitted"])
    short = _strip()
    short.views[0].waveform[4000:] = 0.0
    text = write_run_report(Run(folder), [short]).read_text()
    assert re.findall("<p class=warning>Warning: ([^<]*)", text) == [notes[1][9:], "no temperature is fitted"]
    assert "Sounds: 4 clips decoded.<" in text
    assert re.findall(r"class=silent style=.width: ([\d.]+)%", text) == ["50.0"]
    assert [f"<span>{mark}</span>" in text for mark in ("11 kHz", "1.98", "0")] == [True] * 3


def test_a_title_never_leaves_out_one_label_alone(tmp_path, write_run):
    def subject(n):
        return Run(write_run(tmp_path / str(n), classes=tuple("abcdefg"[:n]), wrong=())).subject

    assert (subject(6), subject(7)) == ("made-up: a, b, c, d, e, f", "made-up: a, b, c, d, e and 2 more")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("method", ["none", "standard"])
def test_a_run_without_tracking_or_strips_has_a_report(tmp_path, write_run, method):
    transform = "none" if method == "none" else "combination"
    folder = write_run(tmp_path / "run", method, transform, tracked=False, wrong=(), jsd=0.0, jsd_own=None)
    text = write_run_report(Run(folder)).read_text()
    assert "were not tracked" in text
    assert not any(its in text for its in ("<audio", "-0.0000", "own transform<"))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("is_expected", [True, False])
def test_a_run_on_every_clip_says_what_to_expect_of_it(tmp_path, write_run, is_expected):
    folder = write_run(tmp_path / "run")
    metrics = json.loads((folder / "metrics.json").read_text())
    expected = {"accuracy": 0.8125, "standard_error": 0.021, "n_runs": 5, "folds": [1, 2, 3, 4, 5], "n_clips": 400}
    config = json.loads((folder / "config.json").read_text())
    config["config"]["fold"] = "all"
    (folder / "config.json").write_text(json.dumps(config))
    changed = {"fold": "all", "accuracy": None, "n_train_clips": 400, "expected": expected if is_expected else None}
    (folder / "metrics.json").write_text(json.dumps({**metrics, **changed}))
    with pytest.raises(UserError, match="trained on every clip"):
        read_runs([folder])
    page = write_run_report(Run(folder)).read_text()
    assert ("81.2%" if is_expected else "no cross-validation") in page
    assert "No clip was left to test" in page


@pytest.mark.slow
def test_a_comparison_shows_tables_tests_figures_and_runs(tmp_path, write_run):
    for method, n_wrong in (("none", 9), ("standard", 7), ("bda", 5), ("consistency", 1)):
        for fold in (1, 2):
            transform, wrong = "none" if method == "none" else "combination", tuple(range(n_wrong))
            write_run(tmp_path / f"{method}{fold}", method, transform, fold, wrong=wrong, warnings=[NASTY])
    write_run(tmp_path / "pitch", "consistency", "pitch", wrong=tuple(range(9)))
    place, found, tables = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html")
    assert place == tmp_path / "comparison.html"
    assert found.result.startswith("Combination-CL, whose lead may be chance: 95% of each label's clips found")
    assert [table.title for table in tables] == ["Accuracy by method", "Paired tests", "By label, Combination-CL"]
    text = (tmp_path / "comparison.html").read_text()
    assert _outline(text).tags.count("img") == 5 + 5  # accuracies, figure 1 (a) and (b) of either transform; confusions
    assert re.findall(r"<h3>(\w+): \(a\)", text) == ["combination", "pitch"]
    assert "Combination-CL − Combination-BDA" in text  # noqa: RUF001
    assert "All 9 runs" in text
    assert text.count("<p class=warning>") == 1


def _tone(sample_rate, amplitude=0.5, frequency_hz=440.0):
    time = np.arange(2 * sample_rate) / sample_rate
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


@pytest.mark.parametrize(("sample_rate", "played_at"), [(44100, 44100), (10000, 11025), (96000, 48000)])
def test_a_tone_keeps_its_pitch_and_level(sample_rate, played_at):
    content = mp3_bytes(_tone(sample_rate), sample_rate)
    decoded, rate = soundfile.read(io.BytesIO(content))
    assert soundfile.info(io.BytesIO(content)).format == "MP3"
    assert rate == played_at
    middle = decoded[rate // 2 : 3 * rate // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(440, abs=1)
    assert middle.std() * np.sqrt(2) == pytest.approx(0.5, rel=0.03)


TABLE = Table("Scores", ("Name", "n"), (("a | <b>", "1"), ("a long name of five words", "12")), ("A note & more.",))


def test_a_terminal_table_wraps_names_to_the_width():
    assert to_text(TABLE, width=20).splitlines() == [
        "Scores",
        "",
        "Name               n",
        "--------------------",
        "a | <b>            1",
        "a long name of    12",
        "five words",
        "",
        "A note & more.",
    ]


def test_in_markdown_a_name_is_but_a_name():
    assert to_markdown(TABLE).splitlines()[2:6] == [
        "| Name | n |",
        "|---|---:|",
        "| a \\| \\<b> | 1 |",
        "| a long name of five words | 12 |",
    ]


def test_html_escapes_every_cell():
    html = to_html(TABLE)
    assert '<th>a | &lt;b&gt;</th><td data-column="n">1</td>' in html
    assert "A note &amp; more." in html


def test_a_narrow_terminal_tears_no_word_and_has_a_line_for_each_number():
    table = Table("Scores", ("Model", "Right", "n"), (("Combination-BDA", "90%", "1"), ("None", "8%", "20")), ())
    assert to_text(table, 20).splitlines()[2:] == [
        "Combination-BDA",
        "  Right  90%",
        "  n      1",
        "None",
        "  Right  8%",
        "  n      20",
    ]


def test_a_page_of_other_runs_is_not_replaced(tmp_path, write_run, undrawn):
    del undrawn
    for name in ("a", "b"):
        write_run(tmp_path / name, tracked=False)
    places = [write_comparison(read_runs([tmp_path / name]), tmp_path / "page.html")[0].name for name in "abab"]
    assert places == ["page.html", "page-2.html", "page.html", "page-2.html"]
