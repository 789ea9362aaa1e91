"""Wrong options and places: one sentence that says what is allowed, status 2, and nothing written or lost."""

import json
import shutil
from pathlib import Path

import pytest

from tiny import OPTIONS

REPRODUCE = ("reproduce", "table1", "--data", "{tones}", "--list")
CROSSVAL = ("crossval", "{tones}")
TRAIN = ("train", "{tones}")

WRONG = [
    ((*TRAIN, "--method", "magic"), ("'magic'", "'standard', 'bda' or 'consistency'")),
    ((*TRAIN, "--transform", "reverbs"), ("'reverbs'", "'pitch', 'reverb', 'masking' or 'combination'")),
    ((*TRAIN, "--transform", "none"), ("'consistency' does not go with transform 'none'",)),
    ((*TRAIN, "--method", "none", "--transform", "pitch"), ("method 'none' uses no transform",)),
    ((*TRAIN, "--preset", "smallest"), ("no preset 'smallest' (did you mean 'small'?); use paper or small",)),
    ((*TRAIN, "--track", "0"), ("--track 0", "every, end, or a number")),
    ((*TRAIN, "--track", "often"), ("--track often", "every, end, or a number")),
    ((*TRAIN, "--set", "training.epoch=3"), ("'training.epoch' (did you mean 'training.epochs'?)", "--settings")),
    ((*TRAIN, "--set", "training.epochs=many"), ("'training.epochs' cannot be 'many'",)),
    ((*TRAIN, "--set", "training.epochs=1.5"), ("'training.epochs' cannot be '1.5': it must be a whole number",)),
    ((*TRAIN, "--set", "training.epochs=0"), ("'training.epochs' cannot be '0': it must be greater than 0",)),
    ((*TRAIN, "--set", "network.width=wide"), ("'network.width' cannot be 'wide': it must be a number",)),
    ((*TRAIN, "--set", "data.esc10=maybe"), ("'data.esc10' cannot be 'maybe': it must be true or false",)),
    ((*TRAIN, "--set", "views.room_rt60_s=1,2,3"), ("'views.room_rt60_s' cannot be '1,2,3': it has too many values",)),
    (
        (*TRAIN, "--set", "front_end.n_mels=8"),
        ("8 bands", "too small for the network", "more bands (front_end.n_mels)"),
    ),
    ((*TRAIN, "--set", "front_end.f_max=5000"), ("to 5000 Hz", "f_max <= 4000")),
    ((*TRAIN, "--set", "training.epochs"), ("'--set training.epochs' has no value",)),
    ((*TRAIN, "--set", "views.room_rt60_s=0.2"), ("'views.room_rt60_s' cannot be '0.2': it has too few values",)),
    ((*TRAIN, "--set", "preset=paper"), ("--set preset has no effect", "--preset")),
    ((*TRAIN, "--set", "training.batch_size=2"), ("a batch of 2 cannot hold the 3 views", "training.batch_size")),
    ((*TRAIN, "--set", "data.clip_s=0.2"), ("too small for the network", "data.clip_s")),
    ((*TRAIN, "--fold", "9"), ("fold 9 cannot be tested: the folds are 1, 2.",)),
    ((*TRAIN, "--fold", "first"), ("'fold' cannot be 'first': it must be a whole number or all",)),
    ((*TRAIN, "--esc10"), ("tones.csv is not laid out like ESC-50",)),
    ((*TRAIN, "--drop-small", "99"), ("fewer than two have at least 99 clips",)),
    ((*TRAIN, "--jobs", "2"), ("--jobs", "cohear train --help")),
    (("train",), ("DATA is missing",)),
    ((*CROSSVAL, "--jobs", "0"), ("'--jobs'", "1", "cohear crossval --help")),
    ((*CROSSVAL, "--track", "-1"), ("--track -1",)),
    ((*CROSSVAL, "--set", "fold=2"), ("--set fold has no effect", "cohear train --fold")),
    (("crossval",), ("DATA is missing",)),
    (("reproduce", "table1"), ("--data is missing", "git clone https://github.com/karolpiczak/ESC-50")),
    (("reproduce", "table2", "--data", "{tones}"), ("'table2'", "'table1', 'figure1', 'ablations'", "'controls'")),
    ((*REPRODUCE, "--models", "Reverb-LC"), ("no model 'Reverb-LC' (did you mean 'Reverb-CL'?)", "'Combination-CL'")),
    ((*REPRODUCE, "--models", ","), ("--models is given an empty list",)),
    ((*REPRODUCE, "--folds", "1,9"), ("fold 9 is not one of the folds 1, 2",)),
    ((*REPRODUCE, "--folds", "one"), ("--folds one is not a list of numbers",)),
    ((*REPRODUCE, "--folds", ""), ("--folds is given an empty list",)),
    ((*REPRODUCE, "--seeds", "0;1"), ("--seeds 0;1 is not a list of numbers",)),
    ((*REPRODUCE, "--seeds", "-1"), ("'seed' cannot be '-1'",)),
    ((*REPRODUCE, "--jobs", "0"), ("'--jobs'",)),
    ((*REPRODUCE, "--set", "method=bda"), ("--set method has no effect", "--models")),
    ((*REPRODUCE, "--track", "never"), ("--track never",)),
    ((*REPRODUCE, "--budget", "9"), ("--budget 9 is not a time", "90s, 9m or 1.5h")),
    ((*REPRODUCE, "--budget", "-9m"), ("--budget -9m is not a time",)),
    (("reproduce", "figure1", "--report"), ("--report is the page of table1, not of figure1", "`cohear compare`")),
    (("reproduce", "table1", "--report"), ("--preset and --set have no effect beside it; leave them out",)),
    (
        ("reproduce", "table1", "--report", "--models", "Foo", "--folds", "77", "--jobs", "2", "--list"),
        ("--models, --folds, --preset, --set, --jobs and --list have no effect beside it",),
    ),
    ((*REPRODUCE[:-1], "--out", "{tones}/runs"), ("tones.csv/runs' cannot be written: a file stands where a folder",)),
    ((*REPRODUCE[:-1], "--out", "/proc/nope"), ("'/proc/nope' cannot be written: that is not permitted",)),
    ((*TRAIN, "--out", "/proc/nope"), ("'/proc/nope' cannot be written: that is not permitted",)),
    (("compare", "{tmp}/nowhere"), ("nowhere' does not exist",)),
    (("report", "{tones}"), ("tones.csv' is a file",)),
    (("predict", "{tmp}", "{tones}"), ("is no run (it has no config.json)",)),
    (("predict", "{tmp}/nowhere", "{tones}"), ("nowhere' is no run (there is no such folder)",)),
    (("predict", "{tones}", "{tones}"), ("tones.csv' is no packed model",)),
    (("predict", "{tmp}"), ("FILE_OR_FOLDER", "cohear predict --help")),
    (("predict", "{tmp}", "{tones}", "--top", "0"), ("'--top'",)),
    (("prdict",), ("'prdict'", "cohear --help")),
]


