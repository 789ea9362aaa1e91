"""What every transform promises, seen on every transform."""

import dataclasses
import json
import random
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from cohear import keys, transforms
from cohear.dsp.response_bank import ResponseBank
from cohear.transforms import Chain, Choose, Gain, SpecAugment, Transform
from every_transform import RECORDINGS, TRANSFORMS

N_CLIPS = 6
BANK = ResponseBank(np.ones((1, 9), np.float32), 8000, ("a",))


@pytest.fixture(params=TRANSFORMS.values(), ids=TRANSFORMS.keys())
def transform(request: pytest.FixtureRequest) -> Transform[Any]:
    return request.param


@pytest.fixture
def some_keys() -> np.ndarray:
    return keys.fold_in(keys.key(0, "views"), np.arange(N_CLIPS))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the checker of annotations, as users do."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def batch_for(transform: Transform[Any], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if transform.domain == "waveform":
        return (0.1 * torch.randn(N_CLIPS, 4_000, generator=generator, dtype=torch.float64)).to(dtype)
    return (10 * torch.randn(N_CLIPS, 32, 40, generator=generator, dtype=torch.float64) - 40).to(dtype)


def test_every_transform_of_the_registry_is_tried_here():
    tried = {type(transform) for transform in TRANSFORMS.values()}
    assert {kind for kind in transforms.TRANSFORMS.values() if kind.__module__.startswith("cohear.")} <= tried


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_shape_and_dtype_are_kept_and_half_precision_is_rounded_at_the_end(transform, some_keys, dtype: torch.dtype):
    batch, parameters = batch_for(transform, dtype), transform.draw(some_keys)
    changed, expected = transform.apply(batch, parameters), transform.apply(batch.float(), parameters)
    assert (changed.shape, changed.dtype) == (batch.shape, dtype)
    assert changed.isfinite().all()
    assert not torch.equal(changed, batch)
    # bfloat16 has 8 bits; a chain rounds once more per member, and what follows sees what was rounded.
    assert (changed.float() - expected).abs().max() < 0.02 * expected.abs().max()


