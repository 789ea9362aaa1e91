"""Grids: what they plan, what they skip, and that one failure does not take the others along."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.folder_claims import locked
from cohear.experiments.grid import run_grid
from cohear.experiments.paper import ABLATIONS, CONTROLS, TABLE_1, PaperModel, find_models
from cohear.experiments.plans import GridRun, place, plan_requests
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import is_finished, read_metrics
from cohear.experiments.runs import RunRequest, execute
from cohear.runtime.interrupts import Interrupted
from tiny import TINY, write_tones

pytestmark = pytest.mark.usefixtures("one_thread")

BASE = change(preset("small"), dict(parse_override(text) for text in (*TINY, "training.epochs=1")))
MODELS = find_models(["No Augmentation", "Combination-BDA"], TABLE_1)


def plan(tones: Path, parent: Path) -> list[GridRun]:
    return place(plan_requests(tones, BASE, MODELS, [1, 2], [0], "end"), prepare_data(tones, BASE), parent)


def test_a_plan_goes_seed_by_seed_fold_by_fold_and_what_the_largest_gain_rests_on_comes_first():
    models = find_models(["No Augmentation", "Reverb", "TF-Masking-CL", "Combination-BDA"], TABLE_1)
    requests = plan_requests(Path("data"), BASE, models, [2, 1], [0, 7], None)
    assert [(r.config.seed, r.config.fold, r.model) for r in requests] == [
        (seed, fold, model)
        for seed in (0, 7)
        for part in (("No Augmentation", "Combination-BDA"), ("Reverb", "TF-Masking-CL"))
        for fold in (2, 1)
        for model in part
    ]


def test_only_some_models_are_measured_every_epoch_and_on_the_fold_of_figure_1_only():
    requests = plan_requests(Path("data"), BASE, TABLE_1, [1, 2], [0], None)
    followed = {(r.model, r.config.fold) for r in requests if r.track == "every"}
    names = ("No Augmentation", "Combination", "Combination-BDA", "Combination-CL", "Reverb", "Reverb-BDA", "Reverb-CL")
    assert followed == {(name, 1) for name in names}
    assert {r.track for r in plan_requests(Path("data"), BASE, TABLE_1, [2, 3], [0], None)} == {"end"}
    assert {r.track for r in plan_requests(Path("data"), BASE, TABLE_1, [1, 2], [0], "5")} == {"5"}


def test_every_run_of_table_1_has_a_folder_of_its_own(tones, tmp_path):
    runs = place(plan_requests(tones, BASE, TABLE_1, [1, 2], [0, 1], None), prepare_data(tones, BASE), tmp_path)
    assert len({run.folder for run in runs}) == 13 * 2 * 2
    assert {run.folder.parent for run in runs} == {tmp_path}


@pytest.mark.slow
def test_finished_runs_are_skipped_and_progress_counts_them(tones, tmp_path):
    runs = plan(tones, tmp_path)
    made: list[Path] = []
    assert run_grid(runs[:2], 1, lambda _share, _n: None, made.append) == [run.folder for run in runs[:2]]
    modified = [(run.folder / "model.safetensors").stat().st_mtime_ns for run in runs[:2]]
    progress: list[tuple[float, int]] = []
    folders = run_grid(runs, 1, lambda share, n: progress.append((share, n)), made.append)
    assert folders == made == [run.folder for run in runs]
    assert modified == [(run.folder / "model.safetensors").stat().st_mtime_ns for run in runs[:2]]
    assert progress[0] == (0.5, 2)
    assert progress[-1] == (1.0, 4)
    assert [share for share, _ in progress] == sorted(share for share, _ in progress)
    assert run_grid(runs, 2, lambda _share, _n: None, made.append) == folders  # nothing to do, no process begun


@pytest.mark.slow
def test_a_run_that_fails_is_named_and_the_others_are_finished(tones, tmp_path):
    runs = plan(tones, tmp_path)
    runs[0].folder.mkdir()
    (runs[0].folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"1 of 4 runs failed, the others are finished; .*holds 'thesis.txt'"):
        run_grid(runs, 1, lambda _share, _n: None, lambda _folder: None)
    assert [is_finished(run.folder) for run in runs] == [False, True, True, True]
    assert [path.name for path in runs[0].folder.iterdir()] == ["thesis.txt"]


def test_a_folder_in_which_another_process_works_is_left_to_it(tones, tmp_path):
    run = plan(tones, tmp_path)[0]
    run.folder.mkdir()
    with locked(run.folder), pytest.raises(UserError, match="another process is working on"):
        run_grid([run], 1, lambda _share, _n: None, lambda _folder: None)
    assert run_grid([run], 1, lambda _share, _n: None, lambda _folder: None) == [run.folder]


@pytest.mark.slow
def test_a_grid_goes_on_with_runs_of_a_data_set_given_by_another_path(tmp_path):
    parent, metrics = tmp_path / "runs", []
    for name in ("here", "there"):
        table = write_tones(tmp_path / name)
        folders = run_grid(plan(table, parent), 1, lambda _share, _n: None, lambda _folder: None)
        metrics.append([json.loads((folder / "metrics.json").read_text()) for folder in folders])
    assert metrics[0] == metrics[1]
    assert len(list(parent.iterdir())) == 4


def test_a_model_that_is_one_of_the_table_on_this_base_bears_its_name():
    def names(base, models):
        return [request.model for request in plan_requests(Path("data"), base, models, [1], [0], None)]

    bf16 = change(BASE, {"training.precision": "bf16"})
    assert names(BASE, CONTROLS[:2]) == ["Combination-CL", "Combination-CL, bf16"]
    assert names(bf16, CONTROLS[:2]) == ["Combination-CL", "Combination-CL, float32"]
    assert names(change(BASE, {"objective.ramp_epochs": 0}), ABLATIONS[2:4]) == [
        *("Combination-CL", "Combination-CL, clean-only cross-entropy"),
    ]
    assert names(BASE, TABLE_1[1:4]) == ["Pitch-Shift", "Pitch-Shift-BDA", "Pitch-Shift-CL"]


def test_ablations_and_controls_share_what_they_can_with_the_table(tones, tmp_path):
    data = prepare_data(tones, BASE)
    places = [
        {run.folder for run in place(plan_requests(tones, BASE, models, [1, 2], [0], None), data, tmp_path)}
        for models in (TABLE_1, ABLATIONS, CONTROLS)
    ]
    table, ablations, controls = places
    assert len(table & ablations) == 2
    assert len(table & controls) == len(table & ablations & controls) == 1


def one_run(tones: Path, parent: Path, name: str, track: str) -> GridRun:
    model = PaperModel(name, "consistency", "combination", (("objective.consistency_weight", 7.5),))
    (run,) = place(plan_requests(tones, BASE, [model], [1], [0], track), prepare_data(tones, BASE), parent)
    return run


@pytest.mark.slow
def test_a_run_under_another_name_is_the_same_run_where_it_was_measured_as_often_as_is_wanted(tones, tmp_path):
    first = one_run(tones, tmp_path, "Combination-CL", "2")
    run_grid([first], 1, lambda _share, _n: None, lambda _folder: None)
    again, more = (one_run(tones, tmp_path, "Combination-CL, weight 7.5", track) for track in ("end", "every"))
    assert again.folder == first.folder
    assert again.is_done
    assert more.folder != first.folder
    assert not more.is_done


@pytest.mark.slow
def test_a_run_begun_under_another_name_goes_on_with_the_measurements_it_began_with(tones, tmp_path):
    def stop(_done: int, _total: int) -> None:
        raise Interrupted("stopped", None)

    first = one_run(tones, tmp_path, "Combination-CL", "every")
    with pytest.raises(Interrupted):
        execute(first.request, prepare_data(tones, BASE), first.folder, on_step=stop)
    for name in ("Combination-CL", "Combination-CL, weight 7.5"):
        again = one_run(tones, tmp_path, name, "end")
        assert (again.folder, again.request.track, again.is_done) == (first.folder, "every", False)
    assert run_grid([again], 1, lambda _share, _n: None, lambda _folder: None) == [first.folder]


def test_runs_that_are_the_same_are_made_once(tones, tmp_path):
    requests = [RunRequest(tones, change(BASE, {"preset": name}), name) for name in ("small", "mine")]
    assert [run.request.model for run in place(requests, prepare_data(tones, BASE), tmp_path)] == ["small"]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock on which a second passes whenever somebody looks whether the time is over."""
    looks = iter(range(10**6))
    clock = SimpleNamespace(time=lambda: time.time() + next(looks))
    monkeypatch.setattr("cohear.runtime.interrupts.time", clock)
    return clock


