"""`cohear reproduce`: what it plans, what it runs, that a used-up budget loses nothing, and its page."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from cohear.experiments.identity import readable_name
from cohear.experiments.run_folder import read_record
from tiny import OPTIONS, SAMPLE_RATE

USED_UP = "the time is used up: {} of 2 runs are finished, what was begun is saved; go on with the same command"


def write_esc50(folder: Path) -> Path:
    """Write 20 clips laid out like ESC-50: 5 folds, 4 classes, of which 2 are of ESC-10."""
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target in range(4):
            name = f"{fold}-{target}-A-{target}.wav"
            tone = 0.3 * np.sin(2 * np.pi * 300 * (target + 1) * np.arange(4800) / SAMPLE_RATE)
            soundfile.write(folder / "audio" / name, tone, SAMPLE_RATE, subtype="PCM_16")
            rows.append(f"{name},{fold},{target},sound{target},{target < 2},{fold}{target},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def esc50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_esc50(tmp_path_factory.mktemp("data") / "ESC-50")


def test_the_plan_of_table_1_names_thirteen_models_by_five_folds_and_a_total_and_creates_nothing(
    cohear, esc50, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    said = cohear("reproduce", "table1", "--data", esc50, *OPTIONS, "--list")
    assert said.status == 0
    first, *runs, total = said.out.splitlines()
    assert first == "ESC-50: 20 clips, 4 classes, preset small"
    assert len(runs) == 65
    assert sum("Combination-CL " in run for run in runs) == 5
    assert all(" about " in run for run in runs)
    assert total.startswith("13 models x 5 folds x 1 seed: 65 runs, about ")
    assert list(tmp_path.iterdir()) == []


def test_the_plans_of_figure_and_ablations_are_listed_for_esc10(cohear, esc50):
    figure = cohear("reproduce", "figure1", "--data", esc50, *OPTIONS, "--list", "--esc10").out
    assert figure.startswith("ESC-10: 10 clips, 2 classes")
    assert "4 models x 1 fold x 1 seed: 4 runs" in figure
    ablations = cohear("reproduce", "ablations", "--data", esc50, *OPTIONS, "--list", "--folds", "2", "--seeds", "1,0")
    assert "x 1 fold x 2 seeds: " in ablations.out
    assert "Combination-CL, no ramp" in ablations.out
    one = cohear("reproduce", "ablations", "--data", esc50, *OPTIONS, "--list", "--models", "combination-cl, No Ramp")
    assert "5 runs" in one.out
    assert "1 model x 5 folds x 1 seed" in one.out


@pytest.mark.slow
def test_reproduce_runs_the_chosen_models_and_prints_the_table_and_compare_prints_it_again(cohear, esc50, tmp_path):
    words = ("reproduce", "table1", "--data", esc50, *OPTIONS, "--set", "data.clip_s=0.6", "--set", "training.epochs=1")
    words = (*words, "--models", "Combination-CL,no augmentation", "--folds", "2", "--out", tmp_path / "runs")
    said = cohear(*words)
    assert said.status == 0
    assert "2 runs of 1 epoch ->" in said.err
    assert "\nNo Augmentation" in said.out
    assert "\nCombination-CL" in said.out
    assert (tmp_path / "runs" / "comparison.html").exists()
    accuracies = [line for line in said.err.splitlines() if ": accuracy " in line]
    assert accuracies[0].startswith("No Augmentation, fold 2, seed 0: accuracy ")
    assert [line.split(" (")[1] for line in accuracies] == ["1 of 2 done)", "2 of 2 done)"]
    listed = cohear(*words, "--list").out
    assert listed.count("finished") == 2
    assert cohear(*words, "--list", "--skip-bad", "--track", "end").out.count("finished") == 2
    again = cohear(*words, "--skip-bad")
    assert "2 of 2 were finished before: there is nothing to do" in again.err
    assert again.out == said.out
    compared = cohear("compare", tmp_path / "runs", "--out", tmp_path / "page.html")
    assert compared.out == said.out
    assert (tmp_path / "page.html").exists()


def test_controls_are_of_their_own_folds_and_seeds_unless_asked(cohear, esc50):
    words = ("reproduce", "controls", "--data", esc50, *OPTIONS, "--list")
    _, *runs, total = cohear(*words).out.splitlines()
    assert [" ".join(run.split("about")[0].split()) for run in runs] == [
        "Combination-CL fold 1 seed 0",  # in float32 by default: a model of the table
        "Combination-CL, bf16 fold 1 seed 0",
        *(f"No Augmentation, three times the epochs fold {fold} seed 0" for fold in range(1, 6)),
        *(f"{name} fold 1 seed {seed}" for seed in (1, 2) for name in ("Combination-CL", "Combination-CL, bf16")),
    ]
    assert total.startswith("11 runs, about ")
    asked = cohear(*words, "--folds", "3,2", "--seeds", "7", "--set", "training.precision=bf16").out
    assert [" ".join(run.split("about")[0].split()) for run in asked.splitlines()[1:-1]] == [
        "Combination-CL fold 3 seed 7",
        "Combination-CL, float32 fold 3 seed 7",
        *(f"No Augmentation, three times the epochs fold {fold} seed 7" for fold in (3, 2)),
    ]


@pytest.mark.slow
def test_controls_are_chosen_by_the_names_in_their_list_and_suggested_as_they_are_written(cohear, esc50):
    words = ("reproduce", "controls", "--data", esc50, *OPTIONS, "--list", "--models")
    names = {" ".join(run.split(" fold ")[0].split()) for run in cohear(*words[:-1]).out.splitlines()[1:-1]}
    assert len(names) == 3
    for name in (*names, "Combination-CL, float32"):
        assert "1 model x " in cohear(*words, name).out
    said = cohear(*words, "Combination-CL, bf61")
    assert said.refuses("no model 'bf61'", "'Combination-CL, bf16'")


def test_names_in_the_list_are_as_wide_as_the_longest(cohear, esc50):
    _first, *runs, _ = cohear("reproduce", "controls", "--data", esc50, *OPTIONS, "--list").out.splitlines()
    assert len({run.index("  fold ") for run in runs}) == 1
    assert max(len(run.split("  fold ")[0].strip()) for run in runs) == len("No Augmentation, three times the epochs")


def words_of_trained(tones: Path, out: Path) -> tuple[object, ...]:
    models = ("--models", "Combination-CL", "--folds", "1")
    return ("reproduce", "table1", "--data", tones, *OPTIONS, *models, "--out", out)


@pytest.mark.slow
def test_a_run_is_listed_as_finished_where_it_counts_as_finished_and_as_refused_where_it_is(
    cohear, tones, trained, tmp_path
):
    def states(*options: object) -> str:
        return cohear(*words_of_trained(tones, tmp_path), "--list", *options).out.splitlines()[1].split("seed 0")[1]

    facts = json.loads((trained / "config.json").read_text())
    usual = tmp_path / f"combination-cl_fold1_small_{facts['identity'][:8]}"
    place = shutil.copytree(trained, tmp_path / "other name")
    assert states("--track", "end").strip() == states("--track", "end", "--skip-bad").strip() == "finished"
    assert "about" in states("--track", "every")  # it would be made anew beside the other
    assert "about" in states("--track", "end", "--set", "data.short=repeat")
    assert "about" in states("--track", "end", "--set", "training.epochs=3")
    said = cohear(*words_of_trained(tones, tmp_path), "--list", "--track", "end", "--budget", "30s")
    assert (said.status, said.out.count("finished")) == (0, 1)
    assert said.err == "the listing is of all runs whatever --budget is, since it runs nothing\n"
    usual = place.rename(usual_folder(tones, trained, tmp_path))
    assert states("--track", "every").strip() == "refused: it was begun with --track end, not every"
    (usual / "config.json").write_text(json.dumps({**facts, "numerics": 1, "identity": "0"}))
    assert "about" in states("--track", "end")


def usual_folder(tones: Path, trained: Path, out: Path) -> Path:
    """Where a grid puts the run that was trained."""
    record = read_record(trained)
    return out / readable_name(record.config, record.model, record.identity)


def test_what_cannot_be_made_is_refused_before_anything_is_trained(cohear, tones, trained, tmp_path, monkeypatch):
    shutil.copytree(trained, usual_folder(tones, trained, tmp_path))
    words = (*words_of_trained(tones, tmp_path), "--track", "every")
    monkeypatch.setattr("cohear.experiments.grid.run_grid", None)
    said = cohear(*(word if word != "Combination-CL" else "No Augmentation,Combination-CL" for word in words))
    assert said.refuses("was measured --track end, not every; give --track end, remove it, or choose another --out")


@pytest.mark.slow
def test_pages_are_written_before_anything_is_printed(cohear, trained, tmp_path, monkeypatch):
    def leave(*_: object, file: object = None, **__: object) -> None:
        if file is None:
            raise BrokenPipeError

    monkeypatch.setattr("builtins.print", leave)
    shutil.copytree(trained, tmp_path / "runs" / "run")
    assert cohear("compare", tmp_path / "runs", "--out", tmp_path / "page.html").status == 0
    assert cohear("reproduce", "table1", "--report", "--out", tmp_path / "runs").status == 0
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "runs" / "table1.md").exists()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which a second passes whenever somebody looks whether the time is over."""
    looks = iter(range(10**6))
    clock = SimpleNamespace(time=lambda: time.time() + next(looks))
    for module in ("cohear.cli.reproduce", "cohear.runtime.interrupts"):
        monkeypatch.setattr(f"{module}.time", clock)


