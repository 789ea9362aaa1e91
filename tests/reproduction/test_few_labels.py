"""Clips that are drawn, and the table by hand."""

import json

import numpy as np
import pytest

from cohear.runs.embedding import embed
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import configure
from made_encoders import write_encoder
from reproduction.few_labels import CASE, METHODS, N_DRAWS, PER_CLASS, configs, drawn, measure, measure_case, table
from reproduction.measuring import measure_missing


@pytest.fixture
def data(tones, tmp_path):
    chosen = {"encoder.file": str(write_encoder(tmp_path / "e.onnx")), "encoder.n_views": 2}
    return list_clips(tones, configure(chosen, "probe"), chosen).decode()


def test_so_many_clips_of_each_class_are_drawn_from_the_training_part_the_same_for_every_method(data):
    plans = [Plan(config, data, "end") for config in configs(data.listing.config, 1, 2).values()]
    rows = [drawn(plan, 2, draw=3) for plan in plans]
    assert all(np.array_equal(rows[0], other) for other in rows)
    assert np.bincount(data.targets[rows[0]]).tolist() == [2, 2, 2]
    assert set(rows[0]) <= set(plans[0].split.train)
    assert any(not np.array_equal(rows[0], drawn(plans[0], 2, draw)) for draw in range(3))


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_is_trained_on_what_was_drawn_and_judged_on_the_test_fold(data, tmp_path, method):
    plan = Plan(configs(data.listing.config, 1, 10)[method], data, "end")
    embed([plan])
    one, again = tmp_path / "one", tmp_path / "again"
    one.mkdir()
    again.mkdir()
    scores = measure(plan, drawn(plan, 2, 0), one)
    assert 0 <= scores["accuracy"] <= 1
    assert np.isfinite([*scores.values()]).all()
    assert scores == measure(plan, drawn(plan, 2, 0), again)


def test_what_is_measured_is_kept_and_not_measured_again(data, tmp_path):
    embed([Plan(its, data, "end") for its in configs(data.listing.config, 1, 1).values()])
    cases, out = [("none", 1, 1, 0), ("consistency", 1, 1, 0)], tmp_path / "few.json"

    def measured(cases, deadline_s=None):
        return measure_missing(measure_case, {case: (data, case, deadline_s) for case in cases}, CASE, out)

    assert measured(cases, deadline_s=0.0) == []
    (first,) = measured(cases[:1])
    assert (first["method"], first["n"], first["fold"], first["draw"]) == cases[0]
    first["accuracy"] = 0.5  # as it is not measured
    out.write_text(json.dumps([first]))
    both = measured(cases)
    assert both[0] == first
    assert [its["method"] for its in both] == ["none", "consistency"]
    assert json.loads(out.read_text()) == both


def test_means_and_errors_are_over_folds_of_means_over_draws():
    found = [
        {"method": method, "n": 5, "fold": fold, "draw": draw, "accuracy": base + 0.1 * fold + 0.02 * draw, "jsd": 0.01}
        for method, base in zip(METHODS, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)
        for fold in (1, 2)
        for draw in (0, 1)
    ]
    lines = table(found).splitlines()
    assert lines[0] == "| clips per class | 5 |"
    assert lines[2] == "| none | 26.0 ± 5.0 |"  # of 21 and 31
    assert lines[7] == "| consistency − bda | +10.0 ± 0.0 |"  # noqa: RUF001
    assert lines[-1] == "| JSD, nats: consistency | 0.010 |"
    assert (min(PER_CLASS), N_DRAWS) == (1, 5)
