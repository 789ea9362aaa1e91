"""The command line in this process, on one thread, and a finished run to look at."""

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cohear import api
from cohear.cli import run
from tiny import OPTIONS, SAMPLE_RATE


@dataclass(frozen=True)
class Said:
    """What a command left behind on the screen."""

    status: int
    out: str
    err: str

    def refuses(self, *culprits: object) -> bool:
        """Whether it was one sentence on stderr that names all culprits, status 2 and no traceback."""
        *before, sentence = self.err.splitlines()
        assert self.status == 2, self
        assert sentence.startswith("cohear: "), self
        assert not any(line.startswith(("cohear: ", "Traceback")) for line in before), self
        assert self.out == "", self
        assert all(str(culprit) in sentence for culprit in culprits), self
        return True

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table that it printed."""
        return list(csv.DictReader(io.StringIO(self.out)))

    @property
    def flat(self) -> str:
        """What it printed, without line breaks."""
        return " ".join(self.out.split())


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
        monkeypatch.setattr(api, "write_run_report", lambda run, _: run.report.write_text("a report"))


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


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that may be spoiled."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def spoilable(tones: Path, tmp_path: Path) -> Path:
    """The table of a copy of the tones that may be spoiled."""
    return Path(shutil.copytree(tones.parent, tmp_path / "sounds")) / tones.name


def noise(seed: int = 0, duration_s: float = 0.6) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(duration_s * SAMPLE_RATE))


def write_folder(folder: Path, **n_clips: int) -> Path:
    """Write a folder of classes with so many clips each."""
    for label, n in n_clips.items():
        (folder / label).mkdir(parents=True)
        for index in range(n):
            soundfile.write(folder / label / f"{index}.wav", noise(index), SAMPLE_RATE, subtype="PCM_16")
    return folder
