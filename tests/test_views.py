"""Property: a view depends on seed, epoch, clip and view number, and on nothing else in its batch."""

import numpy as np
import pytest
import torch

from cohear import keys
from cohear.models import LogMel
from cohear.transforms import Chain, Choose, ClipFacts, Gain, PitchShift, Reverb, SpecAugment
from cohear.transforms.compose import ChooseParameters
from cohear.transforms.level import GainParameters
from cohear.views import ViewMaker, view_keys

RATE = 8000
TRANSFORMS = {
    "pitch": PitchShift(sample_rate=RATE),
    "combination": Choose((PitchShift(sample_rate=RATE), Reverb(n_rooms=4, sample_rate=RATE))),
    "masking": SpecAugment(),
}
CLIP_KEYS = keys.fold_in(np.uint64(7), np.arange(4))
FRONT_END = LogMel(RATE, 256, 200, 16)
BATCHED = np.repeat([[0], [1], [2]], 4, axis=1)


@pytest.fixture
def waveforms():
    return 0.1 * torch.randn(4, RATE, generator=torch.Generator().manual_seed(0))


def make(transform, waveforms, views, clip_keys=CLIP_KEYS, facts=None):
    views = np.asarray(views)
    return ViewMaker(transform, FRONT_END).make(waveforms, views, view_keys(0, 0, clip_keys, views), facts)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_views_differ_view_zero_is_clean_and_standard_sees_the_views_of_bda(name, waveforms):
    batched = make(TRANSFORMS[name], waveforms, BATCHED).inputs
    assert torch.equal(batched[0], FRONT_END(waveforms))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (batched[first] != batched[second]).flatten(1).any(1).all()
    order, copies = np.array([3, 0, 2]), np.array([[2, 0, 1]])
    standard = make(TRANSFORMS[name], waveforms[order], copies, CLIP_KEYS[order]).inputs
    for column, (clip, copy) in enumerate(zip(order, copies[0], strict=True)):
        torch.testing.assert_close(standard[0, column], batched[copy, clip], rtol=0, atol=2e-3)


def test_seed_epoch_clip_and_view_each_change_the_key():
    found = [view_keys(seed, epoch, CLIP_KEYS, BATCHED) for seed in range(2) for epoch in range(3)]
    assert len(np.unique(np.concatenate([k.ravel() for k in found]))) == 2 * 3 * 12


def test_what_was_drawn_is_returned_and_says_which_cells_it_changed(waveforms):
    made = make(TRANSFORMS["pitch"], waveforms, [[0, 1, 0, 2]])
    assert made.rows.tolist() == [1, 3]
    assert made.parameters is not None
    assert all(text.startswith("pitch ") for text in made.parameters.describe())
    assert torch.equal(made.waveforms[0, 0], waveforms[0])
    assert not torch.equal(made.waveforms[0, 1], waveforms[1])


def test_clean_views_need_no_transform_and_others_do(waveforms):
    assert make(None, waveforms, [[0] * 4]).parameters is None
    with pytest.raises(ValueError, match="transform"):
        make(None, waveforms, [[1] * 4])


def test_masks_keep_off_the_padding_of_a_short_clip(waveforms):
    waveforms[:, 2_000:] = 0.0  # the sound ends in frame 10
    masks = SpecAugment(band_masks=(0, 0), frame_masks=(2, 2))
    masked = make(masks, waveforms, [[1] * 4], facts=ClipFacts(lengths=np.full(4, 2_000))).inputs[0]
    clean = FRONT_END(waveforms)
    assert torch.equal(masked[:, :, 11:], clean[:, :, 11:])
    assert not torch.equal(masked, clean)


def test_one_choice_per_cell_holds_for_waveforms_and_log_mels(waveforms):
    gain, mask = Gain((6.0, 6.0)), SpecAugment((1, 1), (1, 1), 0.5, 0.5)
    made = make(Choose((gain, mask, Chain((gain, mask)))), waveforms, np.repeat([[0], [1], [2], [3]], 4, axis=1))
    assert isinstance(made.parameters, ChooseParameters)
    chosen = made.parameters.choice
    assert set(chosen.tolist()) == {0, 1, 2}
    louder = Gain().apply(waveforms, GainParameters(np.full(4, 6.0)))
    for row, choice in zip(made.rows, chosen, strict=True):
        view, clip = divmod(int(row), 4)
        expected = waveforms[clip] if choice == 1 else louder[clip]
        torch.testing.assert_close(made.waveforms[view, clip], expected)
        is_masked = (made.inputs[view, clip] - FRONT_END(expected[None])[0]).abs().max() > 1e-2
        assert bool(is_masked) == (choice != 0)
    assert torch.equal(made.inputs[0], FRONT_END(waveforms))
