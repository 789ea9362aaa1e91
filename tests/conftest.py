"""A cache that is thrown away, and a tiny data set."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny import write_tones

if hasattr(signal, "SIGHUP"):  # under `nohup` it is ignored, and so it would be by the commands under test
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, as equal bytes are those of one number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def esc50() -> Path:
    """The real ESC-50, or its ESC-10 part, laid out as released, where COHEAR_ESC50 says; else a skip."""
    folder = os.environ.get("COHEAR_ESC50")
    if not folder or not (Path(folder) / "meta" / "esc50.csv").exists():
        pytest.skip("COHEAR_ESC50 names no ESC-50")
    return Path(folder)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set: 3 classes, 2 folds, 18 clips."""
    return write_tones(tmp_path_factory.mktemp("tones"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave whole commands and the page to the slow tests: each of theirs is quick, and together they take a minute."""
    for item in items:
        if item.path.parent.name in ("cli", "app"):
            item.add_marker(pytest.mark.slow)
