"""What is loaded answers as its network does; what cannot be loaded is refused in a sentence."""

from pathlib import Path

import pytest
import soundfile
import torch

import cohear
from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.runs import RunRequest, execute
from made_models import DESCRIPTION, make_model
from tiny import SAMPLE_RATE, TINY


@pytest.fixture(scope="module")
def run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = change(preset("small"), dict(parse_override(text) for text in (*TINY, "training.epochs=1")))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        execute(RunRequest(tones, config, track="end"), prepare_data(tones, config), folder)
    return folder


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


def test_a_file_is_a_packed_model_whatever_its_name(tmp_path):
    for name in ("frogs.cohear", "frogs.zip"):
        (tmp_path / name).write_bytes(make_model().to_bytes())
        assert cohear.load(tmp_path / name).classes == DESCRIPTION.classes
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(UserError, match=r"notes.txt' is no packed model that can be used \(it is no zip file"):
        cohear.load(tmp_path / "notes.txt")
    with pytest.raises(UserError, match=r"gone.cohear' does not exist; give a file that `cohear pack` made"):
        cohear.load(tmp_path / "gone.cohear")
    (tmp_path / "folder.cohear").mkdir()
    with pytest.raises(UserError, match=r"it has no config\.json"):
        cohear.load(tmp_path / "folder.cohear")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"f_min": 9000.0}, "mel bands from 9000 to 8000 Hz cannot be made at a sample rate of 16000 Hz"),
        ({"n_fft": 64, "n_mels": 64}, "of 64 mel bands hold no frequency bin"),
        ({"hop_length": 4000}, "a spectrogram of 32 bands and 7 frames is too small for the network"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(tmp_path, changes, reason):
    path = tmp_path / "frogs.cohear"
    path.write_bytes(make_model(front_end=DESCRIPTION.front_end.model_copy(update=changes)).to_bytes())
    with pytest.raises(UserError) as error:
        cohear.load(path)
    assert str(error.value).startswith(f"'{path}' is no packed model that can be used")
    assert reason in str(error.value)
