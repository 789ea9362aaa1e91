"""Grids: what they plan, what they skip, and that one failure does not take the others along."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cohear.errors import UserError
from cohear.experiments.build import prepare_data
from cohear.experiments.grid import GridRun, place, plan_requests, run_grid
from cohear.experiments.paper import TABLE_1, find_models
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.run_folder import is_finished, locked
from tiny import TINY, write_tones

BASE = change(preset("small"), dict(parse_override(text) for text in (*TINY, "training.epochs=1")))
MODELS = find_models(["No Augmentation", "Combination-BDA"], TABLE_1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plan(tones: Path, parent: Path) -> list[GridRun]:
    return place(plan_requests(tones, BASE, MODELS, [1, 2], [0], "end"), prepare_data(tones, BASE), parent)


def test_a_plan_goes_seed_by_seed_model_by_model_fold_by_fold():
    requests = plan_requests(Path("data"), BASE, MODELS, [2, 1], [0, 7], None)
    assert [(r.config.seed, r.model, r.config.fold) for r in requests] == [
        (seed, model, fold) for seed in (0, 7) for model in ("No Augmentation", "Combination-BDA") for fold in (2, 1)
    ]


def test_only_the_models_of_figure_1_are_measured_every_epoch_and_on_the_first_fold_only():
    requests = plan_requests(Path("data"), BASE, TABLE_1, [1, 2], [0], None)
    followed = {(r.model, r.config.fold) for r in requests if r.track == "every"}
    assert followed == {(name, 1) for name in ("No Augmentation", "Combination", "Combination-BDA", "Combination-CL")}
    assert {r.track for r in plan_requests(Path("data"), BASE, TABLE_1, [1, 2], [0], "5")} == {"5"}


def test_every_run_of_table_1_has_a_folder_of_its_own(tones, tmp_path):
    runs = place(plan_requests(tones, BASE, TABLE_1, [1, 2], [0, 1], None), prepare_data(tones, BASE), tmp_path)
    assert len({run.folder for run in runs}) == 13 * 2 * 2
    assert {run.folder.parent for run in runs} == {tmp_path}


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


def test_a_grid_goes_on_with_runs_of_a_data_set_given_by_another_path(tmp_path):
    parent, metrics = tmp_path / "runs", []
    for name in ("here", "there"):
        table = write_tones(tmp_path / name)
        folders = run_grid(plan(table, parent), 1, lambda _share, _n: None, lambda _folder: None)
        metrics.append([json.loads((folder / "metrics.json").read_text()) for folder in folders])
    assert metrics[0] == metrics[1]
    assert len(list(parent.iterdir())) == 4
