"""Grids: what they plan, what they skip, and that one failure does not take the others along."""

import signal
import time
from collections.abc import Sequence
from itertools import count
from multiprocessing import active_children, get_context
from pathlib import Path
from types import SimpleNamespace

import pytest

from cohear.errors import UserError
from cohear.runs.config import change
from cohear.runs.execution import execute
from cohear.runs.executors import run_local
from cohear.runs.grid import Training, check_places, is_done, plan_grid, run_grid
from cohear.runs.paper import ABLATIONS, CONTROLS, TABLE_1, GridModel, find_models
from cohear.runs.plan import Plan, Prepared, list_clips
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted
from runs.made_runs import stop_after
from tiny import TINY_SETTINGS, tiny_config

pytestmark = pytest.mark.usefixtures("one_thread")

BASE = tiny_config({"training.epochs": 1})
MODELS = find_models(["No Augmentation", "Combination-BDA"], TABLE_1, BASE)
FILES = ("model.safetensors", "predictions.safetensors", "metrics.json")


def prepare(data: Path, base=BASE) -> Prepared:
    return list_clips(data, base, TINY_SETTINGS).decode()


@pytest.fixture
def prepared(tones: Path) -> Prepared:
    return prepare(tones)


def grid(
    data: Prepared,
    parent: Path = Path("runs"),
    models: Sequence[GridModel] = MODELS,
    folds: Sequence[int] = (1, 2),
    seeds: Sequence[int] = (0,),
    track: str | None = "end",
) -> list[Plan]:
    return plan_grid(data, models, folds, seeds, parent, track)


def contents(plan: Plan) -> list[bytes]:
    return [(plan.folder / name).read_bytes() for name in FILES]


def test_a_plan_goes_seed_by_seed_fold_by_fold_and_what_the_largest_gain_rests_on_comes_first(prepared):
    models = find_models(["No Augmentation", "Reverb", "TF-Masking-CL", "Combination-BDA"], TABLE_1, BASE)
    assert [
        (p.config.seed, p.config.fold, p.name) for p in grid(prepared, models=models, folds=(2, 1), seeds=(0, 7))
    ] == [
        (seed, fold, model)
        for seed in (0, 7)
        for part in (("No Augmentation", "Combination-BDA"), ("Reverb", "TF-Masking-CL"))
        for fold in (2, 1)
        for model in part
    ]


def test_only_some_models_are_measured_every_epoch_and_on_the_fold_of_figure_1_only(prepared):
    methods = ("", " (one)", "-BDA", "-CL")
    names = ["No Augmentation", *(name + method for name in ("Combination", "Reverb") for method in methods)]
    plans = grid(prepared, models=TABLE_1, track=None)
    assert {(p.name, p.config.fold) for p in plans if p.track == "every"} == {(name, 1) for name in names}
    assert {p.track for p in grid(prepared, models=TABLE_1, folds=(2,), track=None)} == {"end"}
    assert {p.track for p in grid(prepared, models=TABLE_1, track="5")} == {"5"}


def test_runs_have_folders_of_their_own_and_are_shared_where_they_are_the_same(prepared, tmp_path):
    table, ablations, controls = (
        {plan.folder for plan in grid(prepared, tmp_path, models, seeds=(0, 1))}
        for models in (TABLE_1, ABLATIONS, CONTROLS)
    )
    assert len(table) == 17 * 2 * 2
    assert {folder.parent for folder in table} == {tmp_path}
    assert len(table & ablations) == 4
    assert len(table & controls) == len(table & ablations & controls) == 2  # on the first fold only


def test_a_model_that_is_one_of_the_table_on_this_base_bears_its_name(tones):
    def names(changes, models):
        return [plan.name for plan in grid(prepare(tones, change(BASE, changes)), models=models, folds=(1,))]

    assert names({}, CONTROLS[:2]) == ["Combination-CL", "Combination-CL, bf16"]
    assert names({"training.precision": "bf16"}, CONTROLS[:2]) == ["Combination-CL", "Combination-CL, float32"]
    assert names({"objective.ramp_epochs": 0}, ABLATIONS[2:4]) == [
        *("Combination-CL", "Combination-CL, clean-only cross-entropy"),
    ]


