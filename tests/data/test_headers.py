from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cohear.data import headers
from cohear.data.audio_files import probe
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.headers import choose_clip_s, choose_sample_rate, clip_s_line, read_headers, sample_rate_line
from cohear.errors import UserError
from made_stores import write


def test_lengths_and_rates_come_of_one_look_at_each_file(tmp_path, monkeypatch):
    looked_at = Counter[str]()

    def counted_probe(path: Path):
        looked_at[path.name] += 1
        return probe(path)

    monkeypatch.setattr(headers, "probe", counted_probe)
    write(tmp_path / "a.wav", np.zeros(20000), 8000)
    write(tmp_path / "b.flac", np.zeros(48000), 96000)
    clips = (
        Clip("a.wav", ("x",)),
        Clip("a.wav", ("x",), start_s=1.0),
        Clip("b.flac", ("y",), end_s=0.25),
        Clip("b.flac", ("y",), start_s=3.0),  # 0.5 s long
        Clip("gone.wav", ("y",)),
        Clip("gone.wav", ("y",), start_s=1.0, end_s=1.5),
    )
    read = read_headers(Dataset("d", tmp_path, clips, "table"))
    assert looked_at == {"a.wav": 1, "b.flac": 1, "gone.wav": 1}
    assert read.durations_s == (2.5, 1.5, 0.25, 0.0, 0.5)
    assert read.sample_rates == [8000, 96000]
    assert set(read.files) == {"a.wav", "b.flac"}


def test_where_nothing_can_be_read_it_is_said(tmp_path):
    with pytest.raises(UserError, match=r"not one sound of d can be read.*gone\.wav"):
        read_headers(Dataset("d", tmp_path, (Clip("gone.wav", ("y",), start_s=0.0, end_s=1.0),), "table"))


def test_clip_length_follows_the_recordings_within_bounds():
    assert choose_clip_s([1.0] * 90 + [3.04] * 10) == 3.0
    assert choose_clip_s([0.1, 0.2]) == 0.5
    assert choose_clip_s([600.0]) == 5.0
    assert "every sound (2.00 s) whole" in clip_s_line([2.0, 2.0], 2.5)


@pytest.mark.parametrize(
    ("n_files_by_rate", "wanted", "chosen"),
    [
        ({44100: 100}, 22050, 22050),
        ({8000: 100}, 44100, 8000),
        ({44100: 90, 8000: 10}, 44100, 44100),
        ({44100: 89, 8000: 11}, 44100, 8000),
        ({48000: 50, 32000: 50}, 44100, 32000),
    ],
)
def test_the_rate_is_at_most_what_nine_of_ten_files_have(n_files_by_rate, wanted, chosen):
    rates = [rate for rate, n in n_files_by_rate.items() for _ in range(n)]
    assert choose_sample_rate(rates, wanted) == choose_sample_rate(rates[::-1], wanted) == chosen


def test_what_is_lost_and_what_a_mix_means_is_said():
    line = sample_rate_line([44100, 44100, 8000, 16000, 22050], 22050)
    for part in ("22050 Hz", "above 11025 Hz is lost in 2 of 5", "2 of 5 files have less (from 8000 Hz)", "know them"):
        assert part in line
    assert "know them" not in sample_rate_line([8000, 16000], 22050)
