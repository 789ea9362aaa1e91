"""Commands that do not fit in memory: refused before anything large is made, and what fits is not refused."""

import pytest

from cohear.experiments import cost, memory
from cohear.experiments.build import prepare_data
from cohear.experiments.memory import training_bytes
from cohear.experiments.presets import change, parse_override, preset
from cohear.models import VGG
from tiny import OPTIONS, TINY

TRAIN, CROSSVAL = ("train", "{tones}"), ("crossval", "{tones}")
LIST, REPRODUCE = ("reproduce", "table1", "--data", "{tones}", "--list"), ("reproduce", "table1", "--data", "{tones}")
KNOWN = ("--set", "data.clip_s=0.6")
N_TRAIN = 9


@pytest.fixture
def _little_memory(monkeypatch, tmp_path):
    """A thousand bytes are free, and a network that is made all the same fails the test."""

    def fail(*_arguments, **_options):
        raise AssertionError("a network was made")

    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    monkeypatch.setattr(VGG, "__init__", fail)
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("words", [TRAIN, (*TRAIN, "--skip-bad", *KNOWN), CROSSVAL, LIST, REPRODUCE], ids=" ".join)
def test_what_cannot_fit_is_refused_before_a_network_is_made(cohear, tones, tmp_path, words):
    command, *others = (word.format(tones=tones) for word in words)
    assert cohear(command, *OPTIONS, *others).refuses("GB of memory, and 0.0 GB are free", "network.width (now 0.0625)")
    assert not [path for path in tmp_path.iterdir() if path.name != "cache"]


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("words", [TRAIN, (*TRAIN, "--out", "run"), CROSSVAL, LIST, REPRODUCE], ids=" ".join)
def test_where_the_size_is_known_that_comes_before_any_sound_is_decoded(cohear, tones, tmp_path, words):
    command, *others = (word.format(tones=tones) for word in words)
    assert cohear(command, *OPTIONS, *KNOWN, *others).refuses("GB of memory, and 0.0 GB are free", "data.clip_s")
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_finished_is_never_too_large(cohear, tones, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", tones, *OPTIONS, *KNOWN, "--set", "training.epochs=1", "--track", "end")
    assert cohear(*words).status == 0
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    said = cohear(*words)
    assert (said.status, "finished before" in said.out) == (0, True), said


def test_a_run_that_is_finished_elsewhere_does_not_stand_for_one_to_be_made(cohear, tones, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", tones, *OPTIONS, *KNOWN, "--set", "training.epochs=1", "--track", "end")
    assert cohear(*words).status == 0
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    assert cohear(*words, "--out", "other").refuses("0.0 GB are free")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]  # nothing was decoded


@pytest.mark.slow
@pytest.mark.parametrize("known", [(), KNOWN], ids=" ".join)
def test_a_batch_larger_than_the_epoch_needs_no_more_than_the_epoch(cohear, tones, tmp_path, monkeypatch, known):
    vast = ("--set", "training.batch_size=1000000", "--set", "training.epochs=1")
    config = change(preset("small"), dict(parse_override(text) for text in (*TINY, "training.batch_size=27")))
    assert len(prepare_data(tones, change(config, {"fold": 1})).split(change(config, {"fold": 1})).train) == N_TRAIN
    needed = training_bytes(config, 0.6, 3)  # a batch of the nine clips in three views
    monkeypatch.setattr(memory, "free_bytes", lambda: needed - 1)
    words = ("train", tones, *OPTIONS, *known, *vast, "--track", "end", "--out", tmp_path / "run")
    assert cohear(*words).refuses("GB are free")
    monkeypatch.setattr(memory, "free_bytes", lambda: needed)
    assert cohear(*words).status == 0
    assert cohear("crossval", tones, *OPTIONS, *known, *vast, "--out", tmp_path / "runs").status == 0


@pytest.mark.parametrize("words", [TRAIN, LIST], ids=" ".join)
@pytest.mark.parametrize("place", ["build_network", "build_view_maker"])
def test_an_estimate_for_which_memory_cannot_be_had_says_what_to_change(
    cohear, tones, tmp_path, monkeypatch, words, place
):
    def fail(*_arguments, **_options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cost, place, fail)
    command, *others = (word.format(tones=tones) for word in words)
    assert cohear(command, *OPTIONS, *others).refuses(
        "the memory ran out while the time of a run was estimated: make training.batch_size (now 6)",
        *("data.clip_s (now 0.6)", "network.width (now 0.0625)", "training.precision=bf16 (now float32)"),
    )
