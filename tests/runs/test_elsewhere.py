"""Runs on machines that do not see where they belong: made in another folder from the sounds, and brought back."""

import pickle
import shutil
import signal
from dataclasses import replace

import pytest

from cohear.runs.elsewhere import Task, put_files, take_files
from cohear.runs.grid import Training, is_done, nothing, run_grid
from cohear.runs.run import Run
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
    with Task.of(Training([plan], nothing), None) as given:
        sent = pickle.dumps(given)
        plan.folder.parent.rename(tmp_path / "not mounted")
        monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "its cache"))
        for file in plan.data.store.rows.files:
            shutil.rmtree(file.path.parent)
        yield pickle.loads(sent)
        shutil.copytree(tmp_path / "not mounted", plan.folder.parent, dirs_exist_ok=True)


def test_what_is_brought_back_is_the_run(apart, plan, tones, tmp_path):
    outcome = apart.do(0, {})
    assert (outcome.is_done, outcome.failure) == (True, None)
    assert not plan.folder.parent.exists()
    put_files(Training([plan], nothing), 0, outcome.files)
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
    put_files(work, 0, outcome.files)
    assert 0 < work.share(0) < 1
    assert take_files(work, 0) == outcome.files
    ended = apart.do(0, outcome.files)
    put_files(work, 0, ended.files)
    assert is_done(plan)
    assert take_files(work, 0) == ended.files
    assert outcome.files.keys() - ended.files.keys(), "its checkpoint is another"


def test_other_sounds_there_are_said(apart, plan, tones):
    first, second = sorted(tones.parent.glob("*.wav"))[:2]
    first.write_bytes(second.read_bytes())
    assert f"other sounds in '{tones.parent}'" in (apart.do(0, {}).failure or "")
    tones.parent.rename(tones.parent.with_name("elsewhere"))
    assert f"sees neither the decoded sounds nor '{tones.parent}'" in (apart.do(0, {}).failure or "")
