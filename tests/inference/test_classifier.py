"""Windows against hand-computed times, probabilities against the network applied by hand."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

import cohear
from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.runs import RunRequest, execute
from cohear.inference.classifier import Classifier
from cohear.models import LogMel
from tiny import SAMPLE_RATE, TINY

RATE = 8000


class Loudness(nn.Module):
    """Says `loud` for a window whose loudest cell is above -20 dB, with as much certainty as it is above."""

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        level = log_mels.amax((-2, -1))
        return torch.stack([-(level + 20), level + 20], -1)


@pytest.fixture
def by_loudness() -> Classifier:
    front_end = LogMel(RATE, n_fft=256, hop_length=200, n_mels=16)
    return Classifier(("quiet", "loud"), RATE, 0.5, "pad", front_end, Loudness())


@pytest.fixture(scope="module")
def run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = change(preset("small"), dict(parse_override(text) for text in (*TINY, "training.epochs=1")))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        execute(RunRequest(tones, config, track="end"), prepare_data(tones, config), folder)
    return folder


def write(path: Path, *levels: float, part_s: float = 0.25, rate: int = RATE, n_channels: int = 1) -> Path:
    """Write a tone of 1 kHz whose level changes from part to part."""
    levels_by_sample = np.repeat(levels, round(part_s * rate))
    tone = levels_by_sample * np.sin(2 * np.pi * 1000 * np.arange(len(levels_by_sample)) / rate)
    soundfile.write(path, np.stack([tone] * n_channels, -1), rate, subtype="FLOAT")
    return path


def test_windows_follow_each_other_and_the_last_one_covers_the_tail(by_loudness, tmp_path):
    table = by_loudness.predict(write(tmp_path / "a.wav", 0, 0, 0.9, 0.9, 0, 0, 0.9))
    assert [(row.start_s, row.end_s) for row in table] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.25, 1.75)]
    assert [row.label for row in table] == ["quiet", "loud", "quiet", "loud"]


def test_a_recording_of_whole_windows_has_no_window_twice(by_loudness, tmp_path):
    table = by_loudness.predict(write(tmp_path / "a.wav", 0.9, 0.9, 0, 0))
    assert [(row.start_s, row.end_s) for row in table] == [(0.0, 0.5), (0.5, 1.0)]


def test_a_short_recording_is_one_window_that_ends_with_it(by_loudness, tmp_path):
    (row,) = by_loudness.predict(write(tmp_path / "a.wav", 0.9))
    assert (row.start_s, row.end_s, row.label) == (0.0, 0.25, "loud")


def test_a_long_recording_of_many_batches_is_covered_without_a_gap(by_loudness, tmp_path):
    table = by_loudness.predict(write(tmp_path / "a.wav", *[0, 0.9] * 50, part_s=0.5))
    assert [row.start_s for row in table] == [0.5 * i for i in range(100)]
    assert [row.label for row in table] == ["quiet", "loud"] * 50


@pytest.mark.parametrize(("rate", "n_channels"), [(16000, 1), (11025, 2), (44100, 1)])
def test_any_rate_and_channel_count_gives_the_same_times_and_labels(by_loudness, tmp_path, rate, n_channels):
    table = by_loudness.predict(write(tmp_path / "a.wav", 0, 0, 0.9, 0.9, rate=rate, n_channels=n_channels))
    assert [row.label for row in table] == ["quiet", "loud"]
    assert table[-1].end_s == pytest.approx(1.0, abs=1e-3)


def test_top_gives_labels_by_falling_probability(by_loudness, tmp_path):
    best, other = by_loudness.predict(write(tmp_path / "a.wav", 0.9, 0.9), top=2)
    assert (best.label, other.label) == ("loud", "quiet")
    assert best.probability > other.probability
    assert best.probability + other.probability == pytest.approx(1)
    assert len(by_loudness.predict(tmp_path / "a.wav", top=9)) == 2


def test_a_loaded_run_answers_as_its_network_does(tones, run):
    classifier = cohear.load(run)
    assert classifier.classes == ("tone0", "tone1", "tone2")
    assert (classifier.sample_rate, classifier.clip_s) == (SAMPLE_RATE, 0.6)
    path = tones.parent / "tone1-1-0.wav"
    waveform, _ = soundfile.read(path, dtype="float32")
    with torch.inference_mode():
        log_mel = classifier.front_end(torch.from_numpy(waveform)[None])
        expected = classifier.network(log_mel).softmax(-1)[0]
    rows = classifier.predict(path, top=3)
    assert [row.label for row in rows] == [f"tone{i}" for i in expected.argsort(descending=True)]
    assert [row.probability for row in rows] == pytest.approx(expected.sort(descending=True).values.tolist())
    assert classifier.predict(str(path)) == rows[:1]


def test_what_is_no_finished_run_or_no_sound_is_refused(tones, run, tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        cohear.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"it has no config\.json"):
        cohear.load(tmp_path)
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with pytest.raises(UserError, match="is an unfinished run"):
        cohear.load(tmp_path)
    (tmp_path / "metrics.json").write_bytes((run / "metrics.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(UserError, match=r"model.safetensors' cannot be used"):
        cohear.load(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        cohear.load(run).predict(tones.parent / "gone.wav")
