"""What `import cohear` offers; and that a training asks each question once."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import cohear as package
from cohear.data.recordings import save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.runs.config import change
from cohear.runs.plan import list_clips
from cohear.runs.presets import paper
from cohear.runs.run import Run
from tiny import OPTIONS, TINY_SETTINGS


def test_the_package_shows_what_it_offers_and_imports_no_torch():
    assert {"train", "Run", "load", "Classifier", "transforms", "objectives", "models", "__version__"} <= {
        *dir(package)
    }
    code = "import sys, cohear; dir(cohear); cohear.__version__; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    with pytest.raises(AttributeError, match="tain"):
        _ = package.tain


def test_a_run_from_python_is_that_of_the_command_line(cohear, tones, trained, tmp_path):
    shares: list[float] = []
    options = {"preset": "quarter", "settings": dict(TINY_SETTINGS), "track": "end", "out": tmp_path / "run"}
    run = package.train(tones, method="consistency", transform="combination", on_progress=shares.append, **options)
    assert isinstance(run, package.Run)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for name in ("model.safetensors", "metrics.json"):
        assert (run.folder / name).read_bytes() == (trained / name).read_bytes()
    assert run.report.exists()
    assert package.Run(run.folder).metrics["accuracy"] == Run(trained).accuracy
    assert package.Run(run.folder).record == Run(trained).record
    sound = tones.parent / "tone0-1-0.wav"
    (row,) = run.classifier.predict(sound)
    assert row == package.load(trained).predict(sound)[0]
    assert run.classifier.embed(sound).shape[0] == 1
    n_steps = len(shares)
    package.train(str(tones), on_progress=shares.append, **options)  # finished before
    assert len(shares) == n_steps
    for name in ("training.epochs", "objective.ramp_epochs"):
        del options["settings"][name]
    scaled = package.train(tones, epochs=1, **options | {"out": tmp_path / "scaled"})
    assert scaled.config.training.epochs == 1
    assert scaled.config.objective.ramp_epochs == pytest.approx(10 / 72)


@pytest.mark.parametrize(
    ("options", "culprits"),
    [
        ({"methods": "bda"}, ("methods", "method")),
        ({"method": "magic"}, ("method", "magic")),
        ({"epochs": 0}, ("training.epochs",)),
        ({"fold": 9}, ("fold 9",)),
        ({"track": "sometimes"}, ("sometimes",)),
        ({"fold": "all", "crossval": "nowhere"}, ("nowhere",)),
    ],
)
def test_wrong_options_are_refused_in_words(tones, options, culprits):
    with pytest.raises(UserError) as refused:
        package.train(tones, **({"preset": "small"} | options))
    assert all(culprit in str(refused.value) for culprit in culprits)


def test_sounds_of_a_low_rate_have_as_many_bands_as_a_window_holds(tones):
    assert list_clips(tones, paper()).config.front_end.n_mels == 64
    assert list_clips(tones, change(paper(), {"front_end.f_max": 9e3})).config.front_end.n_mels == 128


COUNTED = {
    "read_dataset": "cohear.runs.plan.read_dataset",
    "read_headers": "cohear.runs.plan.read_headers",
    "open_store": "cohear.runs.plan.open_store",
    "the weights to begin with": "cohear.runs.trained_model.read_model",
    "the rooms": "cohear.augmentation.load_bank",
    "the identity": "cohear.runs.plan.identify",
}


def test_a_training_asks_each_question_once(cohear, tones, trained, tmp_path, monkeypatch):
    asked = Counter[str]()

    def count(name: str, place: object, attribute: str) -> None:
        original = getattr(place, attribute)

        def counted(*arguments: object, **options: object) -> object:
            asked[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(place, attribute, counted)

    for name, place in COUNTED.items():
        module, attribute = place.rsplit(".", 1)
        count(name, sys.modules[module], attribute)
    count("the hash of rooms", ResponseBank.__dict__["fingerprint"], "func")
    rooms = np.random.default_rng(0).standard_normal((2, 800)).astype(np.float32)
    bank, decays = tmp_path / "rooms.safetensors", rooms * np.exp(-np.arange(800) / 100)
    save_bank(ResponseBank(decays.astype(np.float32), 8000, ("hall", "room")), bank)
    monkeypatch.chdir(tmp_path)
    words = ("--init", trained, "--transform", f"reverb(bank='{bank}')")
    assert cohear("train", tones, *OPTIONS, *words).status == 0
    assert asked == {**dict.fromkeys(COUNTED, 1), "the hash of rooms": 1}


MOST_FILES = 87
"""Modules of this package that a training has imported when its weights are made."""
UNTIL_WEIGHTS = """
import os, sys
from cohear.cli import run
from cohear.runs import execution
def leave(*_):
    print(*sorted(name for name in sys.modules if name.split(".")[0] == "cohear"), flush=True)
    os._exit(0)
execution.build_network = leave
run(sys.argv[1:])
"""


def test_few_files_are_run_before_the_weights_exist(tones, tmp_path):
    words = [sys.executable, "-c", UNTIL_WEIGHTS, "train", str(tones), *OPTIONS, "--out", str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    modules = done.stdout.split()
    assert "cohear.runs.plan" in modules
    assert len(modules) <= MOST_FILES