@pytest.mark.slow
def test_a_grid_leaves_at_the_deadline_and_ends_in_the_same_bytes(tones, tmp_path, hurried):
    names = ("model.safetensors", "predictions.safetensors", "metrics.json")
    runs, unbroken = plan(tones, tmp_path / "broken")[:2], plan(tones, tmp_path / "unbroken")[:2]
    run_grid(unbroken, 1, lambda _share, _n: None, lambda _folder: None)
    finished: list[list[Path]] = []
    while not finished or len(finished[-1]) < 2:
        deadline_s = hurried.time() + 4
        finished.append(run_grid(runs, 1, lambda _share, _n: None, lambda _folder: None, deadline_s))
        assert len(finished) < 20
    assert [] in finished
    assert finished[-2] == [runs[0].folder]
    for ours, theirs in zip(runs, unbroken, strict=True):
        assert all((ours.folder / name).read_bytes() == (theirs.folder / name).read_bytes() for name in names)


@pytest.mark.slow
def test_an_unfinished_run_that_came_without_its_checkpoint_begins_again(tones, tmp_path, hurried):
    (run,), (unbroken,) = plan(tones, tmp_path / "broken")[:1], plan(tones, tmp_path / "unbroken")[:1]
    assert run_grid([run], 1, lambda _share, _n: None, lambda _folder: None, hurried.time() + 4) == []
    shutil.rmtree(run.folder / "checkpoint")
    for one in (run, unbroken):
        run_grid([one], 1, lambda _share, _n: None, lambda _folder: None)
    weights = [(one.folder / "model.safetensors").read_bytes() for one in (run, unbroken)]
    assert weights[0] == weights[1]
    assert read_metrics(run.folder) == read_metrics(unbroken.folder)


@pytest.mark.slow
def test_a_deadline_that_is_over_begins_nothing_and_failures_are_said_all_the_same(tones, tmp_path, monkeypatch):
    runs = plan(tones, tmp_path)
    for n_jobs in (1, 2):
        assert run_grid(runs, n_jobs, lambda _share, _n: None, lambda _folder: None, time.time()) == []
    assert list(tmp_path.iterdir()) == []
    runs[0].folder.mkdir()
    (runs[0].folder / "thesis.txt").write_text("mine")
    monkeypatch.setattr("cohear.experiments.grid.is_over", lambda _: runs[1].is_done)
    with pytest.raises(UserError, match=r"1 of 4 runs failed, 1 are finished, 2 are left; .*holds 'thesis.txt'"):
        run_grid(runs, 1, lambda _share, _n: None, lambda _folder: None)