@pytest.mark.parametrize(("words", "culprits"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_options_are_refused_in_words_and_write_nothing(cohear, tones, tmp_path, monkeypatch, words, culprits):
    monkeypatch.chdir(tmp_path)
    words = tuple(word.format(tones=tones, tmp=tmp_path) for word in words)
    options = OPTIONS if words[0] in ("train", "crossval", "reproduce") else ()
    assert cohear(words[0], *options, *words[1:]).refuses(*culprits)
    assert list(tmp_path.iterdir()) == []


def test_a_learning_rate_beyond_all_bounds_ends_in_words(cohear, tones, tmp_path):
    said = cohear("train", tones, *OPTIONS, "--set", "optimizer.learning_rate=1e30", "--out", tmp_path / "run")
    assert said.refuses("finite", "lower optimizer.learning_rate")
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (("--seed", 1), "seed is 0 there and 1 now"),
        (("--set", "data.short=repeat"), "data.short is pad there and repeat now"),
        (("--set", "training.epochs=3"), "training.epochs is 2 there and 3 now"),
    ],
)
def test_a_run_made_by_other_settings_is_refused_and_kept(cohear, tones, trained, change, difference):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    said = cohear("train", tones, *OPTIONS, *change, "--track", "end", "--out", trained, "--resume")
    assert said.refuses(str(trained), f"made by other settings: {difference}", "choose another --out")
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_other_data_in_the_same_place_is_named(cohear, tones, trained, tmp_path):
    copied = Path(shutil.copytree(tones.parent, tmp_path / "sounds")) / tones.name
    copied.write_text(copied.read_text().replace("tone0-1-0.wav,tone0", "tone0-1-0.wav,tone1"))
    said = cohear("train", copied, *OPTIONS, "--track", "end", "--out", trained)
    assert said.refuses("its data", "is not, or no longer, what was given now")


