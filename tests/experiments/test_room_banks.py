"""From the setting `views.room_bank` to rooms, and to runs that are known by them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.cli import run as run_command
from cohear.data.bank_files import load_bank, save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import room_targets
from cohear.errors import UserError
from cohear.experiments import room_banks
from cohear.experiments.build import build_reverb, prepare_data
from cohear.experiments.config import Config
from cohear.experiments.folder_claims import check_folder
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import read_record
from cohear.experiments.runs import RunRequest, execute
from cohear.experiments.shown_runs import SoundsGoneError, show_test_clips
from tiny import OPTIONS, TINY

pytestmark = pytest.mark.usefixtures("one_thread")


def config(room_bank: object, **changes: object) -> Config:
    settings = dict(parse_override(text) for text in (*TINY, "training.epochs=1"))
    return change(preset("small"), {**settings, "views.room_bank": str(room_bank), **changes})


def write_halls(folder: Path, rt60_s: float = 0.3) -> Path:
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).standard_normal((2, 2000))
    for name, response in zip("ab", noise * 10 ** (-3 * np.arange(2000) / 8000 / rt60_s), strict=True):
        soundfile.write(folder / f"{name}.wav", response / np.abs(response).max(), 8000, subtype="FLOAT")
    return folder


def test_made_up_rooms_are_the_default_and_no_bank():
    assert room_banks.room_bank(Config()) is None
    assert build_reverb(config("made-up")).bank is None


def test_a_folder_and_the_bank_that_was_saved_of_it_are_the_same_rooms(tmp_path):
    halls = write_halls(tmp_path / "halls")
    read = room_banks.room_bank(config(halls))
    assert read is not None
    assert read.names == ("a.wav", "b.wav")
    save_bank(read, tmp_path / "halls.safetensors")
    assert build_reverb(config(tmp_path / "halls.safetensors")).bank == read
    before = room_banks.room_bank_hash(config(halls))
    write_halls(halls, rt60_s=0.2)
    assert room_banks.room_bank_hash(config(halls)) != before


def test_simulated_rooms_are_simulated_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path))
    wanted = config("simulated", **{"views.n_rooms": 2, "views.room_rt60_s": (0.2, 0.3)})
    bank = room_banks.room_bank(wanted)
    assert bank is not None
    np.testing.assert_allclose(bank.rt60_s, room_targets(2, (0.2, 0.3)), rtol=0.05)
    (kept,) = (tmp_path / "rooms").glob("*.safetensors")
    assert load_bank(kept) == bank
    room_banks._simulated.cache_clear()  # as in another process
    with monkeypatch.context() as context:
        context.setattr(room_banks, "simulated_bank", None)
        assert room_banks.room_bank(wanted) == bank
    room_banks._simulated.cache_clear()
    kept.write_bytes(kept.read_bytes()[:-9])
    assert room_banks.room_bank(wanted) == bank
    assert load_bank(kept) == bank


def test_rooms_that_cannot_be_used_are_refused_in_words(tmp_path):
    def refused(room_bank: object, message: str) -> None:
        with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
            room_banks.room_bank(config(room_bank))

    refused("simulatd", r"no such file or folder \(did you mean 'simulated'\?\); use made-up, simulated, a saved bank")
    save_bank(ResponseBank(np.ones((1, 9), np.float32), 44100, ("a",)), tmp_path / "other")
    refused(tmp_path / "other", "was made for 44100 Hz, and data.sample_rate is 8000")
    (tmp_path / "text").write_text("no bank")
    refused(tmp_path / "text", "cannot be used as a bank of responses")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no sound file")
    with pytest.raises(UserError, match=r"'views\.room_bank' cannot be ''"):
        config("")


def test_a_wrong_bank_ends_a_command_with_status_2_before_anything_is_decoded(tones, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "run"
    command = ["train", str(tones), *OPTIONS, "--set", "views.room_bank=nowhere", "--out", str(out)]
    assert run_command(command) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("cohear: views.room_bank is 'nowhere'")
    assert not out.exists()
    assert not (tmp_path / "cache").exists()


def test_a_run_is_known_by_its_rooms_and_not_reused_when_they_change(tones, tmp_path):
    halls = write_halls(tmp_path / "halls")
    wanted = RunRequest(tones, config(halls, method="none", **{"views.transform": "none"}), track="end")
    data = prepare_data(tones, wanted.config)
    assert execute(wanted, data, tmp_path / "run")
    record = read_record(tmp_path / "run")
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert record.rooms == environment["room_bank"] == room_banks.room_bank_hash(wanted.config)
    assert not execute(wanted, data, tmp_path / "run")  # reused
    assert show_test_clips(tmp_path / "run", n_clips=1)

    write_halls(halls, rt60_s=0.2)
    for claimed in (
        lambda: execute(wanted, data, tmp_path / "run"),
        lambda: check_folder(tmp_path / "run", wanted.config, "end", resume=False),
    ):
        with pytest.raises(UserError, match=r"its rooms '.*halls' are no longer what they were; choose another --out"):
            claimed()
    with pytest.raises(SoundsGoneError, match="halls' no longer holds the rooms the run was trained with"):
        show_test_clips(tmp_path / "run")
    shutil.rmtree(halls)
    with pytest.raises(SoundsGoneError, match="no such file or folder"):
        show_test_clips(tmp_path / "run")


@pytest.mark.slow
def test_a_run_with_made_up_rooms_names_them_too(tones, tmp_path):
    wanted = RunRequest(tones, config("made-up", **{"views.transform": "pitch"}), track="end")
    execute(wanted, prepare_data(tones, wanted.config), tmp_path)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["room_bank"] == build_reverb(wanted.config).bank_hash()
    assert "rooms" not in json.loads((tmp_path / "config.json").read_text())
    assert read_record(tmp_path).rooms is None
