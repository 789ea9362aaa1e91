"""What `cohear check` says of data, and that training agrees."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tiny import OPTIONS, SAMPLE_RATE


@pytest.fixture
def copied(tones: Path, tmp_path: Path) -> Path:
    """The table of a copy of the tones that may be spoiled."""
    return Path(shutil.copytree(tones.parent, tmp_path / "sounds")) / tones.name


def noise(seed: int = 0, duration_s: float = 0.6) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(duration_s * SAMPLE_RATE))


def spoil(table: Path) -> None:
    """Give five files five faults, and a label one fold alone."""
    folder = table.parent
    (folder / "tone0-1-0.wav").unlink()
    (folder / "tone0-1-1.wav").write_text("these are not samples")
    (folder / "tone0-1-2.wav").write_bytes(b"")
    soundfile.write(folder / "tone1-1-1.wav", np.full(99, np.nan, np.float32), SAMPLE_RATE, subtype="FLOAT")
    cut = (folder / "tone1-2-0.wav").read_bytes()
    (folder / "tone1-2-0.wav").write_bytes(cut[: len(cut) // 2])
    soundfile.write(folder / "rare.wav", noise(), SAMPLE_RATE)
    table.write_text(table.read_text() + "rare.wav,rare,1,\n")


def test_good_data_are_described_and_training_can_start(cohear, tones):
    said = cohear("check", tones, *OPTIONS)
    assert said.status == 0
    title, *lines = said.out.splitlines()
    assert title == "tones: training can start; 1 warning"
    assert lines[0].split()[:6] == ["18", "clips", "in", "18", "files,", "11"]
    assert "3 labels: tone0, tone1, tone2, 6 clips each" in said.out
    assert "18 clips of 0.6 s at 8000 Hz, in its 2 folds of 9" in said.out
    assert said.err == ""


def test_every_error_is_found_in_one_go_and_training_refuses_too(cohear, copied, tmp_path):
    spoil(copied)
    said = cohear("check", copied, *OPTIONS, "--json", tmp_path / "check.json")
    assert said.status == 2
    assert said.err.splitlines()[-1].startswith("cohear: training cannot start on")
    assert said.out.startswith("tones: training cannot start; 3 errors")
    assert "(tone0-1-0.wav)" in said.out
    assert "(rare: 1 clip, fold 1)" in " ".join(said.out.split())
    unusable = json.loads((tmp_path / "check.json").read_text())["findings"][1]
    assert [" ".join(item["detail"].split()[:3]) for item in unusable["items"]] == [
        "tone0-1-1.wav cannot be", "tone0-1-2.wav is empty", "tone1-1-1.wav holds NaN", "tone1-2-0.wav gives only",
    ]  # fmt: skip
    assert cohear("train", copied, *OPTIONS, "--out", tmp_path / "o").refuses("5 of 19 clips cannot be used")


def test_what_is_far_too_loud_or_claims_too_much_is_named_as_that(cohear, copied):
    huge, claim = copied.parent / "tone0-1-0.wav", copied.parent / "tone0-1-1.wav"
    soundfile.write(huge, np.full(4800, 1e38, np.float32), SAMPLE_RATE, subtype="FLOAT")
    content = bytearray(claim.read_bytes())
    position = content.index(b"data") + 4
    content[position : position + 4] = struct.pack("<I", 4_000_000_000)
    claim.write_bytes(content)
    said = cohear("check", copied, *OPTIONS, "--json", "-")
    assert said.status == 2
    assert "RuntimeWarning" not in said.err
    (finding,) = (one for one in json.loads(said.out)["findings"] if one["severity"] == "error")
    assert [" ".join(item["detail"].split()[:4]) for item in finding["items"]] == [
        "tone0-1-0.wav holds samples far", "tone0-1-1.wav gives only 0.60",
    ]  # fmt: skip


def test_with_the_options_of_training_the_answer_is_that_of_training(cohear, copied, tmp_path):
    spoil(copied)
    skipping = (copied, *OPTIONS, "--skip-bad")
    assert "1 error," in cohear("check", *skipping).out
    refused = cohear("train", *skipping, "--out", tmp_path / "o")
    assert refused.refuses("no training clip is left of 'rare'", "--drop-small 2")
    said = cohear("check", *skipping, "--drop-small", 2)
    assert said.status == 0
    assert "training can start" in said.out
    assert "1 class with fewer than 2 clips left out: rare" in " ".join(said.out.split())


def test_settings_that_the_data_do_not_allow_are_refused(cohear, tones):
    said = cohear("check", tones, *OPTIONS, "--set", "data.clip_s=0.1", "--background", "quiet")
    assert said.status == 2
    flat = " ".join(said.out.split())
    assert "ERROR a spectrogram of 16 bands and 5 frames is too small" in flat
    assert "ERROR tones has no label 'quiet'" in flat


def test_data_that_cannot_be_listed_are_refused_in_the_words_of_training(cohear, tmp_path):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "check.json"
    assert cohear("check", tmp_path / "empty", *OPTIONS, "--json", out).refuses("empty holds no sounds")
    values = json.loads(out.read_text())
    assert values["can_train"] is False
    assert "holds no sounds" in values["findings"][0]["sentence"]
    assert cohear("check", tmp_path / "nowhere", *OPTIONS).refuses("nowhere does not exist")


def test_a_table_of_wrong_paths_is_told_where_the_files_are(cohear, copied):
    moved = copied.parent / "audio"
    moved.mkdir()
    for path in copied.parent.glob("*.wav"):
        path.rename(moved / path.name)
    said = cohear("check", copied, *OPTIONS)
    assert said.status == 2
    flat = " ".join(said.out.split())
    assert "18 of 18 clips name files that do not exist" in flat
    assert "Perhaps 'tone0-1-0.wav' is 'audio/tone0-1-0.wav'." in flat


def test_json_goes_to_the_screen_and_the_page_to_its_file(cohear, tones, tmp_path):
    said = cohear("check", tones, *OPTIONS, "--json", "-", "--html", tmp_path / "check.html")
    values = json.loads(said.out)
    assert values["overview"]["labels"][0] == {
        "label": "tone0", "n_clips": 6, "n_windows": 6, "n_recordings": 6, "duration_s": pytest.approx(3.6),
    }  # fmt: skip
    assert {clip["sample_rate"] for clip in values["clips"]} == {SAMPLE_RATE}
    assert "Check of tones" in (tmp_path / "check.html").read_text()


def test_groups_are_written_for_training_which_then_divides_none(cohear, tmp_path):
    for label, level in (("dog", 0.1), ("rain", 0.3)):
        for index in range(12):
            path = tmp_path / "sounds" / label / f"site{index // 3}_{index % 3}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, level * noise(index), SAMPLE_RATE)
    options = (*OPTIONS, "--set", "data.n_folds=3")
    table = tmp_path / "groups.csv"
    said = cohear("check", tmp_path / "sounds", *options, "--groups", table)
    assert "look by their names like parts of 4 recordings" in " ".join(said.out.split())
    assert "24 clips in 4 groups" in said.err
    again = cohear("check", table, *options)
    assert again.status == 0
    assert "look by their names" not in again.out
    assert cohear("check", table, *options, "--groups", tmp_path / "groups.txt").status == 2
    (tmp_path / "tables").mkdir()
    elsewhere = tmp_path / "tables" / "groups.csv"
    said = cohear("check", tmp_path / "sounds", *options, "--groups", elsewhere)
    assert f"give that table with --sounds {tmp_path / 'sounds'}" in said.err
    assert cohear("check", elsewhere, *options).status == 2
    assert cohear("check", elsewhere, *options, "--sounds", tmp_path / "sounds").status == 0


def test_copies_on_both_sides_of_the_validation_part_are_told(cohear, tmp_path):
    rows = ["path,label,fold"]
    for index in range(40):
        soundfile.write(tmp_path / f"{index}.wav", noise(index // 2), SAMPLE_RATE)
        rows.append(f"{index}.wav,{'dog' if index % 4 < 2 else 'rain'},{1 + index // 4 % 2}")
    table = tmp_path / "sounds.csv"
    table.write_text("\n".join(rows))
    said = cohear("check", table, *OPTIONS, "--set", "data.validation_share=0.5")
    assert "kept back for validation" in " ".join(said.out.split())


def test_a_handful_of_clips_can_be_checked(cohear, tmp_path):
    for index in range(6):
        soundfile.write(tmp_path / f"{index}.wav", noise(index), SAMPLE_RATE)
    table = tmp_path / "few.csv"
    table.write_text("path,label\n" + "".join(f"{index}.wav,{'xy'[index % 2]}\n" for index in range(6)))
    said = cohear("check", table, *OPTIONS, "--set", "data.n_folds=2", "--set", "data.validation_share=0.15")
    assert said.status == 0
    assert "3 training clips are too few to spare 10 of them" in " ".join(said.out.split())


@pytest.mark.parametrize("option", ["--groups", "--json", "--html"])
def test_nothing_is_written_over_the_data(cohear, copied, option):
    before = copied.read_text()
    assert cohear("check", copied, *OPTIONS, option, copied).refuses("would write over the data")
    assert copied.read_text() == before


def test_help_has_an_example_and_fits_a_narrow_terminal(cohear, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    said = cohear("check", "--help")
    assert "  cohear check my_sounds/" in said.out
    assert max(map(len, said.out.splitlines())) <= 60