def words_of_a_grid(esc50: Path, out: Path) -> tuple[object, ...]:
    changes = ("--set", "data.clip_s=0.6", "--models", "No Augmentation,Combination-CL", "--folds", "1")
    return ("reproduce", "table1", "--data", esc50, *OPTIONS, *changes, "--out", out)


def bytes_of(out: Path) -> dict[str, bytes]:
    names = ("model.safetensors", "predictions.safetensors", "metrics.json", "predictions.csv")
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for name in names for path in out.glob(f"*/{name}")}


@pytest.mark.slow
def test_a_grid_within_budgets_ends_as_if_it_had_never_stopped(cohear, esc50, tmp_path, hurried):
    unbroken = cohear(*words_of_a_grid(esc50, tmp_path / "unbroken"))
    assert unbroken.status == 0
    words = words_of_a_grid(esc50, tmp_path / "broken")
    seen: list[int] = []
    for _ in range(40):
        said = cohear(*words, "--budget", "9s")
        assert said.status == 0
        sentences = [line for line in said.err.splitlines() if line.startswith("the time is used up")]
        if not sentences:
            break
        n_done = len(list((tmp_path / "broken").glob("*/metrics.json")))
        seen.append(n_done)
        assert sentences == [USED_UP.format(n_done)]
        assert bool(said.out) == (n_done > 0)
        assert len(list((tmp_path / "broken").glob("*/checkpoint/epoch-*.safetensors"))) > 0
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}
    assert said.out == unbroken.out
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "unbroken")
    assert len(bytes_of(tmp_path / "broken")) == 8


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_budget_that_is_over_before_anything_began_is_no_error(cohear, esc50, tmp_path, jobs):
    said = cohear(*words_of_a_grid(esc50, tmp_path / "runs"), "--budget", "0s", "--jobs", jobs)
    assert (said.status, said.out) == (0, "")
    assert said.err.splitlines()[-1] == USED_UP.format(0)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_page_of_table_1_needs_neither_data_nor_runs(cohear, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs" / "one")
    (tmp_path / "empty").mkdir()
    for name, n_runs in (("missing", 0), ("empty", 0), ("runs", 1)):
        said = cohear("reproduce", "table1", "--report", "--out", tmp_path / name)
        assert said.status == 0
        assert f"{n_runs} of 65 runs are there" in said.out
        nothing = f"no finished run lies below '{tmp_path / name}'\n" if n_runs == 0 else ""
        assert said.err == f"{nothing}report: {tmp_path / name / 'table1.md'}\n"
        assert (tmp_path / name / "table1.md").exists()
    (tmp_path / "file").write_text("no folder")
    assert cohear("reproduce", "table1", "--report", "--out", tmp_path / "file").refuses(
        "a file stands where a folder is needed"
    )
    assert cohear("reproduce", "table1", "--report", "--data", "ESC-50", "--out", tmp_path / "runs").status == 0


def test_unreadable_runs_are_not_passed_over_on_the_page(cohear, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("config.json", "metrics.json"):
        (tmp_path / "run" / name).write_text("{")
    assert cohear("reproduce", "table1", "--report", "--out", tmp_path).refuses("is damaged")
