"""Grids by submitit, on this machine: its `local` cluster is what it has for tests."""

import signal
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest

from cohear.errors import UserError
from cohear.runs.elsewhere import Outcome, Task
from cohear.runs.grid import Training, is_done, run_grid
from cohear.runs.slurm_executor import _Job, _outcome, run_slurm
from runs.made_runs import NONE, make_plan, weights
from tiny import write_tones

submitit = pytest.importorskip("submitit")
pytestmark = pytest.mark.slow

run_here = partial(run_slurm, options={"cluster": "local"})


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("tones"))


def plans_in(tones, parent, epochs=2):
    changes = [NONE, {"method": "bda"}]
    return [make_plan(tones, parent / str(i), {**its, "training.epochs": epochs}) for i, its in enumerate(changes)]


def test_jobs_make_the_same_bytes(tones, tmp_path):
    shares = []
    on_progress = lambda share, n: shares.append((share, n))  # noqa: E731
    runs = run_grid(plans_in(tones, tmp_path / "jobs"), executor=run_here, n_jobs=None, on_progress=on_progress)
    local = run_grid(plans_in(tones, tmp_path / "local"))
    assert [weights(run) for run in runs] == [weights(run) for run in local]
    assert shares[-1] == (1.0, 2)


def test_a_job_whose_time_is_over_goes_on_with_the_same_run(tones, tmp_path):
    task = submitit.helpers.DelayedSubmission

    plans = plans_in(tones, tmp_path)
    with Task.of(Training(plans, lambda *_: None), None) as whole:
        again = _Job().checkpoint(whole.piece(1))
        assert isinstance(again, task)
        assert again.result().is_done
    assert [is_done(plan) for plan in plans] == [False, True]


def test_what_fails_there_is_said_and_the_others_are_finished(tones, tmp_path):
    plans = plans_in(tones, tmp_path)
    plans[0].folder.mkdir(parents=True)
    (plans[0].folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"1 of 2 runs failed.*thesis\.txt"):
        run_grid(plans, executor=run_here)
    assert [is_done(plan) for plan in plans] == [False, True]


@pytest.mark.parametrize(
    ("options", "said"), [({}, "no SLURM here"), ({"cluster": "local", "walltime": "1"}, "walltime")]
)
def test_what_cannot_be_submitted_is_one_sentence(tones, tmp_path, monkeypatch, options, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=said):
        run_slurm(Training(plans_in(tones, tmp_path), lambda *_: None), None, lambda *_: None, None, options)
    assert not (tmp_path / "0").exists()


@pytest.mark.parametrize(("restarts", "before", "is_left"), [(1, None, True), (1, "1", False), (0, None, False)])
def test_a_job_that_slurm_requeues_leaves_no_result(tones, tmp_path, monkeypatch, restarts, before, is_left):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\necho JobState=COMPLETING Requeue=1 Restarts={restarts} $*")
    scontrol.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    if before:
        monkeypatch.setenv("SLURM_RESTART_COUNT", before)
    monkeypatch.setattr(Task, "do", lambda *_: Outcome(stopped_by=signal.SIGTERM))
    task = Task(Training(plans_in(tones, tmp_path), lambda *_: None), None, {}, "")
    with pytest.raises(SystemExit) if is_left else nullcontext():
        assert _Job()(task).stopped_by == signal.SIGTERM


@pytest.mark.parametrize("is_told", [True, False])
def test_a_job_that_somebody_else_cancelled_is_a_run_that_failed(tones, tmp_path, is_told):
    paths = SimpleNamespace(result_pickle=tmp_path)
    job = SimpleNamespace(result=lambda: Outcome(stopped_by=signal.SIGTERM), paths=paths)
    left = _outcome(job, Training(plans_in(tones, tmp_path), lambda *_: None), 0, is_told)
    assert not left.is_done
    assert left.failure == (None if is_told else "0: its job was cancelled; go on with the same command")
