"""The estimate of a training step's memory against what real ones took, and what is said where it is too little."""

import os
import subprocess
import sys

import pytest
import torch

from cohear.errors import UserError
from cohear.experiments import memory
from cohear.experiments.build import n_listed_training_clips, prepare_data, read_folds
from cohear.experiments.config import Config
from cohear.experiments.memory import check_memory, explain_out_of_memory, training_bytes
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.runs import RunRequest, execute
from tiny import TINY

SIZES = [  # more of them in tests/faults
    ("paper", "training.batch_size=6"),
    (
        "paper",
        "training.batch_size=16",
        "data.clip_s=2",
        "training.precision=bf16",
        "method=none",
        "views.transform=none",
    ),
]

N_CLIPS = 1600
"""Enough for a whole batch."""


def settings(name: str, *texts: str) -> Config:
    return change(preset(name), dict(parse_override(text) for text in (*texts, "views.n_rooms=4")))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=" ".join)
def test_the_estimate_is_seven_tenths_to_all_of_what_a_real_step_takes(size):
    tests = os.path.dirname(os.path.dirname(__file__))
    environment = {**os.environ, "PYTHONPATH": tests, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "experiments.step_memory", *size]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    config = settings(*size)
    estimate, measured = training_bytes(config, config.data.clip_s or 5.0, 10), int(done.stdout.split()[-1])
    assert measured > 4e8
    assert 0.7 < estimate / measured < 1.05, (estimate, measured)


def test_weights_are_counted_as_they_are():
    # 4.71 million at 50 classes, as the paper has it: 16 bytes each, and nothing else in a batch without signals
    config = settings("paper", "training.batch_size=3", "data.clip_s=0.22", "front_end.n_mels=16")
    of_two, of_four = (training_bytes(change(config, {"training.batch_size": n}), 0.22, 50) for n in (3, 6))
    assert 2 * of_two - of_four == pytest.approx(16 * 4.71e6, rel=2e-3)


def test_a_batch_of_several_processes_is_shared(monkeypatch):
    config = settings("paper", "method=none", "views.transform=none")
    alone = training_bytes(config, 5.0, 50)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert training_bytes(config, 5.0, 50) == pytest.approx(alone / 2, rel=0.01)


def test_what_cannot_fit_is_refused_with_the_settings_that_decide(monkeypatch):
    config = settings("paper")
    needed = training_bytes(config, 5.0, 50)
    monkeypatch.setattr(memory, "free_bytes", lambda: needed)
    check_memory([(config, N_CLIPS)], 5.0, 50)
    monkeypatch.setattr(memory, "free_bytes", lambda: needed - 1)
    with pytest.raises(UserError) as refused:
        check_memory([(config, N_CLIPS)], 5.0, 50)
    sentence = str(refused.value)
    assert sentence.startswith(
        f"training needs about {needed / 1e9:.1f} GB of memory, and {needed / 1e9:.1f} GB are free"
    )
    for setting in ("batch_size (now 120)", "clip_s (now 5)", "width (now 1)", "precision=bf16 (now float32)"):
        assert setting in sentence


def test_runs_side_by_side_need_the_sum(monkeypatch):
    large, small = settings("paper"), settings("paper", "training.batch_size=30")
    needs = [training_bytes(config, 5.0, 50) for config in (large, small)]
    monkeypatch.setattr(memory, "free_bytes", lambda: sum(needs))
    check_memory([(config, N_CLIPS) for config in (small, large, small)], 5.0, 50, n_jobs=2)
    with pytest.raises(UserError, match=r"^3 runs side by side need .* use fewer --jobs \(now 8\), or make training"):
        check_memory([(config, N_CLIPS) for config in (small, large, small)], 5.0, 50, n_jobs=8)


def test_where_nothing_is_known_of_free_memory_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    check_memory([(settings("paper", "training.batch_size=1000000"), N_CLIPS)], 5.0, 50)


def tiny_request(tones, **changes) -> RunRequest:
    return RunRequest(tones, change(settings("small", *TINY), changes), track="end")


def test_a_run_is_refused_before_it_has_a_folder_and_a_finished_one_is_not(tones, tmp_path, monkeypatch):
    request = tiny_request(tones)
    data = prepare_data(tones, request.config)
    assert execute(request, data, tmp_path / "finished")
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    assert not execute(request, data, tmp_path / "finished")
    with pytest.raises(UserError, match=r"training needs about 0\.0 GB"):
        execute(request, data, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("place", "culprits", "others"),
    [
        ("cohear.training.trainer._forward", "in a training step: make training.batch_size (now 6)", ()),
        ("cohear.experiments.runs.answer", "while clips were measured: make data.clip_s (now 0.6)", ("batch_size",)),
        (
            "cohear.experiments.finishing.answer",
            "while clips were measured: make data.clip_s (now 0.6)",
            ("batch_size",),
        ),
    ],
)
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError("can't allocate memory: 8")]
)
def test_an_allocation_error_says_what_to_change(tones, tmp_path, monkeypatch, place, culprits, others, error):
    request = tiny_request(tones)

    def fail(*_arguments, **_options):
        raise error

    data = prepare_data(tones, request.config)
    monkeypatch.setattr(place, fail)
    with pytest.raises(UserError) as refused:
        execute(request, data, tmp_path / "run")
    sentence = str(refused.value)
    for words in (culprits, "network.width (now 0.0625)", "training.precision=bf16", "what was saved before is still"):
        assert words in sentence
    assert not any(words in sentence for words in others)


def test_other_errors_keep_their_own_words():
    with pytest.raises(RuntimeError, match="shapes differ"), explain_out_of_memory(settings("small"), 5.0):
        raise RuntimeError("shapes differ")


@pytest.mark.parametrize("changes", [{}, {"data.validation_share": 0.3}, {"fold": "all"}])
def test_clips_are_counted_before_decoding_as_they_are_afterwards(tones, changes):
    config = tiny_request(tones, **changes).config
    listed = n_listed_training_clips(read_folds(tones, config), config)
    assert listed == len(prepare_data(tones, config).split(config).train) > 0
