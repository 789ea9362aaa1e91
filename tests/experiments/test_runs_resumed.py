"""Where a run goes on: what is said of it, and that a checkpoint of another run is none of its own."""

import shutil

import pytest

from cohear.cli import run as run_command
from cohear.reports import run_report
from cohear.runtime.interrupts import Interrupted
from cohear.training.checkpoint_files import checkpoint_paths
from experiments.test_runs import run, stop_after
from tiny import OPTIONS

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_checkpoint_of_another_run_is_refused_aloud_and_the_run_goes_on_from_its_own(tones, tmp_path, caplog):
    unbroken = run(tones, tmp_path / "unbroken")
    for name, seed, n_steps in (("mine", 0, 2), ("theirs", 1, 4)):
        with pytest.raises(Interrupted):
            run(tones, tmp_path / name, f"seed={seed}", on_step=stop_after(n_steps))
    (theirs,) = checkpoint_paths(tmp_path / "theirs")
    foreign = shutil.copy(theirs, tmp_path / "mine" / "checkpoint")
    with caplog.at_level("INFO", "cohear"):
        mine = run(tones, tmp_path / "mine", resume=True)
    warning = (
        f"the checkpoint '{foreign}' cannot be used (it is of another run); the one before is used, and it is kept as "
    )
    warning += f"'{theirs.name}.refused'"
    assert [r.levelname for r in caplog.records if r.getMessage() == warning] == ["WARNING"]
    assert caplog.messages.count("going on from epoch 0, step 2") == 1
    assert mine == unbroken
    assert {path.name for path in (tmp_path / "mine" / "checkpoint").iterdir()} == {
        f"{theirs.name}.refused",
        *(path.name for path in checkpoint_paths(tmp_path / "unbroken")),
    }


@pytest.mark.slow
def test_a_resumed_command_says_where_it_goes_on(tones, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run_report, "write_run_report", lambda folder, _: folder / "report.html")
    with pytest.raises(Interrupted):
        run(tones, tmp_path / "run", on_step=stop_after(7))
    command = ["train", str(tones), *OPTIONS, "--track", "end", "--out", str(tmp_path / "run"), "--resume"]
    assert run_command(command) == 0
    said = capsys.readouterr().err.splitlines()
    assert said.count("going on from epoch 1, step 2") == 1
