"""On which clips a run is judged: never on those it was trained on without a word."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.config import Config
from cohear.experiments.judged_clips import choose_clips
from cohear.experiments.predictions import round_predictions, write_predictions
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import RunRecord
from cohear.experiments.runs import RunRequest
from tiny import TINY, write_tones

NOWHERE = Path("runs/never")


def _config() -> Config:
    return change(preset("small"), {**dict(parse_override(text) for text in TINY), "data.clip_s": 0.6})


@pytest.fixture(name="record")
def _record(tones: Path) -> RunRecord:
    return RunRequest(tones, _config()).describe(prepare_data(tones, _config()))


def _table(folder: Path, tones: Path, rows: list[str], header: str = "path,label") -> Path:
    """Write a table of other data that lies in a copy of the tones."""
    shutil.copytree(tones.parent, folder, dirs_exist_ok=True)
    (folder / "other.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "other.csv"


def test_of_its_own_data_its_test_fold_is_judged(tones, record):
    clips = choose_clips(NOWHERE, record, tones)
    assert {clips.store.clips[row].fold for row in clips.rows} == {1}
    assert len(clips.paths) == len(clips.groups) == 9
    assert clips.truth.sum(axis=1).tolist() == [1] * 9
    labels = [clips.store.clips[row].label for row in clips.rows]
    assert [record.classes[k] for k in clips.truth.argmax(1)] == labels
    assert (clips.warnings, clips.clip_s) == ((), 0.6)


@pytest.mark.parametrize(
    ("fold", "n_clips", "warning"), [(2, 9, "these clips were"), ("all", 18, "9 of these 18 clips")]
)
def test_training_clips_are_judged_only_aloud(tones, record, fold, n_clips, warning):
    clips = choose_clips(NOWHERE, record, tones, fold)
    assert len(clips.rows) == n_clips
    (said,) = clips.warnings
    assert said.startswith(warning)
    assert "trained on" in said


def test_a_run_on_every_clip_has_no_clip_of_its_own_to_be_judged_on(tones, record):
    config = change(record.config, {"fold": "all"})
    everywhere = dataclasses.replace(record, config=config)
    with pytest.raises(UserError, match="was trained on every clip"):
        choose_clips(NOWHERE, everywhere, tones)
    assert choose_clips(NOWHERE, everywhere, tones, "all").warnings[0].startswith("these clips were")


def test_of_other_data_files_with_the_bytes_of_training_files_are_left_out(tones, record, tmp_path):
    rows = ["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1", "tone0-2-0.wav,tone0"]
    table = _table(tmp_path / "copy", tones, rows)
    clips = choose_clips(NOWHERE, record, table)
    assert clips.paths == ("tone0-1-0.wav", "tone1-1-0.wav")
    assert any("1 clip left out, since the run was trained on the same files" in note for note in clips.notes)
    assert "which it was not trained on" in clips.description
    everything = choose_clips(NOWHERE, record, table, "all")
    assert len(everything.rows) == 3
    assert everything.warnings[0].startswith("1 of these 3 clips")


def test_nothing_but_training_files_is_refused(tones, record, tmp_path):
    table = _table(tmp_path / "copy", tones, ["tone0-2-0.wav,tone0", "tone1-2-0.wav,tone1"])
    with pytest.raises(UserError, match=r"every clip of .* lies in a file that the run was trained on"):
        choose_clips(NOWHERE, record, table)


def test_where_its_own_data_are_gone_it_is_said_that_nothing_could_be_checked(tones, record, tmp_path):
    gone = dataclasses.replace(record, data_path="gone/tones.csv")
    table = _table(tmp_path / "copy", tones, ["tone0-2-0.wav,tone0", "tone1-2-0.wav,tone1"])
    assert "'gone/tones.csv' is gone" in choose_clips(NOWHERE, gone, table).notes[-1]


def test_of_data_that_changed_since_only_what_was_tested_then_is_judged(record, tmp_path):
    table = write_tones(tmp_path / "tones", n_clips=4)  # a take more of each
    moved = dataclasses.replace(record, data_path=str(table))
    paths = ("tone0-1-0.wav", "tone2-1-2.wav", "no-more.wav")
    said = np.log(np.full((3, 3), 1 / 3))
    predictions = round_predictions(record.classes, paths, ("", "", ""), np.array([0, 2, 1]), said, np.zeros(3))
    write_predictions(tmp_path, predictions)
    clips = choose_clips(tmp_path, moved, table)
    assert clips.paths == paths[:2]
    assert "has changed since" in clips.notes[-1]


def test_clips_with_unknown_labels_are_left_out_and_named(tones, record, tmp_path):
    table = _table(tmp_path / "copy", tones, ["tone0-1-0.wav,tone0", "tone1-1-0.wav,owl", "tone2-1-0.wav,tone2"])
    clips = choose_clips(NOWHERE, record, table)
    assert clips.paths == ("tone0-1-0.wav", "tone2-1-0.wav")
    assert clips.description.startswith("2 of 3 clips")
    assert "1 clip left out, whose labels the run does not know: 'owl'" in clips.notes


def test_data_without_a_known_label_are_refused_with_the_nearest_one(tones, record, tmp_path):
    table = _table(tmp_path / "copy", tones, ["tone0-1-0.wav,Tone_0", "tone1-1-0.wav,owl"])
    with pytest.raises(UserError, match=r"knows none of the labels .* as 'Tone_0' \(did you mean 'tone0'\?\)"):
        choose_clips(NOWHERE, record, table)


def test_several_labels_need_a_run_that_answers_with_several(tones, record, tmp_path):
    rows = ["tone0-1-0.wav,tone0;owl", "tone1-1-0.wav,owl", "tone2-1-0.wav,tone1;tone2", "tone0-1-1.wav,"]
    table = _table(tmp_path / "copy", tones, rows)
    with pytest.raises(UserError, match="have several labels, and the run answers with one"):
        choose_clips(NOWHERE, record, table)
    clips = choose_clips(NOWHERE, dataclasses.replace(record, multi_label=True), table)
    assert clips.paths == ("tone0-1-0.wav", "tone2-1-0.wav", "tone0-1-1.wav")
    assert clips.truth.tolist() == [[True, False, False], [False, True, True], [False, False, False]]


@pytest.mark.parametrize(
    ("fold", "header", "culprit"),
    [
        (3, "path,label", "brings no folds, so there is no fold 3"),
        ("own", "path,label", "--fold own is the test part of"),
        (7, "path,label,fold", "there is no fold 7: the folds are 1, 2"),
    ],
)
def test_folds_that_other_data_have_not_are_refused(tones, record, tmp_path, fold, header, culprit):
    rows = ["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1"]
    if header.endswith("fold"):
        rows = [f"{row},{number}" for number, row in enumerate(rows, 1)]
    with pytest.raises(UserError, match=culprit):
        choose_clips(NOWHERE, record, _table(tmp_path / "copy", tones, rows, header), fold)


def test_classes_too_small_for_training_count_where_a_run_is_judged(tones, record, tmp_path):
    picky = dataclasses.replace(record, config=change(record.config, {"data.drop_small": 2}))
    rows = [
        "tone0-1-0.wav,tone0",
        "tone0-1-1.wav,tone0",
        "tone1-1-0.wav,tone1",
        "tone2-1-0.wav,tone2",
        "tone2-1-1.wav,tone2",
    ]
    assert len(choose_clips(NOWHERE, picky, _table(tmp_path / "copy", tones, rows)).rows) == 5