def test_out_at_a_foreign_folder_or_a_file_is_refused_and_left_alone(cohear, tones, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("mine")
    (tmp_path / "file").write_text("mine too")
    refused = [
        cohear("train", tones, *OPTIONS, "--out", tmp_path / "thesis").refuses("thesis' holds 'chapter1.txt'"),
        cohear("train", tones, *OPTIONS, "--out", tmp_path / "file").refuses("a file stands where a folder is needed"),
        cohear("train", tones, *OPTIONS, "--out", tmp_path / "file" / "run").refuses("a file stands where a folder"),
        cohear("crossval", tones, *OPTIONS, "--out", tmp_path / "file").refuses("a file stands where a folder is"),
    ]
    assert all(refused)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["chapter1.txt", "file", "thesis"]
    assert (tmp_path / "file").read_text() == "mine too"


def test_an_unfinished_run_without_resume_is_refused_and_resume_finishes_it(cohear, tones, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "metrics.json").unlink()
    (run / "model.safetensors").unlink()
    (run / "checkpoint" / ".epoch-1-step-0.safetensors.123.partial").write_bytes(b"half")
    words = ("train", tones, *OPTIONS, "--track", "end", "--out", run)
    assert cohear(*words).refuses(str(run), "unfinished run; add --resume")
    assert cohear("predict", run, tones).refuses(str(run), "unfinished run", "--resume")
    assert cohear(*words, "--resume").status == 0
    assert json.loads((run / "metrics.json").read_text()) == json.loads((trained / "metrics.json").read_text())
    assert (run / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    assert not list(run.rglob("*.partial"))


def test_a_name_or_place_that_the_comparison_cannot_have_is_refused_before_anything_is_printed(
    cohear, trained, tmp_path
):
    for out, reason in (
        (tmp_path / "no" / "page.html", "cannot be written: its folder does not exist"),
        (tmp_path, "cannot be written: a folder stands there"),
        (tmp_path / "runs.csv", "its name must end in .html"),
        (tmp_path / "page", "its name must end in .html"),
    ):
        assert cohear("compare", trained, "--out", out).refuses(f"'{out}' ", reason)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("train", "--fold", "9"), ("the folds are 1, 2",)),
        (("train", "--set", "front_end.n_mels=8"), ("more bands",)),
        (("train", "--set", "data.clip_s=0.2"), ("longer clips",)),
        (("train", "--set", "training.batch_size=2"), ("a batch of 2",)),
        (("train", "--out", "{thesis}"), ("holds 'chapter1.txt'",)),
        (("train", "--out", "{trained}", "--seed", "1"), ("seed is 0 there and 1 now",)),
        (("train", "--out", "{trained}", "--track", "every"), ("measured --track end",)),
        (("crossval", "--set", "training.batch_size=2"), ("a batch of 2",)),
        (("crossval", "--out", "{thesis}/chapter1.txt"), ("a file stands where a folder is needed",)),
        (("crossval", "--out", "{trained}"), ("is the folder of one run",)),
    ],
)
def test_what_cannot_become_a_run_is_refused_before_any_sound_is_decoded(
    cohear, tones, trained, tmp_path, monkeypatch, words, culprits
):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("mine")
    command, *options = (word.format(thesis=tmp_path / "thesis", trained=trained) for word in words)
    out = () if "--out" in options else ("--out", tmp_path / "out")
    assert cohear(command, tones, *OPTIONS, "--track", "end", *options, *out).refuses(*culprits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis"]
