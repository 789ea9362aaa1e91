"""Runs on machines that do not see where they belong: made in another folder from the sounds, and brought back."""

import pickle
import shutil
import signal
from contextlib import suppress
from dataclasses import replace

import pytest

from cohear.errors import UserError
from cohear.runs.elsewhere import Task
from cohear.runs.grid import Training, is_done, nothing, run_grid
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted
from runs.made_runs import make_plan, weights
from tiny import write_tones

pytestmark = pytest.mark.slow


@pytest.fixture
def tones(tmp_path):
    return write_tones(tmp_path / "tones")


@pytest.fixture
def plan(tones, tmp_path):
    return make_plan(tones, tmp_path / "runs" / "mine", {"training.epochs": 4})


@pytest.fixture
def apart(plan, tmp_path, monkeypatch):
    """The task of making that run, as it arrives on a machine with a cache of its own and other folders."""
    with Task.of(Training([plan], nothing), None, carries=True) as given:
        sent = pickle.dumps(given)
        plan.folder.parent.rename(tmp_path / "not mounted")
        monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "its cache"))
        for file in plan.data.store.rows.files:
            shutil.rmtree(file.path.parent)
        yield pickle.loads(sent)
        shutil.copytree(tmp_path / "not mounted", plan.folder.parent, dirs_exist_ok=True)


def test_what_is_brought_back_is_the_run(apart, plan, tones, tmp_path):
    assert apart.do(0).is_apart
    outcome = apart.do(0, {})
    assert (outcome.is_done, outcome.failure) == (True, None)
    assert not plan.folder.parent.exists()
    Training([plan], nothing).put(0, outcome.files)
    assert is_done(plan)
    (here,) = run_grid([make_plan(tones, tmp_path / "here", {"training.epochs": 4})])
    assert weights(Run(plan.folder)) == weights(here)


class HalfWay(Training):
    """Runs that are interrupted in the middle, the first time."""

    def do(self, index, on_share, deadline_s):
        def interrupt(share: float) -> None:
            if share == 0.5:
                signal.raise_signal(signal.SIGINT)

        super().do(index, interrupt, deadline_s)


def test_a_run_that_was_begun_is_brought_there_and_back(apart, plan, tmp_path, monkeypatch):
    (tmp_path / "its disk").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "its disk"))
    interrupted = replace(apart, work=HalfWay(apart.work.plans, nothing))
    outcome, work = interrupted.do(0, {}), Training([plan], nothing)
    assert (outcome.stopped_by, outcome.is_done) == (signal.SIGINT, False)
    assert not any((tmp_path / "its disk").iterdir())
    work.put(0, outcome.files)
    assert 0 < work.share(0) < 1
    assert work.made(0) == outcome.files
    ended = apart.do(0, outcome.files)
    work.put(0, ended.files)
    assert is_done(plan)
    assert work.made(0) == ended.files
    assert outcome.files.keys() - ended.files.keys(), "its checkpoint is another"
    for behind in (outcome.files, {}):
        work.put(0, behind)  # somebody else was faster
        assert work.made(0) == ended.files


class Fails(HalfWay):
    """Runs that fail in the middle."""

    def do(self, index, on_share, deadline_s):
        with suppress(Interrupted):
            super().do(index, on_share, deadline_s)
        raise UserError("the loss is not finite")


def test_what_a_run_had_when_it_failed_is_brought_back(apart, plan):
    outcome, work = replace(apart, work=Fails(apart.work.plans, nothing)).do(0, {}), Training([plan], nothing)
    assert "not finite" in (outcome.failure or "")
    work.put(0, outcome.files)
    assert 0 < work.share(0) < 1


def test_runs_of_several_folders_come_back_to_theirs(tones, tmp_path):
    plans = [make_plan(tones, tmp_path / name / "mine", {"training.epochs": 2}) for name in ("old", "new")]
    work = Training(plans, nothing)
    for index, plan in enumerate(plans):
        there = work.piece(index).apart(tmp_path / "there" / str(index))
        there.do(0, lambda _share: None, None)
        work.put(index, there.made(0))
        assert is_done(plan)
        assert work.made(index) == there.made(0)


def test_other_sounds_there_are_said(apart, plan, tones):
    first, second = sorted(tones.parent.glob("*.wav"))[:2]
    first.write_bytes(second.read_bytes())
    assert f"other sounds in '{tones.parent}'" in (apart.do(0, {}).failure or "")
    tones.parent.rename(tones.parent.with_name("elsewhere"))
    assert f"sees neither the decoded sounds nor '{tones.parent}'" in (apart.do(0, {}).failure or "")
