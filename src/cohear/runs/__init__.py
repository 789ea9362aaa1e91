"""Experiments: configurations, the paper's models, runs and grids of runs."""