@pytest.mark.slow
def test_finished_runs_are_skipped_and_progress_counts_them(prepared, tmp_path):
    plans, made, progress = grid(prepared, tmp_path), list[Path](), list[tuple[float, int]]()
    first = run_grid(plans[:2], after_run=lambda run, _plan: made.append(run.folder))
    assert [run.folder for run in first] == made == [plan.folder for plan in plans[:2]]
    modified = [run.weights_path.stat().st_mtime_ns for run in first]
    runs = run_grid(
        plans,
        on_progress=lambda share, n: progress.append((share, n)),
        after_run=lambda run, _plan: made.append(run.folder),
    )
    assert [run.folder for run in runs] == made == [plan.folder for plan in plans]
    assert modified == [run.weights_path.stat().st_mtime_ns for run in first]
    assert (progress[0], progress[-1]) == ((0.5, 2), (1.0, 4))
    assert progress == sorted(progress)
    assert len(run_grid(plans, n_jobs=2)) == 4  # nothing to do, no process begun


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_begins_with_what_runs_have_behind_them(tones, tmp_path, n_jobs):
    def press_ctrl_c_late(share: float, _n_done: int) -> None:
        if share > 0.2:
            signal.raise_signal(signal.SIGINT)

    plans, shares = grid(prepare(tones, change(BASE, {"training.epochs": 4})), tmp_path), list[float]()
    with pytest.raises(Interrupted):
        run_grid(plans, on_progress=press_ctrl_c_late)
    run_grid(plans, n_jobs=n_jobs, on_progress=lambda share, _n_done: shares.append(share))
    assert shares == sorted(shares)
    assert shares[0] > 0


@pytest.mark.slow
def test_a_run_that_fails_is_named_and_the_others_are_finished(prepared, tmp_path):
    plans = grid(prepared, tmp_path)
    plans[0].folder.mkdir()
    (plans[0].folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.txt"):
        check_places(plans)
    with pytest.raises(UserError, match=r"1 of 4 runs failed.*thesis\.txt"):
        run_grid(plans)
    assert [is_done(plan) for plan in plans] == [False, True, True, True]
    assert [path.name for path in plans[0].folder.iterdir()] == ["thesis.txt"]


def one_run(data: Prepared, parent: Path, name: str, track: str) -> Plan:
    model = GridModel(name, "consistency", "combination", (("objective.consistency_weight", 7.5),))
    (plan,) = grid(data, parent, [model], (1,), track=track)
    return plan


@pytest.mark.slow
def test_a_run_under_another_name_is_the_same_run_where_it_is_measured_as_often_as_is_wanted(prepared, tmp_path):
    first = one_run(prepared, tmp_path, "Combination-CL", "2")
    with pytest.raises(Interrupted):
        execute(first, on_step=stop_after(1))
    begun = one_run(prepared, tmp_path, "Combination-CL, weight 7.5", "end")
    assert (begun.folder, begun.track, is_done(begun)) == (first.folder, "2", False)
    assert [run.folder for run in run_grid([begun])] == [first.folder]
    again, more = (one_run(prepared, tmp_path, "Combination-CL, weight 7.5", track) for track in ("end", "every"))
    assert (again.folder, is_done(again)) == (first.folder, True)
    assert more.folder != first.folder
    assert not is_done(more)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock on which a second passes whenever somebody looks whether the time is over."""
    looks = count()
    clock = SimpleNamespace(time=lambda: float(next(looks)))
    monkeypatch.setattr("cohear.runtime.interrupts.time", clock)
    return clock


@pytest.mark.slow
def test_a_grid_leaves_at_the_deadline_and_ends_in_the_same_bytes(prepared, tmp_path, hurried):
    plans, unbroken = (grid(prepared, tmp_path / name, folds=(1,)) for name in ("broken", "unbroken"))
    run_grid(unbroken)
    finished: list[list[Run]] = []
    while not finished or len(finished[-1]) < 2:
        finished.append(run_grid(plans, deadline_s=hurried.time() + 4))
        assert len(finished) < 20
    assert [] in finished
    assert [run.folder for run in finished[-2]] == [plans[0].folder]
    assert list(map(contents, plans)) == list(map(contents, unbroken))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_deadline_that_is_over_begins_nothing(prepared, tmp_path, n_jobs):
    assert run_grid(grid(prepared, tmp_path), n_jobs=n_jobs, deadline_s=0.0) == []
    assert list(tmp_path.iterdir()) == []


def give_up(_share: float, _n_finished: int) -> None:
    raise KeyError("given up")


def press_ctrl_c(_share: float, _n_finished: int) -> None:
    signal.raise_signal(signal.SIGINT)


def nothing_more(_run: Run, _plan: Plan) -> None:
    """A lambda does not travel between processes."""


@pytest.mark.slow
@pytest.mark.parametrize(("on_progress", "error"), [(give_up, KeyError), (press_ctrl_c, Interrupted)])
def test_a_grid_that_ends_early_leaves_processes_alone_that_are_not_its_own(prepared, tmp_path, on_progress, error):
    context = get_context("spawn")
    asked, answer = context.Pipe()
    other = context.Process(target=answer.poll, args=(None,))  # until something is sent
    other.start()
    try:
        with pytest.raises(error):
            run_local(Training(grid(prepared, tmp_path), nothing_more), 2, on_progress, None)
    finally:
        asked.send("leave")
        other.join()
    assert other.exitcode == 0
    ends_s = time.monotonic() + 100
    while active_children() and time.monotonic() < ends_s:  # they have been told to leave; the pool waits for them too
        time.sleep(0.05)
    assert not active_children()
