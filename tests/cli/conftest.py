"""The command line in this process, on one thread, and a finished run to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from cohear.cli import run
from cohear.reports import run_report
from tiny import OPTIONS


@dataclass(frozen=True)
class Said:
    """What a command left behind on the screen."""

    status: int
    out: str
    err: str

    def refuses(self, *culprits: str) -> bool:
        """Whether it was one sentence on stderr that names all culprits, status 2 and no traceback."""
        *before, sentence = self.err.splitlines()
        assert self.status == 2, self
        assert sentence.startswith("cohear: "), self
        assert not any(line.startswith(("cohear: ", "Traceback")) for line in before), self
        assert self.out == "", self
        assert all(culprit in sentence for culprit in culprits), self
        return True


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """All commands."""


@pytest.fixture
def drawn() -> None:
    """Asks for real reports, with all their pictures."""


@pytest.fixture(autouse=True)
def _reports_without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests of everything else quick: a report takes four times as long to draw as its tiny run to train."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(run_report, "write_run_report", lambda folder, _: write_page(folder / "report.html"))


def write_page(path: Path) -> Path:
    path.write_text("a report")
    return path


@pytest.fixture
def cohear(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command as `cohear("train", ...)`."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Said(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def trained(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        torch.set_num_threads(1)
        assert run(["train", str(tones), *OPTIONS, "--track", "end", "--out", str(folder)]) == 0
    return folder
