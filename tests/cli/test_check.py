"""What `cohear check` says of data, and that training agrees."""

import json

import pytest
import soundfile

from cli.conftest import noise
from tiny import OPTIONS, SAMPLE_RATE


def test_good_data_are_described_and_training_can_start(cohear, tones, tmp_path):
    said = cohear("check", tones, *OPTIONS, "--html", tmp_path / "check.html")
    assert said.status == 0
    assert said.out.startswith("tones: ")
    assert all(
        its in said.flat for its in ("3 labels", "tone0, tone1, tone2", "18 clips", "0.6 s", "8000 Hz", "2 folds")
    )
    assert "Check of tones" in (tmp_path / "check.html").read_text()
    values = json.loads(cohear("check", tones, *OPTIONS, "--json", "-").out)
    assert values["can_train"] is True
    assert values["overview"]["labels"][0] == {
        "label": "tone0", "n_clips": 6, "n_windows": 6, "n_recordings": 6, "duration_s": pytest.approx(3.6),
    }  # fmt: skip
    assert {clip["sample_rate"] for clip in values["clips"]} == {SAMPLE_RATE}


def test_every_error_is_found_in_one_go_and_with_the_options_of_training_the_answer_is_that_of_training(
    cohear, spoilable, tmp_path
):
    folder = spoilable.parent
    (folder / "tone0-1-0.wav").unlink()
    (folder / "tone0-1-1.wav").write_text("these are not samples")
    (folder / "tone0-1-2.wav").write_bytes(b"")
    soundfile.write(folder / "rare.wav", noise(), SAMPLE_RATE)
    spoilable.write_text(spoilable.read_text() + "rare.wav,rare,1,\n")
    words = (spoilable, *OPTIONS, "--set", "data.clip_s=0.6")
    said = cohear("check", *words, "--set", "training.batch_size=2", "--json", tmp_path / "check.json")
    assert said.status == 2
    assert said.err.splitlines()[-1].startswith("cohear: ")
    findings = json.loads((tmp_path / "check.json").read_text())["findings"]
    errors = json.dumps([finding for finding in findings if finding["severity"] == "error"])
    for culprit in ("tone0-1-0.wav", "tone0-1-1.wav", "tone0-1-2.wav", "rare", "a batch of 2"):
        assert culprit in errors
    assert cohear("train", *words, "--out", tmp_path / "o").refuses("3 of 19 clips")
    assert cohear("check", *words, "--skip-bad").status == 2
    assert cohear("train", *words, "--skip-bad", "--out", tmp_path / "o").refuses("'rare'", "--drop-small 2")
    said = cohear("check", *words, "--skip-bad", "--drop-small", 2)
    assert said.status == 0
    assert "training can start" in said.out


def test_groups_are_written_for_training_which_then_divides_none(cohear, tmp_path):
    for label, level in (("dog", 0.1), ("rain", 0.3)):
        for index in range(12):
            path = tmp_path / "sounds" / label / f"site{index // 3}_{index % 3}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, level * noise(index), SAMPLE_RATE)
    options = (*OPTIONS, "--set", "data.n_folds=3")
    table = tmp_path / "groups.csv"
    said = cohear("check", tmp_path / "sounds", *options, "--groups", table)
    assert "24 clips in 4 groups" in said.err
    assert cohear("check", table, *options).status == 0
    (tmp_path / "tables").mkdir()
    elsewhere = tmp_path / "tables" / "groups.csv"
    assert (
        f"--sounds {tmp_path / 'sounds'}" in cohear("check", tmp_path / "sounds", *options, "--groups", elsewhere).err
    )
    assert cohear("check", elsewhere, *options).status == 2
    assert cohear("check", elsewhere, *options, "--sounds", tmp_path / "sounds").status == 0
