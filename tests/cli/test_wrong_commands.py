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
    ((*TRAIN, "--transform", "reverbs"), ("'reverbs'", "'reverb'")),
    ((*TRAIN, "--transform", "masking+pitch"), ("masking", "pitch")),
    ((*TRAIN, "--transform", "reverb(bank='{tmp}/nowhere')"), ("reverb", "nowhere")),
    ((*TRAIN, "--preset", "smallest"), ("'smallest'", "'small'")),
    ((*TRAIN, "--epochs", "0"), ("--epochs",)),
    ((*TRAIN, "--track", "often"), ("--track",)),
    ((*TRAIN, "--fold", "9"), ("fold 9", "1, 2")),
    ((*TRAIN, "--fold", "first"), ("fold", "'first'")),
    ((*TRAIN, "--crossval", "cv"), ("--crossval", "--fold all")),
    ((*TRAIN, "--fold", "all", "--patience", "2"), ("--patience", "--validation")),
    ((*TRAIN, "--esc10"), ("tones.csv", "ESC-50")),
    ((*TRAIN, "--drop-small", "99"), ("99 clips",)),
    ((*TRAIN, "--background", "quiet"), ("'quiet'",)),
    ((*TRAIN, "--init", "{tmp}/nowhere"), ("nowhere",)),
    ((*CROSSVAL, "--seed", "0", "--seed", "1"), ("--seed", "2 times")),
    (("evaluate", "--fold=1", "{trained}", "{tones}", "--fold", "2"), ("--fold", "2 times")),
    ((*TRAIN, "--jobs", "2"), ("--jobs", "cohear train --help")),
    ((*SET, "training.epochs"), ("--set training.epochs",)),
    ((*SET, "training.epoch=3"), ("'training.epoch'", "'training.epochs'", "--epochs")),
    ((*SET, "training.epochs=1.5"), ("'training.epochs'", "'1.5'")),
    ((*SET, "network.width=wide"), ("'network.width'", "'wide'")),
    ((*SET, "network.name=vgh"), ("'vgh'", "'vgg'")),
    ((*SET, "data.esc10=maybe"), ("'data.esc10'", "'maybe'")),
    ((*SET, "preset=paper"), ("--set preset", "--preset")),
    ((*SET, "front_end.n_mels=8"), ("8 bands", "front_end.n_mels")),
    ((*SET, "training.batch_size=2"), ("a batch of 2", "training.batch_size")),
    ((*SET, "objective.divergence=jsdd"), ("'jsdd'", "'jsd'")),
    ((*TRAIN, "--out", "/proc/nope"), ("'/proc/nope'",)),
    (("train", "{tmp}/nowhere"), ("nowhere",)),
    ((*CROSSVAL, "--jobs", "0"), ("'--jobs'",)),
    ((*CROSSVAL, "--set", "fold=2"), ("--set fold", "cohear train --fold")),
    ((*CROSSVAL, "--out", "{tones}"), ("tones.csv",)),
    ((*CROSSVAL, "--out", "{trained}"), ("the folder of one run",)),
    (("reproduce", "table1"), ("--data",)),
    (("reproduce", "table2", "--data", "{tones}"), ("'table2'", "'table1'")),
    ((*REPRODUCE, "--models", "Reverb-LC"), ("'Reverb-LC'", "'Reverb-CL'")),
    ((*REPRODUCE, "--models", ","), ("models",)),
    ((*REPRODUCE, "--folds", "1,9"), ("fold 9", "1, 2")),
    ((*REPRODUCE, "--seeds", "0;1"), ("--seeds", "0;1")),
    ((*REPRODUCE, "--set", "method=bda"), ("--set method", "--models")),
    ((*REPRODUCE, "--budget", "9"), ("--budget", "90s")),
    ((*REPRODUCE[:-1], "--executor", "nobody"), ("executor", "'nobody'")),
    (("reproduce", "figure1", "--report"), ("--report", "figure1")),
    ((*CHECK, "--groups", "groups.txt"), ("groups.txt",)),
    *(((*CHECK, option, "{tones}"), ("tones.csv",)) for option in ("--html", "--json")),
    ((*CHECK, "--sounds", "{tmp}/none"), ("none",)),
    (("compare", "{tmp}/nowhere"), ("nowhere",)),
    (("compare", "{trained}", "--out", "page"), ("'page'", ".html")),
    (("report", "{tones}"), ("tones.csv",)),
    (("predict", "{tmp}", "{tones}"), ("is no run",)),
    (("predict", "{trained}"), ("FILE_OR_FOLDER",)),
    (("predict", "{trained}", "{tmp}/*.ogg"), ("*.ogg",)),
    *(
        ((*PREDICT, *words), culprits)
        for words, culprits in (
            (("--top", "0"), ("'--top'",)),
            (("--hop-s", "0.7"), ("0.7 s",)),
            (("--threshold", "1.5"), ("'--threshold'",)),
            (("--format", "xml"), ("xml",)),
            (("--format", "raven"), ("--out",)),
            (("--out", "{tmp}"), ("--out",)),
            (("--embeddings", "{tones}"), ("tones.csv",)),
        )
    ),
    (("evaluate", "{trained}"), ("DATA",)),
    ((*EVALUATE, "--fold", "two"), ("--fold", "two")),
    (EVALUATE_FOLD, ("fold 7", "1, 2")),
    ((*EVALUATE, "--json", "values.csv"), ("values.csv", ".json")),
    (("export", "{tmp}/gone", "model.onnx"), ("gone",)),
    ((*EXPORT, "model.pt"), ("model.pt", ".onnx")),
    (("pack", "{trained}/config.json"), ("is a file",)),
    ((*PACK, "model.zip"), ("model.zip", ".cohear")),
    ((*PACK, "gone/a.cohear"), ("gone/a.cohear",)),
    (("augment", "{tmp}/nowhere.wav", "out.wav", "--gain", "1"), ("nowhere.wav",)),
    (("augment", "{sound}", "out.mp3", "--gain", "1"), ("out.mp3",)),
    *(
        ((*AUGMENT, *words.split()), (words.split()[0] if words else "--pitch",))
        for words in (*("", "--pitch nan", "--reverb 0.05", "--noise inf", "--gain 101", "--low-pass 4000"),)
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
    options = options[2:] if "--preset" in others else options
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
        (("--out", "{trained}", "--resume", "--seed", "1"), ("seed is 0 there and 1 now",)),
        (("--out", "{trained}", "--resume", "--set", "data.short=repeat"), ("data.short is pad there and repeat now",)),
        (("--out", "{trained}", "--track", "every"), ("--track end", "every")),
    ],
)
def test_a_place_that_is_not_the_run_s_is_refused_and_left_alone(cohear, tones, trained, tmp_path, words, culprits):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("mine")
    before = {path: path.read_bytes() for folder in (trained, tmp_path) for path in folder.rglob("*") if path.is_file()}
    words = [word.format(tmp=tmp_path, trained=trained) for word in words]
    track = () if "--track" in words else ("--track", "end")
    assert cohear("train", tones, *OPTIONS, *track, *words).refuses(*culprits)
    after = {path: path.read_bytes() for folder in (trained, tmp_path) for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_other_data_in_the_same_place_is_named(cohear, spoilable, trained):
    spoilable.write_text(spoilable.read_text().replace("tone0-1-0.wav,tone0", "tone0-1-0.wav,tone1"))
    assert cohear("train", spoilable, *OPTIONS, "--track", "end", "--out", trained).refuses(trained, "other data")


@pytest.mark.parametrize(
    "words",
    [
        ("optimizer.learning_rate=1e6", "training.batch_size=60"),  # finite weights, and answers that are not
        ("optimizer.learning_rate=1e6", "training.batch_size=60", "training.on_nonfinite=skip"),
    ],
)
def test_numbers_beyond_all_bounds_end_in_words(cohear, tones, tmp_path, words):
    settings = [word for setting in words for word in ("--set", setting)]
    said = cohear("train", tones, *OPTIONS, *settings, "--out", tmp_path / "run")
    assert said.refuses("finite", "optimizer.learning_rate")
    assert not (tmp_path / "run" / "metrics.json").exists()
