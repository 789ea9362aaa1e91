"""That no step waits for a device: on one without data, whatever asks for a value fails.

The `meta` device knows shapes and no numbers. A step that a GPU could not take without waiting (a number read back, a
shape that depends on numbers, an operation across devices) cannot be taken there at all.
"""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch

from cohear import keys
from cohear.experiments.build import build_front_end, build_network, build_plan, build_transform
from cohear.experiments.config import Config
from cohear.experiments.presets import change, preset
from cohear.experiments.resident_clips import ResidentClips
from cohear.training.trainer import _Step
from cohear.transforms import ClipFacts
from cohear.transforms.cached_pitch_shift import ShiftedVersions
from cohear.views import ViewMaker, view_keys

META = torch.device("meta")
N_CLIPS, N_SAMPLES = 6, 22050


def settings(transform: str) -> Config:
    changes = {"views.transform": transform, "network.width": 1 / 16, "views.n_rooms": 4}
    return change(preset("small"), changes)


def take_a_step(config: Config, versions: ShiftedVersions | None = None) -> torch.Tensor:
    plan, rows = build_plan(config), np.array([4, 1, 0])
    clips = ResidentClips(
        torch.empty(N_CLIPS, N_SAMPLES, dtype=torch.int16, device=META), torch.empty(N_CLIPS, device=META)
    )
    front_end = build_front_end(config).to(META)
    view_maker = ViewMaker(build_transform(config, config.views.transform, versions), front_end)
    views = np.array(plan.items[0])[:, None].repeat(len(rows), 1)
    cell_keys = view_keys(0, 0, keys.fold_in(np.uint64(0), rows), views)
    facts = ClipFacts(rows, np.array([N_SAMPLES, 9000, N_SAMPLES]))
    module = _Step(build_network(config, 5).to(META), plan.objective)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    log_mels = view_maker.make(clips.read(rows), views, cell_keys, facts).log_mels
    losses = module(log_mels, torch.empty(len(rows), dtype=torch.int64, device=META), 1.0)
    losses.total.backward()
    optimizer.step()
    assert log_mels.shape[:2] == views.shape
    return losses.total


@pytest.fixture(autouse=True)
def _without_autocast(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_kwargs: nullcontext())  # it knows no meta device


@pytest.mark.parametrize("transform", ["pitch", "reverb", "masking", "combination"])
def test_no_step_asks_a_device_for_a_value(transform):
    assert take_a_step(settings(transform)).device == META


@pytest.mark.parametrize("n_kept", [0, 10])
def test_nor_does_one_that_reads_kept_versions(n_kept):
    versions = ShiftedVersions.on_device(N_CLIPS, 10, N_SAMPLES, META)
    versions.is_kept[:, :n_kept] = 1
    assert take_a_step(settings("combination"), versions).device == META


def test_what_would_wait_is_noticed():
    asking = (
        torch.Tensor.item,
        torch.Tensor.tolist,
        torch.nonzero,
        lambda x: x[x > 0],
        partial(torch.add, torch.ones(2)),
    )
    for ask in asking:
        with pytest.raises((RuntimeError, NotImplementedError)):
            ask(torch.empty(2, device=META))
