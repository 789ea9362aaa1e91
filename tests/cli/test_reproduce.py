"""`cohear reproduce`: what it plans, what it runs, that a used-up budget loses nothing, and its table."""

import shutil
from pathlib import Path

import pytest
import soundfile

from cli.conftest import noise
from cohear.runs.finding import find_finished
from cohear.runs.identity import readable_name
from cohear.runs.run import Run
from made_encoders import write_encoder
from tiny import OPTIONS, SAMPLE_RATE


@pytest.fixture(scope="module")
def esc50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 clips laid out like ESC-50: 5 folds, 4 classes, of which 2 are of ESC-10."""
    folder = tmp_path_factory.mktemp("data") / "ESC-50"
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target in range(4):
            name = f"{fold}-{target}-A-{target}.wav"
            soundfile.write(folder / "audio" / name, noise(target), SAMPLE_RATE, subtype="PCM_16")
            rows.append(f"{name},{fold},{target},sound{target},{target < 2},{fold}{target},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def listed(cohear, esc50):
    """What `--list` says of a grid: each run as its model, fold and seed."""

    def names(what: str, *words: object) -> list[str]:
        said = cohear("reproduce", what, "--data", esc50, *OPTIONS, "--set", "data.clip_s=0.6", "--list", *words)
        assert said.status == 0, said
        _, *runs, total = said.out.splitlines()
        assert total.startswith(f"{len(runs)} run")
        return [" ".join(run.split(" about ")[0].split()) for run in runs]

    return names


def test_the_plan_of_table_1_names_all_models_by_five_folds_and_makes_nothing(listed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = listed("table1")
    assert len(set(runs)) == len(runs) == 85
    assert [run for run in runs if run.startswith("Combination-CL ")] == [
        f"Combination-CL fold {fold} seed 0" for fold in range(1, 6)
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_other_plans_are_of_their_own_folds_and_seeds_unless_asked(listed):
    assert listed("figure1", "--esc10") == [
        f"{name} fold 1 seed 0"
        for name in ("No Augmentation", "Combination", "Combination (one)", "Combination-BDA", "Combination-CL")
    ]
    ablations = listed("ablations", "--models", "combination-cl, No Ramp", "--folds", "2", "--seeds", "1,0")
    assert len(ablations) == 2
    assert "Combination-CL, no ramp fold 2 seed 1" in ablations
    assert listed("controls") == [
        "Combination-CL fold 1 seed 0",  # in float32 by default: a model of the table
        "Combination-CL, bf16 fold 1 seed 0",
        *(f"No Augmentation, three times the epochs fold {fold} seed 0" for fold in range(1, 6)),
        *(f"{name} fold 1 seed {seed}" for seed in (1, 2) for name in ("Combination-CL", "Combination-CL, bf16")),
    ]


def words_of_a_grid(esc50: Path, out: Path) -> tuple[object, ...]:
    changes = ("--set", "data.clip_s=0.6", "--models", "No Augmentation,Combination-CL", "--folds", "1")
    return ("reproduce", "table1", "--data", esc50, *OPTIONS, *changes, "--out", out)


def test_a_budget_that_is_over_before_anything_began_is_no_error(cohear, esc50, tmp_path):
    said = cohear(*words_of_a_grid(esc50, tmp_path / "runs"), "--budget", "0s")
    assert (said.status, said.out) == (0, "")
    assert "0 of 2 runs are finished" in said.err.splitlines()[-1]
    assert not (tmp_path / "runs").exists()


def test_what_cannot_be_made_in_its_place_is_refused_before_anything_is_trained(
    cohear, tones, trained, tmp_path, monkeypatch
):
    record = Run(trained).record
    usual = tmp_path / readable_name(record.config, record.model, record.dataset)
    shutil.copytree(trained, usual)
    monkeypatch.setattr("cohear.runs.grid.EXECUTORS", {"local": None})
    assert cohear("crossval", tones, *OPTIONS, "--track", "every", "--out", tmp_path).refuses(usual, "--track end")


def test_the_table_of_finished_runs_needs_no_data_and_unreadable_ones_are_not_passed_over(cohear, trained, tmp_path):
    words = ("reproduce", "table1", "--report", "--out")
    assert cohear(*words, tmp_path / "missing").refuses("missing")
    shutil.copytree(trained, tmp_path / "runs" / "one")
    assert "Combination-CL" in cohear(*words, tmp_path / "runs").out
    (tmp_path / "runs" / "one" / "metrics.json").write_text("{")
    assert cohear(*words, tmp_path / "runs").refuses("metrics.json")


def test_pages_are_written_before_anything_is_printed(cohear, trained, tmp_path, monkeypatch):
    def leave(*_: object, file: object = None, **__: object) -> None:
        if file is None:
            raise BrokenPipeError

    monkeypatch.setattr("builtins.print", leave)
    assert cohear("compare", trained, "--out", tmp_path / "page.html").status == 0
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize("words", [("crossval",), ("reproduce", "figure1", "--esc10", "--data")])
def test_a_grid_is_not_begun_by_processes_that_torchrun_has_started(cohear, esc50, tmp_path, monkeypatch, words):
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = cohear(*words, esc50, *OPTIONS, "--set", "data.clip_s=0.6", "--out", tmp_path / "grid")
    assert said.status == 2
    assert "torchrun" in said.err
    assert not (tmp_path / "grid").exists()


def test_on_an_encoder_a_benchmark_is_heard_at_its_rate(cohear, esc50, tmp_path):
    encoder = write_encoder(tmp_path / "e.onnx")
    words = ("--preset", "probe", "--set", f"encoder.file={encoder}", "--epochs", "1", "--set", "encoder.n_views=2")
    how = ("--models", "No Augmentation", "--folds", "1", "--out", tmp_path / "runs", "--jobs", "1")
    assert cohear("reproduce", "table1", "--data", esc50, *words, *how).status == 0
    (made,) = find_finished([tmp_path / "runs"])[0]
    assert made.record.config.data.sample_rate == 8000
