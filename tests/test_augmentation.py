"""From recipes that name sounds to augmentations that hold them, and to runs that are known by them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear import augmentation
from cohear.augmentation import build_augmentation
from cohear.data.recordings import load_bank, save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import room_targets
from cohear.errors import UserError
from cohear.judging.shown_clips import SoundsGoneError, find_plan
from cohear.runs.config import change, parse_override
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import quarter
from cohear.transforms import AddRecordedNoise, Chain, Reverb
from tiny import TINY

RATE = 8000


def write_halls(folder: Path, rt60_s: float = 0.3) -> Path:
    folder.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).standard_normal((2, 2000))
    for name, response in zip("ab", noise * 10 ** (-3 * np.arange(2000) / RATE / rt60_s), strict=True):
        soundfile.write(folder / f"{name}.wav", response / np.abs(response).max(), RATE, subtype="FLOAT")
    return folder


def bank_of(recipe: str) -> ResponseBank | None:
    reverb = build_augmentation(recipe, RATE)
    assert isinstance(reverb, Reverb)
    return reverb.bank


def test_where_no_sounds_are_named_the_text_says_all():
    assert build_augmentation("none", RATE) is None
    for recipe in ("reverb", "combination", "noise+pitch,reverb+masking"):
        augmentation = build_augmentation(recipe, RATE)
        assert augmentation is not None
        assert augmentation.content_hash() is None


def test_a_folder_and_the_bank_that_was_saved_of_it_are_the_same_rooms(tmp_path):
    halls = write_halls(tmp_path / "my halls")
    read = bank_of(f"reverb(bank='{halls}')")
    assert read is not None
    assert read.names == ("a.wav", "b.wav")
    save_bank(read, tmp_path / "halls.safetensors")
    assert bank_of(f"reverb(bank='{tmp_path / 'halls.safetensors'}')") == read


@pytest.mark.parametrize("recipe", ["reverb(bank='{}')", "pitch,recorded-noise(recordings='{}')+masking"])
def test_augmentations_are_known_by_what_they_hold_wherever_it_lies(recipe: str, tmp_path):
    def contents(name: str) -> str | None:
        made = build_augmentation(recipe.format(tmp_path / name), RATE)
        assert made is not None
        return made.content_hash()

    write_halls(tmp_path / "here")
    write_halls(tmp_path / "there")
    before = contents("here")
    assert before is not None
    assert contents("there") == before
    write_halls(tmp_path / "there", rt60_s=0.2)
    assert contents("there") != before


def test_simulated_rooms_are_simulated_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path))
    recipe = "reverb(n_rooms=2, rt60_s=0.2..0.3, bank=simulated)"
    bank = bank_of(recipe)
    assert bank is not None
    np.testing.assert_allclose(bank.rt60_s, room_targets(2, (0.2, 0.3)), rtol=0.05)
    (kept,) = (tmp_path / "rooms").glob("*.safetensors")
    assert load_bank(kept) == bank
    augmentation._simulated.cache_clear()  # as in another process
    with monkeypatch.context() as context:
        context.setattr(augmentation, "simulated_bank", None)
        assert bank_of(recipe) == bank
    augmentation._simulated.cache_clear()
    kept.write_bytes(kept.read_bytes()[:-9])
    assert bank_of(recipe) == bank
    assert load_bank(kept) == bank


def test_recordings_are_read_from_their_folder(tmp_path):
    made = build_augmentation(f"recorded-noise(recordings='{write_halls(tmp_path / 'x')}', snr_db=3)+gain", RATE)
    assert isinstance(made, Chain)
    noise = made.transforms[0]
    assert isinstance(noise, AddRecordedNoise)
    assert (len(noise.recordings), noise.snr_db) == (2, (3.0, 3.0))


def test_rooms_that_cannot_be_used_are_refused_by_name(tmp_path):
    save_bank(ResponseBank(np.ones((1, 9), np.float32), 44100, ("a",)), tmp_path / "other")
    (tmp_path / "text").write_text("no bank")
    (tmp_path / "empty").mkdir()
    write_halls(tmp_path / "halls")
    for parameters, names in (
        ("bank=simulatd", r"'simulated'"),
        (f"bank='{tmp_path / 'other'}'", "44100 Hz"),
        (f"bank='{tmp_path / 'text'}'", "text"),
        (f"bank='{tmp_path / 'empty'}'", "empty"),
        (f"bank='{tmp_path / 'halls'}', n_rooms=3", "n_rooms"),
        ("bank=simulated, seed=3", "seed"),
    ):
        with pytest.raises(UserError, match=rf"^[^\n]*{names}[^\n]*$"):
            build_augmentation(f"reverb({parameters})", RATE)


@pytest.mark.slow
def test_a_run_is_known_by_what_its_recipe_names_and_not_reused_when_that_changes(tones, tmp_path):
    halls = write_halls(tmp_path / "halls")
    settings = (*TINY, "training.epochs=1", f"views.transform=reverb(bank='{halls}')+masking")
    changes = dict(parse_override(text) for text in settings)
    listing = list_clips(tones, change(quarter(), changes), chosen=changes)

    def plan() -> Plan:
        return Plan(listing.config, listing.decode(), track="end", out=tmp_path / "run")

    run, _ = execute(plan())
    assert not execute(plan())[1]  # reused
    assert find_plan(run)
    write_halls(halls, rt60_s=0.2)
    with pytest.raises(UserError, match=r"views\.transform"):
        execute(plan())
    with pytest.raises(SoundsGoneError, match="halls"):
        find_plan(run)
    shutil.rmtree(halls)
    with pytest.raises(SoundsGoneError, match="no such file or folder"):
        find_plan(run)
