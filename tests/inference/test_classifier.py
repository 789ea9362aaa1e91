"""Windows against hand-computed times, answers against the network applied by hand to the whole recording."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

import cohear
from cohear.data.audio_decoding import AudioStream, decode, resample
from cohear.data.decoding import fit
from cohear.errors import UserError
from cohear.evaluation.calibration import Calibration, Threshold
from cohear.inference import classifier as classifier_module
from cohear.inference.classifier import Classifier
from cohear.models import VGG, LogMel, LogMelInput, NetworkWithHead
from cohear.runs.config import FrontEndConfig, NetworkConfig
from cohear.runs.description import Description
from made_models import DESCRIPTION, make_model

RATE = 8000


class Loudness(nn.Module):
    """Says `loud` for a window whose loudest cell is above -20 dB, with as much certainty as it is above."""

    n_features = 1
    input = LogMelInput()

    def embed(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.amax((-2, -1))[..., None]


def loudness() -> NetworkWithHead:
    network = NetworkWithHead(Loudness(), 2)
    network.load_state_dict({"head.weight": torch.tensor([[-1.0], [1.0]]), "head.bias": torch.tensor([-20.0, 20.0])})
    return network


def about(classes: tuple[str, ...], sample_rate: int, clip_s: float) -> Description:
    return Description(
        classes=classes,
        sample_rate=sample_rate,
        clip_s=clip_s,
        short="pad",
        front_end=FrontEndConfig(),
        network=NetworkConfig(),
    )


def changed(classifier: Classifier, **changes: Any) -> Classifier:
    return replace(classifier, about=classifier.about.model_copy(update=changes))


@pytest.fixture
def by_loudness() -> Classifier:
    front_end = LogMel(RATE, n_fft=256, hop_length=200, n_mels=16)
    return Classifier(about(("quiet", "loud"), RATE, 0.5), front_end, loudness())


@pytest.fixture(scope="module")
def drawn() -> Classifier:
    """A VGG as drawn, at a rate that most files do not have."""
    network = VGG(3, width=0.0625, generator=torch.Generator().manual_seed(0)).eval()
    network.head.weight.data /= 20  # answers that are not sure of themselves show small differences
    front_end = LogMel(11025, n_fft=256, hop_length=150, n_mels=16)
    return Classifier(about(("a", "b", "c"), 11025, 0.4), front_end, network)


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


def test_windows_overlap_where_they_begin_more_often(by_loudness, tmp_path):
    table = by_loudness.predict(write(tmp_path / "a.wav", 0, 0, 0.9, 0, 0), hop_s=0.25)
    assert [(row.start_s, row.end_s) for row in table] == [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0), (0.75, 1.25)]
    assert [row.label for row in table] == ["quiet", "loud", "loud", "quiet"]
    for hop_s in (0, 0.51, float("nan")):
        with pytest.raises(UserError, match=f"{hop_s:g} s"):
            by_loudness.predict(tmp_path / "a.wav", hop_s=hop_s)


@pytest.mark.parametrize(("rate", "clip_s"), [(8000, 0.6), (22050, 0.7), (16000, 0.96), (11025, 0.3), (44100, 1.1)])
def test_windows_that_follow_each_other_touch_at_every_rate_and_length(rate, clip_s):
    front_end = LogMel(rate, n_fft=256, hop_length=rate // 40, n_mels=16)
    classifier = Classifier(about(("quiet", "loud"), rate, clip_s), front_end, loudness())
    tone = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(100 * classifier.n_samples) / rate)
    (event,) = classifier.predict(tone.astype(np.float32), sample_rate=rate, events=True)
    assert event[:3] == (0.0, len(tone) / rate, "loud")
    windows = classifier.predict(tone.astype(np.float32), sample_rate=rate)
    assert [row.end_s for row in windows[:-1]] == [row.start_s for row in windows[1:]]


def by_hand(classifier: Classifier, waveform: np.ndarray, hop_s: float) -> np.ndarray:
    """Cut a whole recording and ask about its windows one by one."""
    n_samples, hop = classifier.n_samples, round(hop_s * classifier.sample_rate)
    last = max(0, len(waveform) - n_samples)
    starts = sorted({*range(0, last + 1, hop), last})
    windows = [fit(waveform[start:], n_samples, classifier.about.short) for start in starts]
    with torch.inference_mode():
        log_mels = [classifier.front_end(torch.from_numpy(window)[None]) for window in windows]
        return torch.cat([classifier.network(log_mel).softmax(-1) for log_mel in log_mels]).numpy()


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        *(("a.wav", 8000), ("a.flac", 44100), ("a.wav", 48000), ("a.ogg", 96000), ("a.mp3", 48000)),
    ],
)
def test_windows_of_a_stream_are_answered_as_windows_of_the_whole(drawn, tmp_path, monkeypatch, name, rate):
    random = np.random.default_rng(0)
    soundfile.write(tmp_path / name, 0.1 * random.standard_normal(round(1.57 * rate)), rate)
    audio = decode(tmp_path / name)
    expected = by_hand(drawn, resample(audio.waveform, rate, 11025), hop_s=0.13)
    for seconds in (0.1, 1.3, 40.0):  # one window at a time, three, all
        monkeypatch.setattr(classifier_module, "_SECONDS_AT_ONCE", seconds)
        heard = list(drawn.listen(tmp_path / name, hop_s=0.13))
        assert heard[-1].end_s == pytest.approx(1.57, abs=1e-3)
        np.testing.assert_allclose([window.probabilities for window in heard], expected, atol=1e-5)
    rows = drawn.predict(tmp_path / name, top=3, hop_s=0.13)
    assert [row.probability for row in rows] == pytest.approx(-np.sort(-expected).ravel(), abs=1e-5)


@pytest.mark.parametrize("short", ["pad", "repeat"])
def test_a_tenth_of_a_second_is_filled_up_as_in_training(drawn, tmp_path, short):
    classifier = changed(drawn, short=short)
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(4410), 44100)
    (row,) = classifier.predict(tmp_path / "a.wav")
    expected = by_hand(classifier, resample(decode(tmp_path / "a.wav").waveform, 44100, 11025), hop_s=0.4)
    assert row.end_s == pytest.approx(0.1, abs=1e-3)
    assert row.probability == pytest.approx(expected.max(), abs=1e-6)


def test_waveforms_are_answered_as_files_and_batches_one_by_one(drawn, tmp_path):
    waveform = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", waveform, 16000, subtype="FLOAT")
    expected = drawn.predict(tmp_path / "a.wav", top=2, hop_s=0.3)
    assert drawn.predict(waveform, top=2, hop_s=0.3, sample_rate=16000) == expected
    assert drawn.predict(torch.from_numpy(waveform), top=2, hop_s=0.3, sample_rate=16000) == expected
    batch = drawn.predict([waveform, waveform[:2000], waveform], top=2, hop_s=0.3, sample_rate=16000)
    assert len(batch) == 3
    of_short = drawn.predict(waveform[:2000], top=2, sample_rate=16000)
    for one, like in zip(batch, [expected, of_short, expected], strict=True):
        assert [row[:3] for row in one] == [row[:3] for row in like]
        assert [row.probability for row in one] == pytest.approx([row.probability for row in like], abs=1e-5)
    assert len(drawn.predict(np.stack([waveform, waveform]), sample_rate=16000)) == 2
    assert drawn.predict([], sample_rate=16000) == []


@pytest.mark.parametrize(("weight", "task"), [(np.nan, "single_label"), (3e38, "multi_label")])
def test_answers_that_are_no_numbers_are_a_complaint_that_names_the_file(drawn, tmp_path, weight, task):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(22050), 11025)
    network = copy.deepcopy(drawn.network)
    network.head.weight.data *= weight
    network.head.bias.data[:] = 3e38  # a sum beyond the largest float
    spoiled = replace(changed(drawn, task=task), network=network)
    with pytest.raises(UserError, match=r"a\.wav.*NaN"):
        spoiled.predict(tmp_path / "a.wav", top=1)
    with pytest.raises(UserError, match="NaN"):
        spoiled.probabilities(np.zeros((1, 4410), np.float32))
    stream = AudioStream(tmp_path / "a.wav", 11025)
    assert list(spoiled.listen(stream)) == []
    assert "NaN" in str(stream.damage)
    with pytest.raises(UserError, match=r"a\.wav"):
        changed(drawn, calibration=Calibration(temperature=1e-300)).predict(tmp_path / "a.wav")


def test_files_are_answered_in_their_order_and_a_folder_by_file(drawn, tmp_path):
    one, two = (
        write(tmp_path / name, level, part_s=0.9, rate=11025) for name, level in (("b.wav", 0.9), ("a.wav", 0.1))
    )
    (tmp_path / "notes.txt").touch()
    expected = {path: drawn.predict(path) for path in (one, two)}
    assert drawn.predict([one, str(two)]) == [expected[one], expected[two]]
    assert drawn.predict(tmp_path) == expected
    assert [len(of_one) for of_one in drawn.embed([one, two])] == [3, 3]


def test_embeddings_are_those_of_the_network_window_by_window(drawn, tmp_path):
    waveform = (0.1 * np.random.default_rng(0).standard_normal(11025)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", waveform, 11025, subtype="FLOAT")
    embeddings = drawn.embed(tmp_path / "a.wav")
    with torch.inference_mode():
        windows = torch.from_numpy(np.stack([waveform[:4410], waveform[4410:8820], waveform[-4410:]]))
        expected = drawn.network.embed(drawn.front_end(windows)).numpy()
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    of_batch = drawn.embed([waveform, waveform[:4410]], sample_rate=11025)
    assert [len(of_one) for of_one in of_batch] == [3, 1]
    np.testing.assert_allclose(of_batch[0], expected, atol=1e-5)


def test_events_are_windows_above_their_fitted_threshold_joined(by_loudness, tmp_path):
    path = write(tmp_path / "a.wav", 1e-3, 1e-3, 0.9, 0.9, 0.9, *[1e-3] * 4, 0.9)
    fitted = Calibration(thresholds={"loud": Threshold(0.9, 0.95, 0.9, 10)}, n_clips=20)
    events = changed(by_loudness, calibration=fitted).predict(path, hop_s=0.25, events=True)
    assert [event[:3] for event in events] == [(0.25, 1.5, "loud"), (2.0, 2.5, "loud")]
    assert changed(by_loudness, calibration=fitted).predict(path, events=True) == events  # half a window, if not said
    both = by_loudness.predict(path, hop_s=0.5, events=True, threshold=0.9)
    assert [event[:3] for event in both] == [
        (0.0, 0.5, "quiet"),
        (0.5, 1.5, "loud"),
        (1.5, 2.0, "quiet"),
        (2.0, 2.5, "loud"),
    ]


def test_temperature_and_sigmoid_make_probabilities_of_logits(drawn):
    waveforms = (0.1 * np.random.default_rng(0).standard_normal((2, 4410))).astype(np.float32)
    with torch.inference_mode():
        logits = drawn.network(drawn.front_end(torch.from_numpy(waveforms))).numpy()
    warm = changed(drawn, task="multi_label", calibration=Calibration(temperature=2.5))
    np.testing.assert_allclose(warm.probabilities(waveforms), 1 / (1 + np.exp(-logits / 2.5)), atol=1e-6)
    rows = warm.predict(waveforms[0], top=3, sample_rate=11025)
    assert [row.probability for row in rows] == pytest.approx(
        np.sort(1 / (1 + np.exp(-logits[0] / 2.5)))[::-1], abs=1e-6
    )
    assert [row for row in rows if row.probability >= 0.5] == warm.predict(waveforms[0], sample_rate=11025)


def test_what_was_heard_before_the_damage_is_given_before_the_error(by_loudness, tmp_path):
    path = write(tmp_path / "a.wav", 0, 0, 0.9, 0.9, 0, 0, 0, 0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = by_loudness.listen(path)
    assert [next(heard).end_s for _ in range(2)] == pytest.approx([0.5, 1.0], abs=0.01)
    with pytest.raises(UserError, match=r"a\.wav"):
        next(heard)
    with pytest.raises(UserError, match=r"a\.wav"):
        by_loudness.predict(path)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_answers_as_the_cpu_does(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(44100), 44100)
    on_cpu, on_gpu = (list(classifier.listen(tmp_path / "a.wav")) for classifier in (drawn, drawn.to("cuda")))
    for one, other in zip(on_cpu, on_gpu, strict=True):
        np.testing.assert_allclose(other.probabilities, one.probabilities, atol=1e-4)


@pytest.mark.parametrize("changes", [{"f_min": 9000.0}, {"hop_length": 4000}], ids=str)
def test_a_front_end_that_cannot_be_is_refused(tmp_path, changes):
    path = tmp_path / "frogs.cohear"
    path.write_bytes(make_model(front_end=DESCRIPTION.front_end.model_copy(update=changes)).to_bytes())
    with pytest.raises(UserError, match=r"frogs\.cohear"):
        cohear.load(path)
