"""Wrong commands: one sentence that names what is wrong, status 2, and nothing written, decoded or lost."""

import pytest

from tiny import OPTIONS

TRAIN, CROSSVAL, SET = ("train", "{tones}"), ("crossval", "{tones}"), ("train", "{tones}", "--set")
REPRODUCE = ("reproduce", "table1", "--data", "{tones}", "--list")
PREDICT, AUGMENT = ("predict", "{trained}", "{sound}"), ("augment", "{sound}", "out.wav")
EVALUATE, CHECK = ("evaluate", "{trained}", "{tones}"), ("check", "{tones}")
EVALUATE_FOLD = (*EVALUATE, "--fold", "7")  # which folds there are is known when the sounds are
EXPORT, PACK = ("export", "{trained}"), ("pack", "{trained}")

WRONG = [
    (("prdict",), ("'prdict'",)),
    (("train",), ("DATA",)),
    ((*TRAIN, "--method", "magic"), ("method", "'magic'", "'bda'")),
    ((*TRAIN, "--method", "none", "--transform", "pitch"), ("'none'", "--transform pitch")),
    ((*TRAIN, "--transform", "none"), ("'consistency'", "'none'")),
    ((*TRAIN, "--transform", "reverbs"), ("'reverbs'", "'reverb'")),
    ((*TRAIN, "--transform", "pitch,"), ("pitch",)),
    ((*TRAIN, "--transform", "masking+pitch"), ("masking", "pitch")),
    ((*TRAIN, "--transform", "noise(loudness=3)"), ("noise", "loudness")),
    ((*TRAIN, "--transform", "reverb(bank='{tmp}/nowhere')"), ("reverb", "nowhere")),
    ((*TRAIN, "--preset", "smallest"), ("'smallest'", "'small'")),
    ((*TRAIN, "--epochs", "0"), ("--epochs",)),
    ((*TRAIN, "--track", "0"), ("--track",)),
    ((*TRAIN, "--track", "often"), ("--track",)),
    ((*TRAIN, "--fold", "9"), ("fold 9", "1, 2")),
    ((*TRAIN, "--fold", "first"), ("fold", "'first'")),
    ((*TRAIN, "--crossval", "cv"), ("--crossval", "--fold all")),
    ((*TRAIN, "--fold", "all", "--patience", "2"), ("--patience", "--validation")),
    ((*TRAIN, "--esc10"), ("tones.csv", "ESC-50")),
    ((*TRAIN, "--drop-small", "99"), ("99 clips",)),
    ((*TRAIN, "--background", "quiet"), ("'quiet'",)),
    ((*TRAIN, "--init", "{tmp}/nowhere"), ("nowhere",)),
    ((*TRAIN, "--jobs", "2"), ("--jobs", "cohear train --help")),
    ((*SET, "training.epochs"), ("--set training.epochs",)),
    ((*SET, "training.epoch=3"), ("'training.epoch'", "'training.epochs'", "--settings")),
    ((*SET, "training.epochs=1.5"), ("'training.epochs'", "'1.5'")),
    ((*SET, "training.epochs=0"), ("'training.epochs'", "'0'")),
    ((*SET, "network.width=wide"), ("'network.width'", "'wide'")),
    ((*SET, "network.name=resnets"), ("'resnets'",)),
    ((*SET, "data.esc10=maybe"), ("'data.esc10'", "'maybe'")),
    ((*SET, "preset=paper"), ("--set preset", "--preset")),
    ((*SET, "front_end.n_mels=8"), ("8 bands", "front_end.n_mels")),
    ((*SET, "front_end.f_max=5000"), ("5000 Hz", "f_max")),
    ((*SET, "data.clip_s=0.2"), ("data.clip_s",)),
    ((*SET, "training.batch_size=2"), ("a batch of 2", "training.batch_size")),
    ((*SET, "objective.divergence=jsdd"), ("'jsdd'", "'jsd'")),
    ((*TRAIN, "--out", "/proc/nope"), ("'/proc/nope'",)),
    (("train", "{tmp}/nowhere"), ("nowhere",)),
    (("crossval",), ("DATA",)),
    ((*CROSSVAL, "--jobs", "0"), ("'--jobs'",)),
    ((*CROSSVAL, "--track", "-1"), ("--track",)),
    ((*CROSSVAL, "--set", "fold=2"), ("--set fold", "cohear train --fold")),
    ((*CROSSVAL, "--set", "training.batch_size=2"), ("a batch of 2",)),
    ((*CROSSVAL, "--out", "{tones}"), ("tones.csv",)),
    ((*CROSSVAL, "--out", "{trained}"), ("the folder of one run",)),
    (("reproduce", "table1"), ("--data",)),
    (("reproduce", "table2", "--data", "{tones}"), ("'table2'", "'table1'")),
    ((*REPRODUCE, "--models", "Reverb-LC"), ("'Reverb-LC'", "'Reverb-CL'")),
    ((*REPRODUCE, "--models", ","), ("models",)),
    ((*REPRODUCE, "--folds", "1,9"), ("fold 9", "1, 2")),
    ((*REPRODUCE, "--folds", "one"), ("--folds", "one")),
    ((*REPRODUCE, "--folds", ""), ("--folds",)),
    ((*REPRODUCE, "--seeds", "0;1"), ("--seeds", "0;1")),
    ((*REPRODUCE, "--seeds", "-1"), ("-1",)),
    ((*REPRODUCE, "--set", "method=bda"), ("--set method", "--models")),
    ((*REPRODUCE, "--budget", "9"), ("--budget", "90s")),
    ((*REPRODUCE, "--budget", "-9m"), ("--budget", "-9m")),
    ((*REPRODUCE, "--out", "{tones}/runs"), ("tones.csv",)),
    ((*REPRODUCE[:-1], "--executor", "nobody"), ("executor", "'nobody'")),
    (("reproduce", "figure1", "--report"), ("--report", "figure1")),
    (("reproduce", "table1", "--report", "--out", "{tones}"), ("tones.csv",)),
    ((*CHECK, "--groups", "groups.txt"), ("groups.txt",)),
    *(((*CHECK, option, "{tones}"), ("tones.csv",)) for option in ("--html", "--json")),
    ((*CHECK, "--sounds", "{tmp}/none"), ("none",)),
    (("compare", "{tmp}/nowhere"), ("nowhere",)),
    (("compare", "{trained}", "--out", "no/page.html"), ("no/page.html",)),
    (("compare", "{trained}", "--out", "page"), ("'page'", ".html")),
    (("report", "{tones}"), ("tones.csv",)),
    (("predict", "{tmp}", "{tones}"), ("is no run",)),
    (("predict", "{tmp}/nowhere", "{tones}"), ("nowhere",)),
    (("predict", "{tones}", "{tones}"), ("tones.csv",)),
    (("predict", "{trained}"), ("FILE_OR_FOLDER",)),
    (("predict", "{trained}", "{tones}"), ("tones.csv", "table")),
    (("predict", "{trained}", "{tmp}/*.ogg"), ("*.ogg",)),
    *(
        ((*PREDICT, *words), culprits)
        for words, culprits in (
            (("--top", "0"), ("'--top'",)),
            (("--hop-s", "0.7"), ("0.7 s",)),
            (("--threshold", "1.5"), ("'--threshold'",)),
            (("--events",), ("thresholds",)),
            (("--format", "xml"), ("xml",)),
            (("--format", "raven"), ("--out",)),
            (("--out", "{tmp}"), ("--out",)),
            (("--embeddings", "{tones}"), ("tones.csv",)),
        )
    ),
    (("evaluate", "{trained}"), ("DATA",)),
    (("evaluate", "{tmp}", "{tones}"), ("no finished run",)),
    ((*EVALUATE, "--fold", "two"), ("--fold", "two")),
    (EVALUATE_FOLD, ("fold 7", "1, 2")),
    ((*EVALUATE, "--out", "page.txt"), ("page.txt",)),
    ((*EVALUATE, "--json", "values.csv"), ("values.csv", ".json")),
    (("export", "{tmp}/gone", "model.onnx"), ("gone",)),
    ((*EXPORT, "model.pt"), ("model.pt", ".onnx")),
    ((*EXPORT, "gone/model.onnx"), ("gone/model.onnx",)),
    (("pack", "{tmp}/gone", "out.cohear"), ("no such folder",)),
    (("pack", "{trained}/config.json"), ("is a file",)),
    ((*PACK, "model.zip"), ("model.zip", ".cohear")),
    ((*PACK, "out.cohear", "--card", "card.html"), ("card.html", ".md")),
    ((*PACK, "gone/a.cohear"), ("gone/a.cohear",)),
    (("augment", "{tmp}/nowhere.wav", "out.wav", "--gain", "1"), ("nowhere.wav",)),
    (("augment", "{tones}", "out.wav", "--gain", "1"), ("tones.csv",)),
    (("augment", "{sound}", "out.mp3", "--gain", "1"), ("out.mp3",)),
    (("augment", "{sound}", "no/out.wav", "--gain", "1"), ("no/out.wav",)),
    *(
        ((*AUGMENT, *words.split()), (words.split()[0] if words else "--pitch",))
        for words in (
            *("", "--pitch 13", "--pitch nan", "--reverb 0.05", "--noise inf", "--gain 101", "--clip 6"),
            *("--low-pass 4000", "--high-pass 0", "--noise-color blue --noise 10", "--seed -1 --gain 1"),
        )
    ),
]


