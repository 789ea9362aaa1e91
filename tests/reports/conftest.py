import pytest

import run_folders_made
from cohear.reports import plots

_DRAWN = (
    *("training_curves", "tracked_curves", "figure_1", "accuracy_by_model", "confusion_picture"),
    *("reliability_diagram", "corruption_panels", "agreement_panels"),
)


@pytest.fixture
def write_run():
    return run_folders_made.write_run


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take a second each; what they are given is kept."""
    given = {}

    def leave_undrawn(name):
        monkeypatch.setattr(plots, name, lambda its, *_: (given.setdefault(name, its), b"<svg/>")[1])

    for name in _DRAWN:
        leave_undrawn(name)
    return given
