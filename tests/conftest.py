"""A cache that is thrown away, and a tiny data set."""

from pathlib import Path

import pytest

from tiny import write_tones


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set: 3 classes, 2 folds, 18 clips."""
    return write_tones(tmp_path_factory.mktemp("tones"))