@pytest.mark.parametrize(("words", "culprits"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_command_is_refused_in_one_sentence_and_writes_nothing(
    cohear, tones, trained, tmp_path, monkeypatch, words, culprits
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    before = {path: path.stat().st_mtime_ns for path in (*trained.rglob("*"), *tones.parent.iterdir())}
    places = {"tones": tones, "trained": trained, "tmp": tmp_path, "sound": tones.parent / "tone0-1-0.wav"}
    command, *others = (word.format(**places) for word in words)
    options = OPTIONS if command in ("train", "crossval", "reproduce", "check") else ()
    assert cohear(command, *options, *others).refuses(*culprits)
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}  # some of it is known once sounds are decoded
    assert {path: path.stat().st_mtime_ns for path in (*trained.rglob("*"), *tones.parent.iterdir())} == before


def test_no_command_shows_the_help(cohear):
    said = cohear()
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("Usage: cohear")


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("--out", "{tmp}/thesis"), ("thesis", "chapter1.txt")),
        (("--out", "{tmp}/thesis/chapter1.txt"), ("chapter1.txt",)),
        (("--out", "{tmp}/thesis/chapter1.txt/run"), ("chapter1.txt",)),
        (("--out", "{trained}", "--resume", "--seed", "1"), ("seed is 0 there and 1 now",)),
        (("--out", "{trained}", "--resume", "--set", "data.short=repeat"), ("data.short is pad there and repeat now",)),
        (("--out", "{trained}", "--epochs", "3"), ("objective.ramp_epochs",)),
        (("--out", "{trained}", "--track", "every"), ("--track end", "every")),
    ],
)
def test_a_place_that_is_not_the_run_s_is_refused_and_left_alone(cohear, tones, trained, tmp_path, words, culprits):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("mine")
    before = {path: path.read_bytes() for folder in (trained, tmp_path) for path in folder.rglob("*") if path.is_file()}
    words = [word.format(tmp=tmp_path, trained=trained) for word in words]
    assert cohear("train", tones, *OPTIONS, "--track", "end", *words).refuses(*culprits)
    after = {path: path.read_bytes() for folder in (trained, tmp_path) for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_other_data_in_the_same_place_is_named(cohear, spoilable, trained):
    spoilable.write_text(spoilable.read_text().replace("tone0-1-0.wav,tone0", "tone0-1-0.wav,tone1"))
    assert cohear("train", spoilable, *OPTIONS, "--track", "end", "--out", trained).refuses(trained, "other data")


@pytest.mark.parametrize(
    "words",
    [
        ("optimizer.learning_rate=1e30",),
        ("optimizer.learning_rate=1e6", "training.batch_size=60"),  # finite weights, and answers that are not
        ("optimizer.learning_rate=1e6", "training.batch_size=60", "training.on_nonfinite=skip"),
    ],
)
def test_numbers_beyond_all_bounds_end_in_words(cohear, tones, tmp_path, words):
    settings = [word for setting in words for word in ("--set", setting)]
    said = cohear("train", tones, *OPTIONS, *settings, "--out", tmp_path / "run")
    assert said.refuses("finite", "optimizer.learning_rate")
    assert not (tmp_path / "run" / "metrics.json").exists()
