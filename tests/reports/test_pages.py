import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.evaluation.shown_clips import ShownClip, ShownView
from cohear.reports import plots, run_report
from cohear.reports.comparison_report import write_comparison
from cohear.reports.run_folders import RunSummary, read_run, read_runs, read_trained_run
from cohear.reports.run_report import write_run_report
from cohear.reports.untested_report import write_untested_report

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
    return outline


def _strip():
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
    return ShownClip(f"audio/{NASTY}.wav", ("bird",), ("dog", "rain", "siren", "bird"), 16000, views, jsd=0.1234)


@pytest.mark.slow
def test_a_run_report_is_one_safe_file_that_needs_no_network(tmp_path, write_run):
    warning = f"fold 1's test part has no clip of '{NASTY}'"
    folder = write_run(tmp_path / "run", dataset=NASTY, warnings=[warning])
    page = write_run_report(folder, [_strip()])
    assert page == folder / "report.html"
    text = page.read_text()
    outline = _outline(text)
    assert "script" not in outline.tags
    assert "http:" not in re.sub(r"data:[^\"]*", "", text)
    assert "https:" not in re.sub(r"data:[^\"]*", "", text)
    assert all(address.startswith("data:") for address in outline.addresses)
    assert outline.tags.count("audio") == 3
    assert outline.tags.count("img") == 3 + 3 + 2  # spectrograms, curves, classes and confusions
    assert 'name="viewport"' in text


@pytest.mark.slow
def test_a_run_report_says_how_good_the_run_is(tmp_path, write_run):
    text = write_run_report(write_run(tmp_path / "run"), [_strip()]).read_text()
    assert "90.0%" in text
    assert "18 of 20 test clips" in text
    assert "Always answering the commonest label gives 25.00%." in text
    assert "ln 4 = 1.39 is no idea" in text
    assert "95% interval 69.9 to 97.2%" in text  # Wilson's interval of 18 in 20
    assert "One clip of a fold&#39;s 20 is 5.00 points" in text
    assert "consistency learning over pitch shifts or reverberation, preset small, 3 epochs, float32, seed 0" in text
    assert "bird (label)" in text  # not among the three best answers, shown all the same
    assert "JSD 0.1234 of at most 1.10 nats" in text
    assert "objective.consistency_weight" in text
    assert "packages.torch" in text
    assert "/data/made-up" in text


@pytest.mark.parametrize("method", ["none", "standard"])
def test_a_run_without_tracking_or_strips_has_a_report(tmp_path, write_run, method):
    transform = "none" if method == "none" else "combination"
    folder = write_run(tmp_path / "run", method, transform, tracked=False, wrong=())
    text = write_run_report(folder).read_text()
    assert "were not tracked" in text
    assert "<audio" not in text
    assert "Most frequent confusions" not in text


@pytest.mark.slow
def test_fifty_classes_and_one_epoch_have_a_report(tmp_path, write_run):
    classes = tuple(f"class {k}" for k in range(50))
    folder = write_run(tmp_path / "run", classes=classes, n_clips=100, n_epochs=1)
    _outline(write_run_report(folder).read_text())


@pytest.mark.slow
def test_a_report_is_replaced_whole(tmp_path, write_run):
    folder = write_run(tmp_path / "run")
    (folder / "report.html").write_text("old")
    assert write_run_report(folder).read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "environment.json", "history.jsonl", "metrics.json",
        "predictions.safetensors", "report.html",
    ]  # fmt: skip


def test_a_comparison_shows_tables_tests_figure_and_runs(tmp_path, write_run):
    for method, n_wrong in (("none", 9), ("standard", 7), ("bda", 5), ("consistency", 1)):
        for fold in (1, 2):
            transform = "none" if method == "none" else "combination"
            wrong = tuple(range(n_wrong))
            write_run(tmp_path / f"{method}{fold}", method, transform, fold, wrong=wrong, dataset="ESC-50")
    page = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html")
    text = page.read_text()
    outline = _outline(text)
    assert all(address.startswith("data:") for address in outline.addresses)
    assert outline.tags.count("img") == 3  # accuracies, figure 1 (a) and (b)
    assert "<strong>Combination-CL</strong>" in text
    assert "86.22%±0.12 +2.63%" in text
    assert "Combination-CL − Combination-BDA" in text  # noqa: RUF001
    assert "All 8 runs" in text
    assert text.count("One clip of a fold") == 1


