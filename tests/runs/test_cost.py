"""What a run is estimated to cost against what a real one takes, and what is said where memory is too little."""

import dataclasses
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from cohear.data.kept_log_mels import KeptLogMels
from cohear.errors import UserError
from cohear.runs import cost
from cohear.runs.cost import check_memory, estimate_s, explain_out_of_memory, needed_bytes, usual_jobs
from cohear.runs.execution import execute
from cohear.runs.plan import Plan
from cohear.runs.step_cost import StepCost
from cohear.runtime.files import cache_folder
from cohear.runtime.interrupts import Interrupted
from runs.made_runs import NONE, ONE_EPOCH, make_plan, make_run
from tiny import tiny_config

LARGER = {"front_end.hop_length": 40, "front_end.n_mels": 64, "training.batch_size": 24, **ONE_EPOCH}
"""So that a step takes much more than what is beside it."""


_SIZES = [field.name for field in dataclasses.fields(StepCost) if field.name.endswith("_bytes")]


def most_bytes(plan: Plan) -> int:
    """The most that a run of the plan holds at once, by torch's own account of what it allocates."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        execute(plan)
    assert profiled.profiler is not None
    events = [e for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "changes",
    [
        {**NONE, "network.width": 0.25},  # a batch of a measurement is the most of it
        {"network.width": 0.25, "training.precision": "bf16"},
        {"network.name": "timm:resnet10t"},  # weights are the most of it
    ],
)
def test_the_estimate_of_any_network_is_near_what_a_real_run_takes(tones, tmp_path, changes):
    plan = make_plan(tones, tmp_path / "run", {**LARGER, **changes})
    assert 0.65 < needed_bytes(plan) / most_bytes(plan) < 1.25  # what convolutions take differs by processor


def test_a_longer_run_takes_longer_and_the_rest_is_arithmetic(tones):
    once, twice = (make_plan(tones, changes={"training.epochs": n}, track="end") for n in (1, 2))
    watched = make_plan(tones, changes={"training.epochs": 2}, track="every")
    alone = make_plan(tones, changes={"training.epochs": 2, **NONE})
    one_s, two_s, watched_s, alone_s = (estimate_s([plan])[0] for plan in (once, twice, watched, alone))
    assert 0 < one_s < two_s < watched_s
    assert alone_s < two_s


def test_what_is_behind_a_run_is_not_counted_again(tones, tmp_path):
    plan = make_plan(tones, tmp_path / "run", {"training.epochs": 8, **NONE}, track="every")
    whole_s = estimate_s([plan])[0]
    with pytest.raises(Interrupted):
        execute(plan, on_step=lambda done, total: 4 * done >= 3 * total and signal.raise_signal(signal.SIGINT))
    assert estimate_s([plan])[0] < whole_s / 2


def test_spectrograms_are_counted_once_where_they_are_kept_and_each_time_where_not(tones, tmp_path, monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path))
    a_second_each = StepCost(0, 0, kept_view_s=1, live_view_s=0, live_share=0, **dict.fromkeys(_SIZES, 0))
    monkeypatch.setattr(cost, "measure_step", lambda *_: a_second_each)
    n_made = 0
    write = KeptLogMels.write

    def count(kept: KeptLogMels, rows, outcomes, made) -> None:
        nonlocal n_made
        n_made += np.count_nonzero(outcomes)
        write(kept, rows, outcomes, made)

    monkeypatch.setattr(KeptLogMels, "write", count)
    changes = {"views.transform": "pitch", "views.kept": True, "training.epochs": 8}
    plans = [make_plan(tones, tmp_path / f"{fold}", {**changes, "fold": fold}) for fold in (1, 2)]
    first_s, second_s = estimate_s(plans)
    execute(plans[0])
    assert first_s == pytest.approx(n_made, rel=0.07)  # which shifts are drawn is chance
    assert second_s < first_s / 4  # most of what it wants the first one makes
    shutil.rmtree(plans[0].folder)
    assert estimate_s(plans)[0] < first_s / 2
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    shutil.rmtree(cache_folder() / "log_mels")
    split = plans[0].split
    n_fixed = 2 * (len(plans[0].data.store) + len(split.validation) + len(split.test))  # its own recipe and the common
    n_changed = 8 * 2 * len(split.train) + n_fixed
    assert estimate_s(plans)[0] == pytest.approx(n_changed)


def test_what_cannot_fit_is_refused_with_the_settings_that_decide(tones, tmp_path, monkeypatch):
    plan, larger = make_plan(tones, tmp_path / "a"), make_plan(tones, tmp_path / "b", {"network.width": 0.5})
    needs = [needed_bytes(one) for one in (plan, larger)]
    assert needs[0] < needs[1]
    monkeypatch.setattr(cost, "free_bytes", lambda: sum(needs))
    check_memory([plan, larger, plan], n_jobs=2)
    with pytest.raises(UserError, match=r"3 runs side by side .*--jobs"):
        check_memory([plan, larger, plan], n_jobs=8)
    monkeypatch.setattr(cost, "n_cores", lambda: 3)
    assert [usual_jobs(plans) for plans in ([plan, larger, plan], [larger, larger], [plan])] == [2, 1, 1]
    monkeypatch.setattr(cost, "free_bytes", lambda: 1000)
    with pytest.raises(UserError) as refused:
        check_memory([plan])
    for setting in ("training.batch_size (now 6)", "data.clip_s (now 0.6)", "network.width", "training.precision=bf16"):
        assert setting in str(refused.value)
    assert not plan.folder.exists()
    monkeypatch.setattr(cost, "free_bytes", lambda: None)  # nothing is known, nothing is refused
    check_memory([larger] * 9, n_jobs=9)


def test_log_mels_that_measurements_keep_are_counted_up_to_a_size_of_each_part(tones, monkeypatch):
    plans = [make_plan(tones, changes={**NONE, "training.epochs": 2}, track=track) for track in ("end", "every")]
    plans.append(make_plan(tones, changes={"training.epochs": 2, "views.transform": "pitch"}, track="every"))
    with_kept = [needed_bytes(plan) for plan in plans]
    monkeypatch.setattr(cost, "CACHE_BYTES", 0)
    kept = [before - needed_bytes(plan) for before, plan in zip(with_kept, plans, strict=True)]
    log_mel = 4 * 16 * (4800 // 200 + 1)  # bands and frames of a view
    assert kept[1:] == [3 * 18 * log_mel, 3 * (18 + 9) * log_mel]  # the second is tested with two kinds of views
    assert kept[0] <= kept[1]


def test_what_to_make_smaller_is_what_the_network_looks_at(tones, monkeypatch):
    monkeypatch.setattr(cost, "free_bytes", lambda: 1000)
    with pytest.raises(UserError, match=r"network\.name \(now timm:resnet10t\)") as refused:
        check_memory([make_plan(tones, changes={"network.name": "timm:resnet10t"})])
    assert "network.width" not in str(refused.value)


def test_a_finished_run_is_not_refused_for_memory(tones, tmp_path, monkeypatch):
    make_run(tones, tmp_path, ONE_EPOCH)
    monkeypatch.setattr(cost, "free_bytes", lambda: 1000)
    assert make_run(tones, tmp_path, ONE_EPOCH).is_finished


@pytest.mark.parametrize(
    ("place", "culprit"),
    [("cohear.training.trainer._forward", "training.batch_size"), ("cohear.runs.execution.answer", "data.clip_s")],
)
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_an_allocation_error_says_what_to_change(tones, tmp_path, monkeypatch, place, culprit, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(place, fail)
    with pytest.raises(UserError, match=rf"make {culprit}.*network\.width.*what was saved before is still"):
        make_run(tones, tmp_path)


def test_other_errors_keep_their_own_words():
    with pytest.raises(RuntimeError, match="shapes differ"), explain_out_of_memory(tiny_config()):
        raise RuntimeError("shapes differ")
