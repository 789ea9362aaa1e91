import io
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.image import imread
from matplotlib.text import Text

from cohear.evaluation.consistency import PERTURBATIONS
from cohear.metrics.calibration import reliability_bins
from cohear.reports import plots
from cohear.reports.experiments import group_runs
from cohear.reports.plots import Agreements, Line, Robustness
from run_folders_made import read_runs

COUNTS = np.array([[3, 1], [0, 2]])
LINES = (Line("one", "#000000", "-"), Line("another & <more>", "#0072b2", "--"))


@pytest.fixture(name="runs")
def _runs(tmp_path, write_run):
    for method in ("none", "bda", "consistency"):
        for fold in (1, 2):
            transform = "none" if method == "none" else "combination"
            write_run(tmp_path / f"{method}{fold}", method, transform, fold=fold)
    return read_runs([tmp_path])


def _corruption_panels() -> bytes:
    accuracies = np.linspace(0.9, 0.1, 55).reshape(11, 5)
    return plots.corruption_panels(
        [Robustness(LINES[0], 0.9, accuracies), Robustness(LINES[1], 0.8, accuracies / 2, accuracies / 20)]
    )


@pytest.mark.slow
def test_pictures_are_svg_that_loads_nothing_and_leave_no_state_behind(runs):
    before, experiments = dict(matplotlib.rcParams), group_runs(runs)
    probabilities, values = np.linspace(0.3, 1.0, 60), np.linspace(0.0, 0.3, len(PERTURBATIONS))
    bins = reliability_bins(probabilities, probabilities > 0.6)
    pictures = (
        plots.training_curves(runs[0]),
        plots.tracked_curves(runs[0], "accuracy"),
        plots.tracked_curves(runs[0], "jsd"),
        plots.figure_1(experiments, "test"),
        plots.accuracy_by_model([(experiment, 0.01) for experiment in experiments]),
        plots.confusion_picture(COUNTS, ("dog", "rain & <wind>")),
        _corruption_panels(),
        plots.reliability_diagram([(line, bins) for line in LINES]),
        plots.agreement_panels([Agreements(line, values, values) for line in LINES]),
    )
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        links = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)
    assert pictures[3] == plots.figure_1(experiments, "test")
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_each_method_has_a_color_and_a_second_experiment_of_it_another(tmp_path, write_run):
    write_run(tmp_path / "a", "bda")
    write_run(tmp_path / "b", "consistency")
    write_run(tmp_path / "c", "consistency", settings={"objective.consistency_weight": 7.5})
    lines = plots.experiment_lines(group_runs(read_runs([tmp_path])))
    assert len({line.color for line in lines}) == 3


def test_all_text_of_a_picture_lies_within_it_and_can_be_read_on_a_phone(tmp_path, write_run, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "svg", lambda figure: figures.append(figure) or b"")
    for balance in ("none", "sampling"):
        for fold in (1, 2):
            write_run(tmp_path / f"{balance}{fold}", fold=fold, settings={"training.balance": balance})
    experiments = group_runs(read_runs([tmp_path]))
    lines, values = plots.experiment_lines(experiments), np.linspace(0.0, 0.3, len(PERTURBATIONS))
    plots.training_curves(experiments[0].runs[0])
    plots.figure_1(experiments, "test")
    plots.accuracy_by_model([(experiment, 0.01) for experiment in experiments])
    plots.confusion_picture(COUNTS, ("pelodytes", "rain"))
    plots.reliability_diagram([(line, ()) for line in lines])
    plots.corruption_panels([Robustness(line, 0.9, np.full((11, 5), 0.5)) for line in lines])
    plots.agreement_panels([Agreements(line, values, values) for line in lines])
    for figure in figures:
        with matplotlib.rc_context(plots.STYLE):
            figure.draw_without_rendering()
        assert min(axes.bbox.width for axes in figure.axes) > 0.2 * figure.bbox.width
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        on_a_phone = 348 / (figure.get_figwidth() * 72)  # its pixels for a point
        assert min(text.get_fontsize() for text in texts) * on_a_phone >= 11
        ticks = {label for axes in figure.axes for label in axes.get_xticklabels()}  # some beyond the limits, undrawn
        for text in set(texts) - ticks:
            assert figure.bbox.padded(1).containsx(text.get_window_extent().x0), text
            assert figure.bbox.padded(1).containsx(text.get_window_extent().x1), text


def test_a_matrix_of_many_labels_keeps_a_size_at_which_they_can_be_read():
    drawn = ElementTree.fromstring(plots.confusion_picture(np.eye(50, dtype=int), [f"label {k}" for k in range(50)]))
    assert float(drawn.get("width").removesuffix("pt")) > 50 * 8.5 * 1.4


@pytest.mark.parametrize("label", ["a\x1b[2Jb", "a\0b", r"$\frac$", "$x^2$"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_label_can_be_drawn_as_it_is(label):
    drawn = plots.confusion_picture(COUNTS, ("dog", label))
    ElementTree.fromstring(drawn)
    assert not label.startswith("$x") or label.encode() in drawn


def test_a_matplotlibrc_where_a_command_is_given_changes_no_picture():
    expected = plots.confusion_picture(COUNTS, ("dog", "rain"))
    theirs = {"text.usetex": True, "svg.image_inline": False, "axes.facecolor": "red", "lines.linewidth": 9}
    with matplotlib.rc_context(theirs):
        assert plots.confusion_picture(COUNTS, ("dog", "rain")) == expected


def test_a_spectrogram_is_drawn_with_low_bands_below_and_silence_dark():
    log_mel = np.full((4, 6), -40.0)
    log_mel[2:] = 0.0  # the upper half is louder
    log_mel[:, 5:] = -1000.0  # masked
    pixels = imread(io.BytesIO(plots.log_mel_png(log_mel, 0.0)))[..., :3].mean(axis=2)
    assert pixels.shape == (4, 6)
    assert pixels[0, 0] > pixels[3, 0] > pixels[0, 5]
    silent = imread(io.BytesIO(plots.log_mel_png(np.full((4, 6), -99.999), -99.999)))
    assert silent[..., :3].max() < 0.05