def test_all_that_share_the_highest_accuracy_are_named(tmp_path, write_run):
    for method, wrong in (("standard", (0,)), ("bda", (1,)), ("consistency", (2, 3))):
        write_run(tmp_path / method, method, wrong=wrong)
    text = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html").read_text()
    summary = text[text.index("Highest accuracy") : text.index("Accuracy by method")]
    assert re.findall("<strong>(.*?)</strong>", summary) == ["Combination", "Combination-BDA"]


@pytest.mark.slow
def test_a_divergence_is_never_shown_negative_and_its_own_only_where_it_differs(tmp_path, write_run):
    text = write_run_report(write_run(tmp_path / "a", jsd=-1e-8, jsd_own=1e-9)).read_text()
    assert "-0.0000" not in text
    assert "views of its own transform" not in text
    text = write_run_report(write_run(tmp_path / "b", jsd=0.05, jsd_own=0.04)).read_text()
    assert "0.0400 over views of its own transform" in text


def test_warnings_stand_out_on_the_comparison_too(tmp_path, write_run):
    write_run(tmp_path / "a", warnings=["a group is on both sides"])
    text = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html").read_text()
    assert "<p class=warning>Warning: a group is on both sides</p>" in text


def test_a_silent_clip_is_drawn_dark(monkeypatch):
    drawn: list[float] = []
    picture = plots.spectrogram_picture
    monkeypatch.setattr(
        plots, "spectrogram_picture", lambda mel, s, loudest_db: drawn.append(loudest_db) or picture(mel, s, loudest_db)
    )
    views = tuple(
        ShownView("clean", np.zeros(800, np.float32), np.full((16, 20), level, np.float32), np.array([1.0], np.float32))
        for level in (-100.0, -99.999)
    )
    run_report._strip(ShownClip("a.wav", ("dog",), ("dog",), 8000, views, jsd=0.0), 2)
    assert drawn == pytest.approx([-20, -20], abs=0.01)


@pytest.mark.slow
def test_a_comparison_draws_figure_1_for_each_kind_of_views(tmp_path, write_run):
    write_run(tmp_path / "a", "none", "none")
    write_run(tmp_path / "b", "consistency", "pitch")
    write_run(tmp_path / "c", "consistency", "combination")
    text = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html").read_text()
    assert _outline(text).tags.count("img") == 5
    assert re.findall(r"<h3>(\w+): \(a\)", text) == ["combination", "pitch"]


def test_a_comparison_of_one_untracked_run_is_possible(tmp_path, write_run):
    write_run(tmp_path / "a", tracked=False)
    text = write_comparison(read_runs([tmp_path]), tmp_path / "comparison.html").read_text()
    assert "did not track" in text
    assert "Paired tests" not in text


def test_a_comparison_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing to compare"):
        write_comparison([], tmp_path / "comparison.html")


def test_a_run_on_every_clip_says_what_to_expect_of_it(tmp_path, write_run):
    folder = write_run(tmp_path / "run")
    metrics = json.loads((folder / "metrics.json").read_text())
    expected = {"accuracy": 0.8125, "standard_error": 0.021, "n_runs": 5, "folds": [1, 2, 3, 4, 5], "n_clips": 400}
    for expectation, said in ((expected, "81.2%"), (None, "no cross-validation")):
        changed = {**metrics, "fold": "all", "accuracy": None, "n_train_clips": 400, "expected": expectation}
        (folder / "metrics.json").write_text(json.dumps(changed))
        with pytest.raises(UserError, match="trained on every clip"):
            read_run(folder)
        run = read_trained_run(folder)
        assert not isinstance(run, RunSummary)
        page = write_untested_report(run).read_text()
        assert said in page
        assert "No clip was left to test" in page
