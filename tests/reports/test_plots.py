import io
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.image import imread

from cohear.reports import plots
from cohear.reports.grouping import group_runs
from cohear.reports.method_table import method_rows
from cohear.reports.run_folders import read_runs


@pytest.fixture(name="runs")
def _runs(tmp_path, write_run):
    for method in ("none", "bda", "consistency"):
        for fold in (1, 2):
            transform = "none" if method == "none" else "combination"
            write_run(tmp_path / f"{method}{fold}", method, transform, fold=fold)
    return read_runs([tmp_path])


@pytest.fixture(name="pictures")
def _pictures(runs):
    counts = np.array([[3, 1], [0, 2]])
    return {
        "training": plots.training_curves(runs[0]),
        "accuracy": plots.accuracy_curves(runs[0]),
        "jsd": plots.jsd_curves(runs[0]),
        "figure 1": plots.figure_1(group_runs(runs), "test"),
        "models": plots.accuracy_by_model(method_rows(runs)),
        "confusion": plots.confusion_picture(counts, ("dog", "rain & <wind>")),
        "classes": plots.class_accuracy_bars(counts, ("dog", "rain & <wind>")),
    }


def test_pictures_are_svg_that_loads_nothing(pictures):
    for name, picture in pictures.items():
        root = ElementTree.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg", name
        links = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links), name


def test_equal_input_gives_equal_bytes(runs):
    assert plots.figure_1(group_runs(runs), "train") == plots.figure_1(group_runs(runs), "train")


def test_drawing_leaves_no_state_behind(runs):
    before = dict(matplotlib.rcParams)
    plots.training_curves(runs[0])
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_each_method_has_a_color_and_a_second_experiment_of_it_another(tmp_path, write_run):
    write_run(tmp_path / "a", "bda")
    write_run(tmp_path / "b", "consistency", weight=5.0)
    write_run(tmp_path / "c", "consistency", weight=7.5)
    styles = plots.experiment_styles(group_runs(read_runs([tmp_path])))
    assert len({color for color, _ in styles}) == 3


def test_epochs_are_whole_numbers_even_if_there_is_one(tmp_path, write_run):
    write_run(tmp_path / "a", n_epochs=1)
    axes = Figure().subplots()
    plots._draw_curves(axes, [plots.Curve("loss", "#000000", "-", (((1, 0.5),),))])
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_untracked_runs_are_known(tmp_path, write_run):
    write_run(tmp_path / "a", tracked=False)
    (run,) = read_runs([tmp_path])
    assert not plots.is_tracked(run, "test_jsd")
    assert plots.is_tracked(run, "loss")


def test_a_spectrogram_is_drawn_with_low_bands_below_and_masks_dark():
    log_mel = np.full((64, 100), -40.0)
    log_mel[32:] = 0.0  # the upper half is louder
    log_mel[:, 80:] = -1000.0  # masked
    picture = plots.spectrogram_picture(log_mel, duration_s=2.0, loudest_db=0.0)
    assert picture.startswith(b"\x89PNG")
    pixels = imread(io.BytesIO(picture))[..., :3].mean(axis=2)
    height, width = pixels.shape
    upper, lower = pixels[height // 5, width // 2], pixels[height // 2, width // 2]
    assert upper > lower > pixels[height // 2, width * 15 // 16]
