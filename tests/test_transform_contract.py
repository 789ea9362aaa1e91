"""What every transform promises, seen on every transform."""

import dataclasses
import json
import random
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from cohear import keys
from cohear.transforms import Chain, Choose, PitchShift, Transform
from every_transform import TRANSFORMS

N_CLIPS = 6


@pytest.fixture(params=TRANSFORMS.values(), ids=TRANSFORMS.keys())
def transform(request: pytest.FixtureRequest) -> Transform[Any]:
    return request.param


@pytest.fixture
def some_keys() -> np.ndarray:
    return keys.fold_in(keys.key(0, "views"), np.arange(N_CLIPS))


def batch_for(transform: Transform[Any], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if transform.domain == "waveform":
        return (0.1 * torch.randn(N_CLIPS, 4_000, generator=generator, dtype=torch.float64)).to(dtype)
    return (10 * torch.randn(N_CLIPS, 32, 40, generator=generator, dtype=torch.float64) - 40).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_shape_and_dtype_are_kept_and_the_result_is_finite(transform, some_keys, dtype: torch.dtype):
    batch = batch_for(transform, dtype)
    changed = transform.apply(batch, transform.draw(some_keys))
    assert changed.shape == batch.shape
    assert changed.dtype == dtype
    assert changed.isfinite().all()
    assert not torch.equal(changed, batch)


def test_half_precision_is_computed_in_single_precision(transform, some_keys):
    batch = batch_for(transform, torch.bfloat16)
    parameters = transform.draw(some_keys)
    expected = transform.apply(batch.float(), parameters)
    # bfloat16 has 8 bits; a chain rounds once more per member, and what follows sees what was rounded.
    error = (transform.apply(batch, parameters).float() - expected).abs().max()
    assert error < 0.02 * expected.abs().max()


def test_autocast_changes_nothing(transform, some_keys):
    batch, parameters = batch_for(transform), transform.draw(some_keys)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = transform.apply(batch, parameters)
    assert torch.equal(under_autocast, transform.apply(batch, parameters))


def test_what_was_first_used_in_inference_mode_can_be_trained_through(transform, some_keys):
    parameters = transform.draw(some_keys)
    with torch.inference_mode():
        transform.apply(batch_for(transform), parameters)
    batch = batch_for(transform).requires_grad_()
    transform.apply(batch, parameters).sum().backward()
    assert batch.grad is not None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_a_cpu_gives_also_in_the_gradient(transform, some_keys):
    parameters = transform.draw(some_keys)
    results = []
    for device in ("cpu", "cuda"):
        batch = batch_for(transform).to(device).requires_grad_()
        changed = transform.apply(batch, parameters)
        (gradient,) = torch.autograd.grad(changed.square().sum(), batch)
        results.append((changed.detach().cpu(), gradient.cpu()))
    for on_cpu, on_gpu in zip(*results, strict=True):
        # A peak that rounding moves to its neighbor turns otherwise: few, and small.
        assert (on_gpu - on_cpu).norm() < 1e-2 * on_cpu.norm()


def test_the_input_is_not_modified(transform, some_keys):
    batch = batch_for(transform)
    before = batch.clone()
    transform.apply(batch, transform.draw(some_keys)).add_(1.0)
    assert torch.equal(batch, before)


def test_equal_keys_draw_equal_parameters_and_other_keys_others(transform, some_keys):
    drawn = transform.draw(some_keys).to_json()
    assert transform.draw(some_keys.copy()).to_json() == drawn
    assert transform.draw(keys.fold_in(some_keys, 1)).to_json() != drawn


def test_equal_parameters_give_equal_results(transform, some_keys):
    batch, parameters = batch_for(transform), transform.draw(some_keys)
    assert torch.equal(transform.apply(batch, parameters), transform.apply(batch, parameters))


def test_a_batch_equals_its_clips_one_by_one_in_any_order(transform, some_keys):
    batch, parameters = batch_for(transform), transform.draw(some_keys)
    together = transform.apply(batch, parameters)
    # The mean of a spectrogram may be summed by more threads where it is alone; waveforms are computed one by one.
    tolerance = 0.0 if transform.domain == "waveform" else 1e-6 * float(batch.abs().max())
    for clip in range(N_CLIPS):
        alone = transform.apply(batch[clip : clip + 1], transform.draw(some_keys[clip : clip + 1]))
        assert (alone[0] - together[clip]).abs().max() <= tolerance
    order = np.array([4, 0, 5, 2])
    shuffled = transform.apply(batch[order], transform.draw(some_keys[order]))
    assert (shuffled - together[order]).abs().max() <= tolerance
    taken = transform.apply(batch[order], parameters.take(order))
    assert torch.equal(taken, shuffled)


def test_silence_stays_silent_also_in_its_gradient(transform, some_keys):
    batch = torch.zeros_like(batch_for(transform)).requires_grad_()
    parameters = transform.draw(some_keys)
    changed = transform.apply(batch, parameters)
    if getattr(transform, "fill", "mean") == "mean":
        assert not changed.any()
    (gradient,) = torch.autograd.grad(changed.sum() + changed.square().sum(), batch)
    assert gradient.isfinite().all()


def test_gradients_are_finite_and_reach_every_clip(transform, some_keys):
    batch = batch_for(transform).requires_grad_()
    changed = transform.apply(batch, transform.draw(some_keys))
    (gradient,) = torch.autograd.grad(changed.square().sum(), batch)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(dim=1).all()


def test_parameters_survive_json_exactly(transform, some_keys):
    parameters = transform.draw(some_keys)
    read = type(parameters).from_json(json.loads(json.dumps(parameters.to_json())))
    assert len(read) == N_CLIPS
    assert read.to_json() == parameters.to_json()
    assert read.describe() == parameters.describe()
    batch = batch_for(transform)
    assert torch.equal(transform.apply(batch, read), transform.apply(batch, parameters))


def test_parameters_of_no_clip_survive_json_with_their_types(transform, some_keys):
    def arrays(parameters: Any) -> dict[str, Any]:
        fields = {field.name: getattr(parameters, field.name) for field in dataclasses.fields(parameters)}
        members = {f"member {i}": arrays(member) for i, member in enumerate(fields.pop("members", ()))}
        return members | {name: (array.dtype.kind, array.ndim, len(array)) for name, array in fields.items()}

    none = transform.draw(some_keys[:0])
    read = type(none).from_json(json.loads(json.dumps(none.to_json())))
    assert arrays(read) == arrays(none)
    assert transform.apply(batch_for(transform)[:0], read).shape == batch_for(transform)[:0].shape


def test_every_clip_is_described_in_words(transform, some_keys):
    texts = transform.draw(some_keys).describe()
    assert len(texts) == N_CLIPS
    assert all(texts)


def test_there_is_nothing_to_train_and_nothing_to_save(transform):
    assert not isinstance(transform, torch.nn.Module)
    assert hash(transform) == hash(transform)


def test_global_random_states_are_not_touched(transform, some_keys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the checker itself uses Python's random

    def states() -> tuple:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    transform.apply(batch_for(transform), transform.draw(some_keys))
    transform(batch_for(transform), torch.Generator().manual_seed(1))
    assert states() == before


def test_called_without_keys_it_follows_the_generator(transform):
    batch = batch_for(transform)
    first = transform(batch, torch.Generator().manual_seed(1))
    assert torch.equal(transform(batch, torch.Generator().manual_seed(1)), first)
    assert not torch.equal(transform(batch, torch.Generator().manual_seed(2)), first)
    torch.manual_seed(5)
    default = transform(batch)
    torch.manual_seed(5)
    assert torch.equal(transform(batch), default)
    assert not torch.equal(transform(batch), default)


@pytest.mark.parametrize("name", [n for n, t in TRANSFORMS.items() if not isinstance(t, PitchShift | Chain | Choose)])
def test_lists_serve_as_tuples(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # it would refuse what no checker sees in a JSON
    transform = TRANSFORMS[name]
    options = {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    assert (type(transform)(**lists), hash(type(transform)(**lists))) == (transform, hash(transform))