def test_it_is_deterministic_under_autocast_too_and_leaves_its_input(transform, some_keys):
    batch, parameters = batch_for(transform), transform.draw(some_keys)
    before, expected = batch.clone(), transform.apply(batch, parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(transform.apply(batch, parameters), expected)
    transform.apply(batch, parameters).add_(1.0)
    assert torch.equal(batch, before)


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


def test_a_clip_depends_on_its_key_alone_whatever_its_batch(transform, some_keys):
    batch, parameters = batch_for(transform), transform.draw(some_keys)
    assert transform.draw(keys.fold_in(some_keys, 1)).to_json() != parameters.to_json()
    together = transform.apply(batch, parameters)
    # The mean of a spectrogram may be summed by more threads where it is alone; waveforms are computed one by one.
    tolerance = 0.0 if transform.domain == "waveform" else 1e-6 * float(batch.abs().max())
    for order in (np.array([4, 0, 5, 2]), np.array([1])):
        drawn = transform.draw(some_keys[order])
        assert drawn.to_json() == parameters.take(order).to_json()
        assert (transform.apply(batch[order], drawn) - together[order]).abs().max() <= tolerance


def test_gradients_are_finite_and_reach_every_clip_and_silence_stays_silent(transform, some_keys):
    parameters = transform.draw(some_keys)
    with torch.inference_mode():  # what is kept from here can be trained through
        transform.apply(batch_for(transform), parameters)
    for batch in (batch_for(transform), torch.zeros_like(batch_for(transform))):
        changed = transform.apply(batch.requires_grad_(), parameters)
        (gradient,) = torch.autograd.grad(changed.sum() + changed.square().sum(), batch)
        assert gradient.isfinite().all()
        if batch.any():
            assert gradient.flatten(1).any(dim=1).all()
        elif getattr(transform, "fill", "mean") == "mean":
            assert not changed.any()


@pytest.mark.parametrize("n", [N_CLIPS, 0])
def test_parameters_survive_json_exactly_and_say_what_they_do(transform, some_keys, n: int):
    def kinds(parameters: Any) -> dict[str, Any]:
        fields = {field.name: getattr(parameters, field.name) for field in dataclasses.fields(parameters)}
        members = {f"member {i}": kinds(member) for i, member in enumerate(fields.pop("members", ()))}
        return members | {name: (array.dtype.kind, array.ndim, len(array)) for name, array in fields.items()}

    parameters, batch = transform.draw(some_keys[:n]), batch_for(transform)[:n]
    read = type(parameters).from_json(json.loads(json.dumps(parameters.to_json(), allow_nan=False)))
    assert (read.to_json(), kinds(read)) == (parameters.to_json(), kinds(parameters))
    assert torch.equal(transform.apply(batch, read), transform.apply(batch, parameters))
    texts = read.describe()
    assert len(read) == len(texts) == n
    assert all(texts)
    assert texts == parameters.describe()


def test_global_random_states_are_not_touched(transform, some_keys, unchecked):  # the checker uses Python's
    def states() -> tuple:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    transform.apply(batch_for(transform), transform.draw(some_keys))
    transform(batch_for(transform), torch.Generator().manual_seed(1))
    assert states() == before


def test_called_without_keys_it_follows_the_generator_and_keeps_the_shape(transform):
    def called(given: torch.Tensor, seed: int = 1) -> torch.Tensor:
        return transform(given, torch.Generator().manual_seed(seed))

    batch = batch_for(transform)
    expected = called(batch)
    assert torch.equal(called(batch), expected)
    assert not torch.equal(called(batch, seed=2), expected)
    assert torch.equal(called(batch[:, None]), expected[:, None])
    assert torch.equal(called(batch[0]), called(batch[:1])[0])
    torch.manual_seed(5)
    default = transform(batch)
    assert not torch.equal(transform(batch), default)
    torch.manual_seed(5)
    assert torch.equal(transform(batch), default)
    for wrong in (batch[:, None].expand(-1, 2, *batch.shape[1:]), batch[None, None, None], torch.tensor(1.0)):
        with pytest.raises(ValueError, match="shape"):
            transform(wrong)


def test_it_is_a_value_of_lists_or_tuples(transform, unchecked):
    options = {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}
    same = type(transform)(**{name: list(v) if isinstance(v, tuple) else v for name, v in options.items()})
    assert (same, hash(same)) == (transform, hash(transform))


@pytest.mark.parametrize(
    ("kind", "options", "names"),
    [
        ("PitchShift", {"semitones": ()}, "pitch shift"),
        ("PitchShift", {"semitones": (1.0, -13.0)}, "-13 semitones"),
        ("Reverb", {"n_rooms": 0}, "0 room responses"),
        ("Reverb", {"rt60_s": (0.5, 0.2)}, "from 0.5 to 0.2 s"),
        ("Reverb", {"bank": BANK}, "8000 Hz .* 44100 Hz"),
        ("AddRecordedNoise", {"recordings": RECORDINGS}, "8000 Hz .* 44100 Hz"),
        ("AddNoise", {"snr_db": (30.0, 5.0)}, "from 30 to 5 dB"),
        ("AddNoise", {"color": "purple"}, "'purple'"),
        ("AddNoise", {"sample_rate": 0}, "0 Hz"),
        ("Gain", {"gain_db": (float("nan"), 3.0)}, "nan"),
        ("Clipping", {"threshold_db": (-6.0, 3.0)}, "3 dB"),
        ("LowPass", {"cutoff_hz": (100.0, 4000.0), "sample_rate": 8000}, "8000 Hz"),
        ("TimeShift", {"max_shift_s": 1e-5}, "1e-05 s"),
        ("TimeShift", {"fill": "mean"}, "'mean'"),
        ("SpecAugment", {"band_masks": (2, 1)}, "from 2 to 1"),
        ("SpecAugment", {"max_frame_share": 1.5}, "1.5"),
        ("SpecAugment", {"fill": float("nan")}, "nan"),
        ("Chain", {"transforms": ()}, "transform"),
        ("Chain", {"transforms": (SpecAugment(), Gain())}, "SpecAugment"),
        ("Choose", {"transforms": (Gain(), Gain()), "probabilities": (0.5, 0.4)}, "probabilities"),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_configured(kind: str, options, names: str, unchecked):
    with pytest.raises(ValueError, match=names):
        getattr(transforms, kind)(**options)


def test_a_batch_that_is_none_is_refused(transform, unchecked):
    if isinstance(transform, Chain | Choose):
        pytest.skip("each member sees the clips that chose it")
    parameters = transform.draw(np.arange(2, dtype=np.uint64))
    wrong = [torch.zeros(100), torch.zeros(3, 100 if transform.domain == "waveform" else 8, 9)[..., 0]]
    if transform.domain == "waveform":
        wrong += [torch.zeros(2, 0), torch.zeros(2, 100, dtype=torch.int16)]
    for batch in wrong:
        with pytest.raises(ValueError, match="give"):
            transform.apply(batch, parameters)
