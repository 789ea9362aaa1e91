import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cohear.reports import plots

COUNTS = np.array([[3, 1], [0, 2]])


@pytest.mark.parametrize("label", ["a\x1b[2Jb", "a\0b", r"$\frac$", r"\input{x} ${", "a\nb"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_label_can_be_drawn_and_the_picture_be_read(label):
    for draw in (plots.confusion_picture, plots.class_accuracy_bars):
        ElementTree.fromstring(draw(COUNTS, ("dog", label)))


def test_what_looks_like_a_formula_is_drawn_as_it_is():
    assert b"$x^2$" in plots.confusion_picture(COUNTS, ("dog", "$x^2$"))


@pytest.mark.slow
def test_a_matplotlibrc_where_a_command_is_given_changes_no_picture(tmp_path):
    settings = "text.usetex: True\nsvg.image_inline: False\naxes.facecolor: red\nlines.linewidth: 9\n"
    (tmp_path / "matplotlibrc").write_text(settings)
    code = (
        "import numpy as np, sys; from cohear.reports import plots; "
        "sys.stdout.buffer.write(plots.confusion_picture(np.array([[3, 1], [0, 2]]), ('dog', 'rain')))"
    )
    drawn = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True).stdout
    assert drawn == plots.confusion_picture(COUNTS, ("dog", "rain"))
    assert [path.name for path in tmp_path.iterdir()] == ["matplotlibrc"]
