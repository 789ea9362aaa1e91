"""Data that cannot be used: one sentence that names the culprit, status 2, and nothing written; so `check` says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cli.conftest import noise, write_folder
from tiny import OPTIONS, SAMPLE_RATE

ONE_EPOCH = (*OPTIONS, "--set", "training.epochs=1", "--track", "end")
NO_SOUND = "tone1-1-1.wav"


def cut_flac(table: Path) -> None:
    path = table.parent / "cut.flac"
    soundfile.write(path, noise(duration_s=6), SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    table.write_text(table.read_text().replace("tone0-1-0.wav", "cut.flac"))


def with_nan(table: Path) -> None:
    waveform = noise().astype(np.float32)
    waveform[2400] = np.nan
    soundfile.write(table.parent / NO_SOUND, waveform, SAMPLE_RATE, subtype="FLOAT")


def remove_file(table: Path) -> None:
    (table.parent / NO_SOUND).unlink()


def no_label_column(table: Path) -> None:
    table.write_text(table.read_text().replace("path,label", "path,labels"))


def without_a_label(table: Path) -> None:
    """Leave a label without clips in fold 1."""
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line for line in lines[1:] if "tone2-1-" not in line)]) + "\n")


SPOILED: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (remove_file, (NO_SOUND, "1 of 18 clips", "--skip-bad")),
    (cut_flac, ("cut.flac", "--skip-bad")),
    (with_nan, (NO_SOUND, "NaN", "0.300 s", "--skip-bad")),
    (no_label_column, ("tones.csv", "'label'", "'labels'")),
]


@pytest.mark.parametrize(("spoil", "culprits"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_spoiled_data_is_refused_by_name_and_nothing_is_written(
    cohear, spoilable, tmp_path, monkeypatch, spoil, culprits
):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    spoil(spoilable)
    out = tmp_path / "run"
    assert cohear("train", spoilable, *OPTIONS, "--out", out).refuses(*culprits)
    assert not out.exists()
    assert not [entry for entry in (tmp_path / "cache").rglob("*") if entry.suffix not in (".lock", ".json")]
    checked = cohear("check", spoilable, *OPTIONS)
    assert checked.status == 2
    assert culprits[0] in checked.out + checked.err


def test_skip_bad_trains_without_the_bad_files_and_lists_them(cohear, spoilable, tmp_path):
    with_nan(spoilable)
    (spoilable.parent / "tone0-2-1.wav").write_text("no sound")
    run = tmp_path / "run"
    said = cohear("train", spoilable, *ONE_EPOCH, "--out", run, "--skip-bad")
    assert said.status == 0
    metrics = json.loads((run / "metrics.json").read_text())
    for listed in (said.err, "\n".join(metrics["data_notes"])):
        assert NO_SOUND in listed
        assert "tone0-2-1.wav" in listed
    assert metrics["n_train_clips"] == 8


def test_a_label_without_training_clips_is_refused_and_the_way_out_works_when_followed(cohear, tmp_path):
    sounds = write_folder(tmp_path / "sounds", dog=5, cat=5, rare=0)
    soundfile.write(sounds / "rare" / "long.wav", noise(duration_s=6), SAMPLE_RATE)  # one recording of many windows
    options = (*ONE_EPOCH, "--set", "data.n_folds=2", "--set", "data.clip_s=0.6")
    said = cohear("crossval", sounds, *options, "--out", tmp_path / "runs")
    assert said.refuses("'rare'", "--drop-small 2")
    assert not (tmp_path / "runs").exists()
    assert cohear("check", sounds, *OPTIONS, *options[-4:], "--drop-small", 2).status == 0
    said = cohear("crossval", sounds, *options, "--drop-small", 2, "--out", tmp_path / "runs")
    assert said.status == 0
    assert "rare" in said.err


def test_a_label_missing_from_a_test_fold_is_only_a_warning_that_metrics_and_comparison_repeat(
    cohear, spoilable, tmp_path
):
    without_a_label(spoilable)
    run, sentence = tmp_path / "run", "fold 1 has no test clip of 'tone2'"
    said = cohear("train", spoilable, *ONE_EPOCH, "--fold", 1, "--out", run)
    assert said.status == 0
    assert f"WARNING: {sentence}" in said.err
    assert json.loads((run / "metrics.json").read_text())["warnings"][0].startswith(sentence)
    assert sentence in cohear("compare", run, "--out", tmp_path / "comparison.html").flat


@pytest.fixture
def apart(spoilable: Path, tmp_path: Path) -> Path:
    """A table whose sounds lie in another folder."""
    (tmp_path / "tables").mkdir()
    return Path(shutil.move(spoilable, tmp_path / "tables" / spoilable.name))


def test_a_run_finds_sounds_that_lie_elsewhere_again_and_is_the_same_run(cohear, apart, trained, tmp_path):
    sounds, run, page = tmp_path / "sounds", tmp_path / "run", tmp_path / "page.html"
    assert cohear("check", apart, *OPTIONS).status == 2
    assert cohear("check", apart, *OPTIONS, "--sounds", sounds).status == 0
    assert cohear("check", sounds, *OPTIONS, "--sounds", tmp_path).refuses("--sounds")
    said = cohear("train", apart, *OPTIONS, "--track", "end", "--sounds", sounds, "--out", run)
    assert said.status == 0
    record, beside = (json.loads((folder / "config.json").read_text()) for folder in (run, trained))
    assert record["identity"] == beside["identity"]
    assert (run / "predictions.csv").read_bytes() == (trained / "predictions.csv").read_bytes()
    assert cohear("evaluate", run, apart, "--out", page).status == 0
    assert cohear("evaluate", trained, apart, "--out", page).status == 2
    assert cohear("report", run).status == 0


def test_a_table_must_not_name_what_lies_outside_its_folder(cohear, apart, tmp_path):
    rows = apart.read_text().splitlines()
    apart.write_text("\n".join([rows[0], *(f"{tmp_path}/sounds/{row}" for row in rows[1:])]))
    for command in ("train", "crossval", "check"):
        assert cohear(command, apart, *OPTIONS).refuses("line 2", "--sounds DIR")
