import pytest

import run_folders_made


@pytest.fixture
def write_run():
    return run_folders_made.write_run
