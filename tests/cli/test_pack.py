"""A run is packed, and the file says what the run says."""

import shutil
import zipfile

import pytest


@pytest.fixture
def packed(cohear, trained, tmp_path):
    said = cohear("pack", trained, tmp_path / "tones.cohear", "--card", tmp_path / "card.md", "--notes", "CC0, *ours*")
    assert (said.status, said.out) == (0, "")
    assert f"packed: {tmp_path / 'tones.cohear'} (0." in said.err
    assert f"model card: {tmp_path / 'card.md'}" in said.err
    return tmp_path / "tones.cohear"


def test_a_packed_run_predicts_what_the_run_predicts(cohear, tones, trained, packed):
    sounds = sorted(tones.parent.glob("tone1-*.wav"))
    there, here = (cohear("predict", model, *sounds, "--top", 3) for model in (trained, packed))
    assert there.status == 0
    assert len(there.out.splitlines()) == 1 + 3 * len(sounds)
    assert here.out == there.out


def test_the_card_is_in_the_file_and_beside_it(packed):
    with zipfile.ZipFile(packed) as archive:
        card = archive.read("README.md").decode()
    assert card == (packed.parent / "card.md").read_text("utf-8")
    assert "of 9 test clips were answered rightly" in card
    assert "\nCC0, *ours*\n" in card


def test_the_file_is_named_as_the_run_is_and_has_equal_bytes(cohear, trained, packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cohear("pack", trained, "--notes", "CC0, *ours*").status == 0
    assert (tmp_path / "run.cohear").read_bytes() == packed.read_bytes()


def test_what_cannot_be_packed_or_written_is_refused(cohear, trained, packed, tmp_path):
    out = tmp_path / "out.cohear"
    assert cohear("pack", packed, out).refuses(f"'{packed}' is packed already; give the folder of a run")
    assert cohear("pack", trained / "config.json", out).refuses("is a file; give the folder of a run")
    assert cohear("pack", tmp_path / "gone", out).refuses("there is no such folder")
    assert cohear("pack", trained, tmp_path / "model.zip").refuses("its name must end in .cohear")
    assert cohear("pack", trained, out, "--card", "card.html").refuses("its name must end in .md")
    assert cohear("pack", trained, tmp_path / "gone" / "a.cohear").refuses("its folder does not exist")
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    assert cohear("pack", tmp_path / "run", out).refuses("is an unfinished run; finish it")
    assert not out.exists()


def test_a_damaged_packed_model_is_refused_in_one_sentence(cohear, tones, packed):
    packed.write_bytes(packed.read_bytes()[:-100])
    sound = tones.parent / "tone0-1-0.wav"
    said = cohear("predict", packed, sound)
    assert said.refuses(f"'{packed}' is no packed model that can be used (it is no zip file, or a damaged one)")
    packed.unlink()
    assert cohear("predict", packed, sound).refuses(f"'{packed}' does not exist")
