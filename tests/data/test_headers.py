from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.data import headers
from cohear.data.audio_files import probe
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.headers import read_headers
from cohear.errors import UserError


def test_lengths_and_rates_come_of_one_look_at_each_file(tmp_path, monkeypatch):
    looked_at = Counter[str]()

    def counted_probe(path: Path):
        looked_at[path.name] += 1
        return probe(path)

    monkeypatch.setattr(headers, "probe", counted_probe)
    soundfile.write(tmp_path / "a.wav", np.zeros(20000), 8000)
    soundfile.write(tmp_path / "b.flac", np.zeros(48000), 96000)
    clips = (
        Clip("a.wav", "x"),
        Clip("a.wav", "x", start_s=1.0),
        Clip("b.flac", "y", end_s=0.25),
        Clip("b.flac", "y", start_s=3.0),  # 0.5 s long
        Clip("gone.wav", "y"),
        Clip("gone.wav", "y", start_s=1.0, end_s=1.5),
    )
    read = read_headers(Dataset("d", tmp_path, clips, "table"))
    assert looked_at == {"a.wav": 1, "b.flac": 1, "gone.wav": 1}
    assert read.durations_s == (2.5, 1.5, 0.25, 0.0, 0.5)
    assert read.sample_rates == [8000, 96000]
    assert set(read.files) == {"a.wav", "b.flac"}


def test_where_nothing_can_be_read_it_is_said(tmp_path):
    with pytest.raises(UserError, match=r"not one sound of d can be read.*gone\.wav"):
        read_headers(Dataset("d", tmp_path, (Clip("gone.wav", "y", start_s=0.0, end_s=1.0),), "table"))
