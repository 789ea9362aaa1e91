"""Golden: keys, numbers, splits and drawn parameters are exactly those of tests/golden, sounds as near as can be heard.

The files were written once, on one processor, by one version of torch.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cohear import keys
from cohear.dsp.noise import random_bits
from cohear.runs.build import method_items
from cohear.views import view_keys
from every_transform import TRANSFORMS
from golden.keys_and_splits import ITEMS, keys_and_splits
from golden.transformed import SHIFTS_PITCH, drawn, log_mels, transformed

GOLDEN = Path(__file__).parent / "golden"
WAVEFORM_BOUND = 1e-5
"""Of full scale."""
LOG_MEL_BOUND_DB = 1e-4
"""Spectra are single precision, so powers are right to some 1e-6, 4e-6 dB; a logarithm near -100 dB is rounded by as
much again, twice. Other waveforms than the golden ones are not in it."""

WAVEFORMS = ("gaussian noise", *(name for name, transform in TRANSFORMS.items() if transform.domain == "waveform"))


def read(name: str) -> dict:
    return json.loads((GOLDEN / name).read_text("utf-8"))


@pytest.mark.parametrize("part", ["keys", "numbers", "folds", "batches", "balance"])
def test_keys_and_splits_are_exactly_the_golden_ones(part: str):
    found = json.loads(json.dumps(keys_and_splits()[part]))
    assert found == read("keys_and_splits.json")[part]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_drawn_parameters_are_exactly_the_golden_ones(name: str):
    assert json.loads(json.dumps(drawn()[name])) == read("drawn.json")[name]


def test_the_golden_items_are_those_of_the_methods():
    found = {name: method_items(name.partition(",")[0], 2, name.partition(", ")[2] or "all") for name in ITEMS}
    assert found == ITEMS


def test_views_have_the_golden_keys():
    golden = read("keys_and_splits.json")["keys"]
    clip_keys = np.array(
        [golden["hash_text"][name] for name in ("place1/siren-03.wav", "Straße/日本語.flac")], np.uint64
    )
    views = np.tile(np.arange(3)[:, None], 2)
    assert view_keys(7, 3, clip_keys, views).T.tolist() == golden["views of clips"]


def test_torch_draws_the_golden_bits():
    some = keys.fold_in(keys.key(0, "views"), np.arange(3))
    bits = random_bits(some, 5).numpy().view(np.uint64)
    assert bits.tolist() == read("keys_and_splits.json")["numbers"]["random_bits"]


@pytest.fixture(scope="module")
def waveforms() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "waveforms.safetensors")


@pytest.fixture(scope="module")
def double(waveforms) -> dict[str, torch.Tensor]:
    return transformed(waveforms["clips"].double())


@pytest.fixture(scope="module")
def single(waveforms) -> dict[str, torch.Tensor]:
    return transformed(waveforms["clips"])


@pytest.mark.parametrize("name", WAVEFORMS)
def test_waveforms_in_double_precision_are_the_golden_ones(waveforms, double, name: str):
    assert double[name].shape == waveforms[name].shape
    assert (double[name] - waveforms[name]).abs().max() <= WAVEFORM_BOUND


@pytest.mark.parametrize("name", [name for name in WAVEFORMS if name not in SHIFTS_PITCH])
def test_waveforms_in_single_precision_are_the_golden_ones_where_no_pitch_is_shifted(waveforms, single, name: str):
    assert single[name].dtype == torch.float32
    assert (single[name] - waveforms[name]).abs().max() <= WAVEFORM_BOUND


@pytest.mark.parametrize("name", ["clean", *(n for n, t in TRANSFORMS.items() if t.domain == "log_mel")])
def test_log_mels_are_the_golden_ones(waveforms, name: str):
    golden = load_file(GOLDEN / "log_mels.safetensors")[name]
    found = log_mels(waveforms["clips"])[name]
    assert found.shape == golden.shape
    assert (found - golden).abs().max() <= LOG_MEL_BOUND_DB
