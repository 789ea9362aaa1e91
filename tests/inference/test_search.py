"""Windows that are like a sound, against cosines by numpy; windows to label next, against entropies by scipy."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.stats import entropy

from cohear import keys
from cohear.augmentation import build_augmentation
from cohear.data.tables import BadLines, read_table
from cohear.errors import UserError
from cohear.evaluation.measure import EVALUATION_SEED
from cohear.inference.classifier import Classifier
from cohear.inference.recordings import find_recordings
from cohear.inference.review import COLUMNS, find_doubts, write_review
from cohear.inference.search import find_similar, open_listener
from cohear.views import ViewMaker, view_keys
from made_encoders import embedding, write_encoder
from made_models import make_model

RATE = 8000


@pytest.fixture
def listener(tmp_path) -> Classifier:
    return open_listener(write_encoder(tmp_path / "e.onnx"))


@pytest.fixture
def night(tmp_path) -> Path:
    """Noise with two chirps of 0.2 s, in one recording of two."""
    random = np.random.default_rng(0)
    (tmp_path / "night").mkdir()
    for name in ("a.wav", "b.wav"):
        noise = 0.01 * random.standard_normal(4 * RATE)
        for start_s in (1.0, 2.4) if name == "b.wav" else ():
            noise[round(start_s * RATE) : round(start_s * RATE) + 1600] += chirp()
        soundfile.write(tmp_path / "night" / name, noise, RATE, subtype="FLOAT")
    return tmp_path / "night"


def chirp() -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * np.linspace(500, 3000, 1600).cumsum() / RATE)


def test_what_sounds_alike_is_found_where_it_is_and_once(listener, night, tmp_path):
    soundfile.write(tmp_path / "chirp.wav", chirp(), RATE, subtype="FLOAT")
    found = find_similar(listener, [tmp_path / "chirp.wav"], find_recordings([night]), 5, hop_s=0.05)
    assert [one.path.name for one in found[:2]] == ["b.wav", "b.wav"]
    assert sorted(one.start_s for one in found[:2]) == pytest.approx([1.0, 2.4], abs=0.051)
    spans = sorted((one.path, one.start_s, one.end_s) for one in found)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))
    first = found[0]
    waveform, _ = soundfile.read(first.path, dtype="float32")
    start = round(first.start_s * RATE)
    one, other = embedding(waveform[None, start : start + 1600])[0], embedding(chirp()[None])[0]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert first.similarity == pytest.approx(cosine, abs=1e-4)


def test_pauses_of_the_clip_are_not_looked_for(listener, night, tmp_path):
    pauses = 0.01 * np.random.default_rng(3).standard_normal(3 * RATE)
    pauses[RATE : RATE + 1600] += chirp()
    soundfile.write(tmp_path / "clip.wav", pauses, RATE, subtype="FLOAT")
    found = find_similar(listener, [tmp_path / "clip.wav"], find_recordings([night]), 2, hop_s=0.05)
    assert sorted(one.start_s for one in found) == pytest.approx([1.0, 2.4], abs=0.11)


def test_what_was_heard_once_is_kept_until_the_recording_changes(listener, night, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "chirp.wav", chirp(), RATE, subtype="FLOAT")
    heard = []
    original = Classifier.listen
    monkeypatch.setattr(
        Classifier, "listen", lambda self, path, hop: (heard.append(path), original(self, path, hop))[1]
    )
    ask = lambda: find_similar(listener, [tmp_path / "chirp.wav"], find_recordings([night]), 3)  # noqa: E731
    first = ask()
    assert len(heard) == 3
    assert ask() == first
    assert len(heard) == 4  # what is looked for is heard anew
    soundfile.write(night / "a.wav", chirp(), RATE, subtype="FLOAT")
    assert ask()[0].similarity == pytest.approx(1.0, abs=1e-5)
    heard.clear()
    again = open_listener(Path(listener.about.encoder.file))
    assert find_similar(again, [tmp_path / "chirp.wav"], find_recordings([night]), 3) == ask()
    assert len(heard) == 2  # what is looked for, twice
    Path(listener.about.encoder.file).with_suffix(".json").write_text('{"output": "other"}')
    otherwise = open_listener(Path(listener.about.encoder.file))
    find_similar(otherwise, [tmp_path / "chirp.wav"], find_recordings([night]), 3)
    assert len(heard) == 5


def test_of_several_sounds_each_counts_and_a_file_that_was_cut_off_is_made_again(
    listener, night, tmp_path, monkeypatch
):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    soundfile.write(tmp_path / "chirp.wav", chirp(), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "quiet.wav", 0.01 * np.random.default_rng(5).standard_normal(1600), RATE)
    like = [tmp_path / "chirp.wav", tmp_path / "quiet.wav"]
    both = find_similar(listener, like, find_recordings([night]), 10)
    for kept in (tmp_path / "cache" / "embeddings").iterdir():
        kept.write_bytes(b"")
    assert find_similar(listener, like, find_recordings([night]), 10) == both
    alone = find_similar(listener, like[:1], find_recordings([night]), 10)
    assert both[-1].similarity > alone[-1].similarity


def test_a_recording_that_cannot_be_heard_is_told_and_the_rest_searched(listener, night, tmp_path):
    soundfile.write(tmp_path / "chirp.wav", chirp(), RATE, subtype="FLOAT")
    (night / "c.wav").write_bytes(b"RIFF1234WAVE")
    errors: list[UserError] = []
    found = find_similar(listener, [tmp_path / "chirp.wav"], find_recordings([night]), 2, on_error=errors.append)
    assert len(found) == 2
    assert "c.wav" in str(errors[0])


@pytest.fixture
def classifier() -> Classifier:
    model = make_model(sample_rate=RATE, clip_s=1.0)
    return Classifier(model.description, model.front_end(), model.build())


def test_doubts_are_entropies_of_the_mean_answer_to_three_views(classifier, night):
    doubts = find_doubts(classifier, find_recordings([night]), 100)
    assert len(doubts) == 8  # every window of both recordings
    assert [one.unsure for one in doubts] == sorted((one.unsure for one in doubts), reverse=True)
    one = doubts[0]
    waveform, _ = soundfile.read(one.path, dtype="float32")
    window = torch.from_numpy(waveform[None, round(one.start_s * RATE) : round(one.end_s * RATE)])
    views = np.arange(3)[:, None]
    window_key = keys.fold_in(np.uint64(keys.hash_text(one.path.name)), np.array([round(one.start_s * RATE)]))
    maker = ViewMaker(build_augmentation("combination", RATE), classifier.front_end)
    heard = maker.make(window, views, view_keys(EVALUATION_SEED, 0, window_key, views)).waveforms[:, 0]
    assert not np.allclose(heard[0], heard[1])
    answers = classifier.probabilities(heard.numpy())
    assert one.unsure == pytest.approx(float(entropy(answers.mean(axis=0))), abs=1e-4)
    assert one.probability == pytest.approx(float(answers.mean(axis=0).max()), abs=1e-4)
    assert find_doubts(classifier, find_recordings([night]), 100) == doubts
    apart = find_doubts(classifier, find_recordings([night]), 6, hop_s=0.1)
    spans = sorted((one.path, one.start_s, one.end_s) for one in apart)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))


def test_disagreement_makes_a_sure_answer_doubtful(classifier, night, monkeypatch):
    before = {(one.path, one.start_s): one.unsure for one in find_doubts(classifier, find_recordings([night]), 100)}
    answers = torch.tensor([[30.0, 0.0, 0.0], [0.0, 30.0, 0.0], [0.0, 0.0, 30.0]])  # sure, and each view of another
    monkeypatch.setattr(type(classifier.network), "forward", lambda _self, x: answers[:, None].expand(3, x.shape[1], 3))
    doubts = find_doubts(classifier, find_recordings([night]), 100)
    assert len(before) == len(doubts)
    assert all(one.unsure == pytest.approx(np.log(3), abs=1e-5) for one in doubts)


def test_the_table_is_one_to_train_on_once_it_is_filled_in(classifier, night, tmp_path):
    doubts = find_doubts(classifier, find_recordings([night]), 3)
    table = write_review(tmp_path / "review", doubts)
    header, *lines = table.read_text().splitlines()
    assert tuple(header.split(",")) == COLUMNS
    filled = [line.split(",") for line in lines]
    for number, cells in enumerate(filled):
        cells[1] = "frog" if number else "toad"
    table.write_text("\n".join([header, *map(",".join, filled)]) + "\n")
    clips, _ = read_table(table)
    assert [clip.labels for clip in clips] == [("toad",), ("frog",), ("frog",)]
    assert {clip.group for clip in clips} == {str(one.path) for one in doubts}
    filled[0][1], filled[1][1] = "frog;toad", ""
    table.write_text("\n".join([header, *map(",".join, filled)]) + "\n")
    with pytest.raises(UserError, match="label: the value is missing"):  # nobody has answered: not none of the labels
        read_table(table)
    assert len(read_table(table, bad=BadLines())[0]) == 2
    cut, rate = soundfile.read(table.parent / filled[0][0], dtype="float32")
    whole, _ = soundfile.read(doubts[0].path, dtype="float32")
    start = round(doubts[0].start_s * rate)
    np.testing.assert_allclose(cut, whole[start : start + len(cut)], atol=1e-4)
    assert len(cut) == round((doubts[0].end_s - doubts[0].start_s) * rate)
    with pytest.raises(UserError, match="not empty"):
        write_review(tmp_path / "review", doubts)
