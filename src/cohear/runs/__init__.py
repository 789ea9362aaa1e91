"""Configurations, plans, runs and grids of runs; `EXECUTORS` are who makes a grid's runs."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "EXECUTORS":  # late: it knows training
        from cohear.runs.grid import EXECUTORS

        return EXECUTORS
    raise AttributeError(name)
