"""That no step waits for a device, on one without data: whatever asks for a value there fails.

The `meta` device knows shapes and no numbers. A step that a GPU could not take without waiting, since it reads a number
back or makes a shape that depends on numbers, cannot be taken there at all. And numbers of the host reach it by
`on_device` alone, the one way that does not wait.
"""

import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.utils._python_dispatch import TorchDispatchMode

from cohear import keys
from cohear.objectives import BERNOULLI, CATEGORICAL, ClassificationObjective, ConsistencyObjective
from cohear.runs.build import ResidentClips, build_front_end, build_network, build_schedule, build_transform
from cohear.runs.config import Config
from cohear.runs.presets import change, small
from cohear.tensors import on_device
from cohear.training.averaging import WeightAverage
from cohear.training.batches import Batch
from cohear.training.inputs import TrainingClips
from cohear.training.nonfinite import FiniteSteps, summands
from cohear.training.trainer import _forward, _Step
from cohear.transforms import ClipFacts
from cohear.views import ViewMaker

META = torch.device("meta")
N_CLIPS, N_SAMPLES = 6, 22050


class NoWaiting(TorchDispatchMode):
    """Refuse operations that bring numbers of the host to the device, but for those of `on_device`."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [arg for arg in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(arg, torch.Tensor)]
        if {tensor.device.type for tensor in [*tensors, result] if isinstance(tensor, torch.Tensor)} == {"cpu", "meta"}:
            frame = sys._getframe()
            while frame is not None and frame.f_code is not on_device.__code__:
                frame = frame.f_back
            assert frame is not None, f"{func} brings numbers of the host to the device"
        return result


class FabricWithoutData(Fabric):
    @property
    def device(self) -> torch.device:
        return META


def settings(transform: str) -> Config:
    changes = {"views.transform": transform, "network.width": 1 / 16}
    return change(small(), changes)


def take_steps(
    config: Config,
    objective: ClassificationObjective | None = None,
    targets: np.ndarray = np.arange(N_CLIPS) % 5,  # noqa: B008
    drops_nonfinite: bool = False,
) -> torch.Tensor:
    """Take a step that brings windows, filters and rooms to the device, and one as all that follow."""
    plan = build_schedule(config)
    resident = ResidentClips(
        torch.empty(N_CLIPS, N_SAMPLES, dtype=torch.int16, device=META), torch.empty(N_CLIPS, device=META)
    )
    lengths = np.array([N_SAMPLES, 9000, N_SAMPLES, 9000, N_SAMPLES, N_SAMPLES])
    clip_keys = keys.fold_in(np.uint64(0), np.arange(N_CLIPS))
    facts = ClipFacts(np.arange(N_CLIPS), lengths)
    clips = TrainingClips(resident.read, targets, clip_keys, facts, [f"clip {row}" for row in range(N_CLIPS)], 5)
    front_end = build_front_end(config).to(META)
    view_maker = ViewMaker(build_transform(config), front_end)
    module = _Step(build_network(config, 5).to(META), objective or plan.objective)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    fabric = FabricWithoutData(accelerator="cpu", devices=1)
    finite_steps, average = FiniteSteps(module, optimizer, drops_nonfinite, fabric), WeightAverage(module, 3)
    batch = Batch(np.array([4, 1, 0]), np.array(plan.items.views[0])[:, None].repeat(3, 1))

    def step(epoch: int) -> torch.Tensor:
        finite_steps.before_forward()
        losses, share = _forward(module, view_maker, clips, 0, epoch, batch, 1.0, fabric)
        losses.total.backward()
        bad = finite_steps.judge(losses)
        vars(optimizer).pop("found_inf", None)  # the fused optimizer reads it, and knows no meta device
        optimizer.step()
        average.update(epoch, bad)
        return summands(losses, bad, share, len(batch.clips))

    step(0)
    with NoWaiting():
        return step(0)


@pytest.fixture(autouse=True)
def _without_autocast(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_kwargs: nullcontext())  # it knows no meta device


@pytest.mark.parametrize("transform", ["pitch", "reverb", "masking", "combination", "noise+pitch,reverb+masking"])
def test_no_step_asks_a_device_for_a_value(transform):
    assert take_steps(settings(transform)).device == META


def test_nor_does_one_that_may_be_dropped():
    assert take_steps(settings("masking"), drops_nonfinite=True).device == META


@pytest.mark.parametrize(("likelihood", "targets"), [
    (CATEGORICAL, np.arange(N_CLIPS) % 5), (BERNOULLI, np.eye(N_CLIPS, 5, dtype=np.float32)),
])  # fmt: skip
def test_nor_does_one_with_class_weights(likelihood, targets):
    objective = ConsistencyObjective(likelihood=likelihood, class_weights=(1.0, 2.0, 3.0, 4.0, 5.0))
    assert take_steps(settings("masking"), objective=objective, targets=targets).device == META


def _ask_for_another_device(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(2) + x


def _ask_for_chosen_values(x: torch.Tensor) -> torch.Tensor:
    return x[x > 0]


@pytest.mark.parametrize(
    "ask", [torch.Tensor.item, torch.Tensor.tolist, torch.nonzero, _ask_for_chosen_values, _ask_for_another_device]
)
def test_what_would_wait_for_the_device_is_noticed(ask):
    with pytest.raises((RuntimeError, NotImplementedError)):
        ask(torch.empty(2, device=META))


def test_what_would_wait_for_the_host_is_noticed():
    with NoWaiting():
        on_device(np.ones(2), META)
        with pytest.raises(AssertionError, match="brings numbers of the host"):
            torch.ones(2).to(META)
        with pytest.raises(AssertionError, match="brings numbers of the host"):
            torch.empty(3, device=META)[torch.tensor([0, 1])]
