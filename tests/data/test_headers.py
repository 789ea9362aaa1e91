from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cohear.data import headers
from cohear.data.audio_files import probe
from cohear.data.clips import Clip, Clips
from cohear.data.datasets import Dataset
from cohear.data.headers import choose_sample_rate, read_headers
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
    read = read_headers(Dataset("d", tmp_path, Clips.of(clips), "table"))
    assert looked_at == {"a.wav": 1, "b.flac": 1, "gone.wav": 1}
    assert read.durations_s == (2.5, 1.5, 0.25, 0.0, 0.5)
    assert read.sample_rates == [8000, 96000]
    assert set(read.files) == {"a.wav", "b.flac"}


def test_where_nothing_can_be_read_it_is_said(tmp_path):
    with pytest.raises(UserError, match=r"not one sound of d can be read.*gone\.wav"):
        read_headers(Dataset("d", tmp_path, Clips.of([Clip("gone.wav", ("y",), start_s=0.0, end_s=1.0)]), "table"))


@pytest.mark.parametrize(
    ("n_files_by_rate", "wanted", "chosen"),
    [
        ({44100: 90, 8000: 10}, 44100, 44100),
        ({44100: 89, 8000: 11}, 44100, 8000),
        ({48000: 50, 32000: 50}, 44100, 32000),
    ],
)
def test_the_rate_is_at_most_what_nine_of_ten_files_have(n_files_by_rate, wanted, chosen):
    rates = [rate for rate, n in n_files_by_rate.items() for _ in range(n)]
    assert choose_sample_rate(rates, wanted) == choose_sample_rate(rates[::-1], wanted) == chosen
