import pytest

import reproduction.grid
import run_folders_made


@pytest.fixture(autouse=True)
def _small_folds(monkeypatch):
    monkeypatch.setattr(reproduction.grid, "CLIPS_OF_A_FOLD", 20)


@pytest.fixture
def write_run():
    return run_folders_made.write_run


@pytest.fixture
def write_grid():
    return run_folders_made.write_grid
