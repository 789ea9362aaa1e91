"""Pictures, read back."""

import io
import re

import matplotlib as mpl
import numpy as np
from PIL import Image

from cohear.app.pictures import log_mel_png, palette, waveform_svg


def test_the_colors_are_magma():
    magma = 255 * mpl.colormaps["magma"](np.arange(256))[:, :3]
    assert np.abs(palette() - magma).max() <= 3


def test_a_spectrogram_has_low_bands_below_and_80_db_from_dark_to_bright():
    log_mel = np.full((3, 5), -200.0, np.float32)
    log_mel[0, 1], log_mel[2, 3], log_mel[1, 4] = -20, -60, 10
    picture = Image.open(io.BytesIO(log_mel_png(log_mel, loudest_db=-20.0)))
    assert picture.size == (5, 3)
    pixels = np.asarray(picture)  # places in the palette
    assert pixels[2, 1] == 255
    assert pixels[0, 3] == 128  # half of 80 dB below
    assert pixels[1, 4] == 255  # louder than the loudest
    assert pixels[0, 0] == 0
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB"))[2, 1], palette()[255])


def test_a_waveform_reaches_from_its_lowest_to_its_highest_samples():
    waveform = np.zeros(3000, np.float32)
    waveform[1000:1010], waveform[2999] = [0.5, -0.25] * 5, -1.0
    text = waveform_svg(waveform, loudest=0.5)
    bars = {float(x): (int(top), int(bottom)) for x, top, bottom in re.findall(r"M([\d.]+) (\d+)V(\d+)", text)}
    assert len(bars) == 300
    assert bars[100.5] == (0, 75)
    assert bars[299.5] == (50, 100)  # louder than the loudest: at the edge
    assert bars[0.5] == (50, 51)  # silence is a line


def test_a_clip_of_a_few_samples_has_a_picture():
    assert 'viewBox="0 0 2 100"' in waveform_svg(np.zeros(2, np.float32), loudest=1.0)
