"""What only a GPU can show; on other machines these are skipped."""

import json

import jaxtyping
import numpy as np
import pytest
import torch

from cohear import keys
from cohear.metrics.tasks import SINGLE_LABEL
from cohear.runs.build import ResidentClips, _resident, build_front_end, build_network, build_schedule, build_transform
from cohear.runs.config import Config, parse_override
from cohear.runs.execution import execute
from cohear.runs.plan import Plan, list_clips
from cohear.runs.presets import change
from cohear.runtime.devices import make_fabric
from cohear.tensors import on_device
from cohear.training.inputs import TrainingClips, Watch
from cohear.training.trainer import train
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker, view_keys
from tiny import open_store, tiny_config

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.fixture(autouse=True)
def _without_checks_of_annotations(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # they cannot be compiled


def settings(*texts: str) -> Config:
    return tiny_config(dict(map(parse_override, texts)))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_run_finishes_and_the_next_one_finds_its_program(tones, tmp_path, precision):
    config = settings(f"training.precision={precision}")
    prepared = list_clips(tones, config, {"data.sample_rate"}).decode()
    n_programs = []
    for seed in (0, 1):  # the second one finds program and clips in place
        assert execute(Plan(change(config, {"seed": seed}), prepared, "every", out=tmp_path / str(seed)))[1]
        n_programs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert n_programs[0] == n_programs[1] > 0
    assert _resident.cache_info().hits > 0
    for seed in (0, 1):
        history = [json.loads(line) for line in (tmp_path / str(seed) / "history.jsonl").read_text().splitlines()]
        assert np.isfinite(history[-1]["loss"])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("transform", ["pitch", "reverb", "masking", "combination"])
def test_no_step_waits_for_the_device(tones, tmp_path, transform, precision):
    config = settings(f"views.transform={transform}", "training.epochs=3")
    fabric, store = make_fabric(precision), open_store(tones, config)
    rows = np.arange(12)
    clips = TrainingClips(
        ResidentClips.of(store, fabric.device).read,
        SINGLE_LABEL.encode(store.label_sets, store.classes)[rows],
        store.clip_keys[rows],
        ClipFacts(rows, store.sound_lengths[rows]),
        [store.clips[row].id for row in rows],
        len(store.classes),
    )
    view_maker = ViewMaker(build_transform(config), build_front_end(config))
    network = build_network(config, 3)
    network.compile_features()

    def on_step(done: int, _total: int) -> None:
        # The first epoch compiles, and brings windows, filters and rooms; later ones may wait only where they end.
        torch.cuda.set_sync_debug_mode("error" if done > 6 and done % 6 else "default")

    watch = Watch(measure=lambda *_: {}, on_step=on_step)
    try:
        history = train(network, view_maker, clips, build_schedule(config), tmp_path, fabric, watch, identity="a run")
        assert len(history) == 3
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_numbers_arrive_unchanged_without_waiting():
    numbers = np.arange(100_000)
    torch.cuda.set_sync_debug_mode("error")
    try:
        arrived = [on_device(numbers + n, torch.device("cuda")) for n in range(20)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for n, tensor in enumerate(arrived):
        np.testing.assert_array_equal(tensor.cpu().numpy(), numbers + n)


@pytest.mark.parametrize("transform", ["pitch", "reverb", "masking", "combination"])
def test_views_are_those_of_the_cpu(tones, transform):
    config = settings(f"views.transform={transform}")
    store = open_store(tones, config)
    rows, views = np.arange(6), np.arange(3)[:, None].repeat(6, 1)
    cell_keys, facts = view_keys(0, 0, keys.fold_in(np.uint64(0), rows), views), ClipFacts(rows)
    made = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        view_maker = ViewMaker(build_transform(config), build_front_end(config).to(device))
        made.append(view_maker.make(ResidentClips.of(store, device).read(rows), views, cell_keys, facts))
    torch.testing.assert_close(made[1].waveforms.cpu(), made[0].waveforms, atol=1e-5, rtol=0)
    torch.testing.assert_close(made[1].inputs.cpu(), made[0].inputs, atol=0.05, rtol=0)  # dB
