"""Data that cannot be used: one sentence that names the culprit, status 2, and nothing written."""

import json
import shutil
from collections.abc import Callable
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


def write_classes(folder: Path, **n_clips: int) -> Path:
    """Write a folder of classes with so many clips each."""
    for label, n in n_clips.items():
        (folder / label).mkdir(parents=True)
        for index in range(n):
            soundfile.write(folder / label / f"{index}.wav", noise(index), SAMPLE_RATE, subtype="PCM_16")
    return folder


def cut_flac(table: Path) -> None:
    path = table.parent / "cut.flac"
    soundfile.write(path, noise(duration_s=6), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    table.write_text(table.read_text().replace("tone0-1-0.wav", "cut.flac"))


def with_nan(table: Path) -> None:
    waveform = noise().astype(np.float32)
    waveform[2400] = np.nan
    soundfile.write(table.parent / "tone1-1-1.wav", waveform, SAMPLE_RATE, subtype="FLOAT")


def remove_file(table: Path) -> None:
    (table.parent / "tone1-1-1.wav").unlink()


def text_instead_of_sound(table: Path) -> None:
    (table.parent / "tone1-1-1.wav").write_text("these are not samples")


def no_label_column(table: Path) -> None:
    table.write_text(table.read_text().replace("path,label", "path,labels"))


SPOILED: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (remove_file, ("1 of 18 clips", "tone1-1-1.wav does not exist", "--skip-bad")),
    (text_instead_of_sound, ("tone1-1-1.wav cannot be read as sound", "--skip-bad")),
    (cut_flac, ("cut.flac is damaged or cut short", "6.00 s", "--skip-bad")),
    (with_nan, ("tone1-1-1.wav holds NaN", "0.300 s", "--skip-bad")),
    (no_label_column, ("tones.csv has no column 'label'", "did you mean 'labels'")),
]


@pytest.mark.parametrize(("spoil", "culprits"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_spoiled_data_is_refused_by_name_and_nothing_is_written(cohear, copied, tmp_path, monkeypatch, spoil, culprits):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    spoil(copied)
    out = tmp_path / "run"
    assert cohear("train", copied, *OPTIONS, "--out", out).refuses(*culprits)
    assert not out.exists()
    kept = [entry for entry in (tmp_path / "cache").rglob("*") if entry.name[-5:] not in (".lock", ".json")]
    assert kept == []


@pytest.mark.parametrize("command", ["train", "crossval"])
def test_missing_data_and_an_empty_folder_are_refused(cohear, tmp_path, command):
    (tmp_path / "empty").mkdir()
    assert cohear(command, tmp_path / "nowhere", *OPTIONS, "--out", tmp_path / "o").refuses("nowhere does not exist")
    assert cohear(command, tmp_path / "empty", *OPTIONS, "--out", tmp_path / "o").refuses("empty holds no sounds")
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_skip_bad_trains_without_the_bad_files_and_lists_them(cohear, copied, tmp_path):
    remove_file(copied)
    with_nan(copied)
    (copied.parent / "tone0-2-1.wav").write_text("no sound")
    run = tmp_path / "run"
    said = cohear("train", copied, *OPTIONS, "--set", "training.epochs=1", "--out", run, "--skip-bad")
    assert said.status == 0
    assert "skipped: " in said.err
    notes = "\n".join(json.loads((run / "metrics.json").read_text())["data_notes"])
    for listed in (said.err, notes):
        assert "tone1-1-1.wav holds NaN" in listed
        assert "tone0-2-1.wav cannot be read as sound" in listed
    assert json.loads((run / "metrics.json").read_text())["n_train_clips"] == 8


@pytest.mark.slow
def test_a_label_without_training_clips_is_refused_and_the_way_out_works_when_followed(cohear, tmp_path):
    sounds = write_classes(tmp_path / "sounds", dog=5, cat=5, rare=1)
    options = (*OPTIONS, "--set", "training.epochs=1", "--set", "data.n_folds=2")
    said = cohear("crossval", sounds, *options, "--out", tmp_path / "refused")
    assert said.refuses("no training clip is left of 'rare'", "--drop-small 2")
    assert not (tmp_path / "refused").exists()
    said = cohear("crossval", sounds, *options, "--drop-small", 2, "--out", tmp_path / "runs")
    assert said.status == 0
    assert "1 class with fewer than 2 clips left out: rare" in said.err


def test_drop_small_counts_recordings_not_windows(cohear, tmp_path):
    sounds = write_classes(tmp_path / "sounds", dog=5, cat=5)
    (sounds / "rare").mkdir()
    soundfile.write(sounds / "rare" / "long.wav", noise(duration_s=6), SAMPLE_RATE, subtype="PCM_16")
    said = cohear("crossval", sounds, *OPTIONS, "--set", "data.clip_s=0.6", "--out", tmp_path / "o")
    assert said.refuses("'rare'", "--drop-small 2")
    assert not (tmp_path / "o").exists()


def test_no_number_is_proposed_where_dropping_small_classes_would_leave_nothing(cohear, copied, tmp_path):
    lines = copied.read_text().splitlines()
    copied.write_text("\n".join([lines[0], *(line for line in lines[1:] if "tone2-1-" not in line)]) + "\n")
    for take in range(9):
        soundfile.write(copied.parent / f"more{take}.wav", noise(take), SAMPLE_RATE)
    with copied.open("a") as table:
        table.writelines(f"more{take}.wav,tone2,2,more{take}\n" for take in range(9))
    said = cohear("train", copied, *OPTIONS, "--fold", 2, "--out", tmp_path / "o")
    assert said.refuses("no training clip is left of 'tone2'", "take 'tone2' out of the data")
    assert "--drop-small" not in said.err


@pytest.mark.slow
def test_a_label_missing_from_a_test_fold_is_only_a_warning_that_metrics_and_comparison_repeat(
    cohear, copied, tmp_path
):
    lines = copied.read_text().splitlines()
    copied.write_text("\n".join([lines[0], *(line for line in lines[1:] if "tone2-1-" not in line)]) + "\n")
    run, sentence = tmp_path / "run", "fold 1 has no test clip of 'tone2'"
    said = cohear("train", copied, *OPTIONS, "--set", "training.epochs=1", "--fold", 1, "--out", run)
    assert said.status == 0
    assert f"WARNING: {sentence}" in said.err
    assert json.loads((run / "metrics.json").read_text())["warnings"][0].startswith(sentence)
    compared = cohear("compare", run, "--out", tmp_path / "comparison.html")
    assert f"Warning: {sentence}" in " ".join(compared.out.split())
    assert "no test clip of" in (tmp_path / "comparison.html").read_text()
