"""On which clips a run is judged: never on those it was trained on without a word; and what it says of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.judging.judged_clips import choose_clips
from cohear.judging.judged_runs import judge_runs
from cohear.runs.config import change
from cohear.runs.predictions import round_predictions
from cohear.runs.run import Run
from runs.made_runs import make_plan, make_run
from tiny import write_classes, write_tones


@pytest.fixture
def run(tones: Path, tmp_path: Path) -> Run:
    """A run that was never made, but says what it is."""
    run = Run(tmp_path / "run")
    run.write_record(make_plan(tones).record)
    return run


def other(run: Run, **changes) -> Run:
    """The same run with another record."""
    found = Run(run.folder)
    found.record = replace(run.record, **changes)
    return found


@pytest.fixture
def table(tones: Path, tmp_path: Path):
    """Writes a table of other data that lie in a copy of the tones."""

    def write(rows: list[str], header: str = "path,label") -> Path:
        shutil.copytree(tones.parent, tmp_path / "copy", dirs_exist_ok=True)
        (tmp_path / "copy" / "other.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / "copy" / "other.csv"

    return write


def test_of_its_own_data_its_test_fold_is_judged(tones, run):
    clips = choose_clips(run, tones)
    assert {clips.store.clips[row].fold for row in clips.rows} == {1}
    assert len(clips.paths) == len(clips.groups) == 9
    assert [(run.record.classes[k],) for k in clips.truth.argmax(1)] == [
        clips.store.clips[row].labels for row in clips.rows
    ]
    assert (clips.warnings, clips.clip_s) == ((), 0.6)


@pytest.mark.parametrize(
    ("fold", "n_clips", "warning"), [(2, 9, "9 of these 9 clips"), ("all", 18, "9 of these 18 clips")]
)
def test_training_clips_are_judged_only_aloud(tones, run, fold, n_clips, warning):
    clips = choose_clips(run, tones, fold)
    (said,) = clips.warnings
    assert (len(clips.rows), said[: len(warning)]) == (n_clips, warning)


def test_a_run_on_every_clip_has_no_clip_of_its_own_to_be_judged_on(tones, run):
    everywhere = other(run, config=change(run.config, {"fold": "all"}))
    with pytest.raises(UserError, match="--fold all"):
        choose_clips(everywhere, tones)
    assert choose_clips(everywhere, tones, "all").warnings


def test_of_other_data_files_with_the_bytes_of_training_files_are_left_out(run, table):
    path = table(["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1", "tone0-2-0.wav,tone0"])
    clips = choose_clips(run, path)
    assert clips.paths == ("tone0-1-0.wav", "tone1-1-0.wav")
    assert any("1 clip left out" in note for note in clips.notes)
    everything = choose_clips(run, path, "all")
    assert len(everything.rows) == 3
    assert everything.warnings[0].startswith("1 of these 3 clips")


def test_nothing_but_training_files_is_refused_where_that_can_be_seen(run, table):
    path = table(["tone0-2-0.wav,tone0", "tone1-2-0.wav,tone1"])
    with pytest.raises(UserError, match=r"other\.csv"):
        choose_clips(run, path)
    gone = other(run, data_path="gone/tones.csv")
    assert "'gone/tones.csv'" in choose_clips(gone, path).notes[-1]


def test_training_files_are_known_wherever_the_command_is_given(run, tones, table, tmp_path, monkeypatch):
    path = table(["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1", "tone0-2-0.wav,tone0"])
    shutil.copytree(tones.parent, tmp_path / "own")
    moved = other(run, data_path=f"own/{tones.name}")  # as given in the folder above the run's
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert choose_clips(moved, path).paths == ("tone0-1-0.wav", "tone1-1-0.wav")


def test_much_padding_is_a_warning(run, table):
    long = other(run, config=change(run.config, {"data.clip_s": 3.0}))
    one, said = np.zeros(1, int), np.log(np.full((1, 3), 1 / 3))
    long.predictions = round_predictions(run.record.classes, ("tone0-1-0.wav",), ("",), one, one, said, np.zeros(1))
    clips = choose_clips(long, table(["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1"]))
    assert "padding" in clips.warnings[0]
    assert not any("padding" in note for note in clips.notes)


def test_of_data_that_changed_since_only_what_was_tested_then_is_judged(run, tmp_path):
    changed = write_tones(tmp_path / "tones", n_clips=4)  # a take more of each
    moved = other(run, data_path=str(changed))
    paths, said = ("tone0-1-0.wav", "tone2-1-2.wav", "no-more.wav"), np.log(np.full((3, 3), 1 / 3))
    labels = np.array([0, 2, 1])
    moved.predictions = round_predictions(run.record.classes, paths, ("",) * 3, labels, labels, said, np.zeros(3))
    clips = choose_clips(moved, changed)
    assert clips.paths == paths[:2]
    assert any("has changed since" in note for note in clips.notes)


def test_of_copies_of_data_that_changed_since_only_what_was_tested_then_is_judged(tmp_path):
    sounds = write_classes(tmp_path / "sounds", n_clips=12)
    run, plan = Run(tmp_path / "run"), make_plan(sounds)
    run.write_record(plan.record)
    tested = tuple(plan.data.store.clips[row].id for row in plan.split.test)
    labels, said = np.zeros(len(tested), np.int64), np.zeros((len(tested), 3))
    run.predictions = round_predictions(run.record.classes, tested, tested, labels, labels, said, said[:, 0])
    copy = Path(shutil.copytree(sounds, tmp_path / "copy"))
    (copy / tested[0]).unlink()  # else these would be its own data
    assert set(choose_clips(run, copy).paths) == set(tested[1:])
    grown = Path(shutil.copytree(sounds, tmp_path / "grown"))
    for index in range(3):  # other folds are made of them now
        shutil.copy(grown / f"tone{index}" / f"{index}.wav", sounds / f"tone{index}" / f"added{index}.wav")
        with open(sounds / f"tone{index}" / f"added{index}.wav", "ab") as file:
            file.write(b"LIST\4\0\0\0note")
    assert {*tested} != {clip.id for clip in make_plan(sounds).data.listing.dataset.clips if clip.fold == 1}
    clips = choose_clips(run, copy)
    assert set(clips.paths) == set(tested[1:])
    assert any("has changed since" in note for note in clips.notes)


def test_how_many_of_the_judged_clips_were_trained_on_is_counted(tones, run):
    for fold, n_trained in ((None, 0), (2, 9), ("all", 9)):
        assert choose_clips(run, tones, fold).n_trained == n_trained


def test_unknown_labels_are_left_out_and_named_and_nothing_else_is_refused(run, table):
    clips = choose_clips(run, table(["tone0-1-0.wav,tone0", "tone1-1-0.wav,owl", "tone2-1-0.wav,tone2"]))
    assert clips.paths == ("tone0-1-0.wav", "tone2-1-0.wav")
    assert "'owl'" in clips.notes[-1]
    with pytest.raises(UserError, match=r"'Tone_O' \(did you mean 'tone"):
        choose_clips(run, table(["tone0-1-0.wav,Tone_O", "tone1-1-0.wav,owl"]))


def test_labels_in_another_spelling_are_those_of_the_run_and_one_label_is_enough(run, table):
    clips = choose_clips(run, table(["tone0-1-0.wav,Tone_0", "tone0-1-1.wav,Tone_0"]))
    assert clips.truth.tolist() == [[True, False, False]] * 2
    assert "'Tone_0' for 'tone0'" in clips.notes[-1]


def test_several_labels_need_a_run_that_answers_with_several(run, table):
    path = table(["tone0-1-0.wav,tone0;owl", "tone1-1-0.wav,owl", "tone2-1-0.wav,tone1;tone2", "tone0-1-1.wav,"])
    with pytest.raises(UserError, match="several labels"):
        choose_clips(run, path)
    clips = choose_clips(other(run, task="multi_label"), path)
    assert clips.paths == ("tone0-1-0.wav", "tone2-1-0.wav", "tone0-1-1.wav")
    assert clips.truth.tolist() == [[True, False, False], [False, True, True], [False, False, False]]


@pytest.mark.parametrize(("fold", "brings_folds"), [(3, False), ("own", False), (7, True)])
def test_folds_that_other_data_have_not_are_refused(run, table, fold, brings_folds):
    rows = ["tone0-1-0.wav,tone0", "tone1-1-0.wav,tone1"]
    if brings_folds:
        rows = [f"{row},{number}" for number, row in enumerate(rows, 1)]
    with pytest.raises(UserError, match=f"fold {fold}"):
        choose_clips(run, table(rows, "path,label" + ",fold" * brings_folds), fold)


def test_classes_too_small_for_training_count_where_a_run_is_judged(run, table):
    picky = other(run, config=change(run.config, {"data.drop_small": 2}))
    names = ("tone0-1-0", "tone0-1-1", "tone1-1-0", "tone2-1-0", "tone2-1-1")
    assert len(choose_clips(picky, table([f"{name}.wav,{name[:5]}" for name in names])).rows) == 5


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_judged_run_answers_as_it_did_when_it_was_tested_alone_or_beside_others(tones, tmp_path):
    runs = [make_run(tones, tmp_path / str(seed), {"seed": seed, "training.epochs": 1}) for seed in (0, 1)]
    chosen = [(run, choose_clips(run, tones)) for run in runs]
    together, alone = judge_runs(chosen, corruptions=False), judge_runs(chosen[1:], corruptions=False)
    for judged in together:
        assert np.array_equal(judged.logits.argmax(1), judged.run.predictions.predicted)
        assert judged.jsd.mean() == pytest.approx(judged.run.jsd, rel=1e-3)
    assert np.array_equal(together[1].logits, alone[0].logits)
