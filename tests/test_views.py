"""Property: a view depends on seed, epoch, clip and view number, and on nothing else in its batch."""

import numpy as np
import pytest
import torch

from cohear import keys
from cohear.models import LogMel
from cohear.transforms import Choose, ClipFacts, PitchShift, Reverb, SpecAugment
from cohear.views import ViewMaker, view_keys

RATE = 8000
TRANSFORMS = {
    "pitch": PitchShift(sample_rate=RATE),
    "combination": Choose((PitchShift(sample_rate=RATE), Reverb(n_responses=4, sample_rate=RATE))),
    "masking": SpecAugment(),
}
CLIP_KEYS = keys.fold_in(np.uint64(7), np.arange(4))


@pytest.fixture
def waveforms():
    return 0.1 * torch.randn(4, RATE, generator=torch.Generator().manual_seed(0))


def make(name, waveforms, views, seed=0, epoch=0, clip_keys=CLIP_KEYS):
    views = np.asarray(views)
    maker = ViewMaker(TRANSFORMS[name], LogMel(RATE, 256, 200, 16))
    return maker.make(waveforms, views, view_keys(seed, epoch, clip_keys, views))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_view_zero_is_the_clean_clip_and_the_others_are_not(name, waveforms):
    made = make(name, waveforms, np.repeat([[0], [1], [2]], 4, axis=1))
    assert torch.equal(made.log_mels[0], LogMel(RATE, 256, 200, 16)(waveforms))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        differs = (made.log_mels[first] != made.log_mels[second]).flatten(1).any(1)
        assert differs.all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_copy_of_standard_is_the_view_of_batched_augmentation_with_its_number(name, waveforms):
    batched = make(name, waveforms, np.repeat([[0], [1], [2]], 4, axis=1)).log_mels
    order, copies = np.array([3, 0, 2]), np.array([[2, 0, 1]])
    standard = make(name, waveforms[order], copies, clip_keys=CLIP_KEYS[order]).log_mels
    for column, (clip, copy) in enumerate(zip(order, copies[0], strict=True)):
        torch.testing.assert_close(standard[0, column], batched[copy, clip], rtol=0, atol=2e-3)


def test_seed_epoch_clip_and_view_each_change_the_key():
    views = np.repeat([[0], [1], [2]], 4, axis=1)
    found = [view_keys(seed, epoch, CLIP_KEYS, views) for seed in range(2) for epoch in range(3)]
    assert len(np.unique(np.concatenate([k.ravel() for k in found]))) == 2 * 3 * 12


def test_what_was_drawn_is_returned_and_says_which_cells_it_changed(waveforms):
    made = make("pitch", waveforms, [[0, 1, 0, 2]])
    assert made.rows.tolist() == [1, 3]
    assert made.parameters is not None
    assert all(text.startswith("pitch ") for text in made.parameters.describe())
    assert torch.equal(made.waveforms[0, 0], waveforms[0])
    assert not torch.equal(made.waveforms[0, 1], waveforms[1])


def test_made_views_are_things_and_not_values(waveforms):
    first, second = (make("masking", waveforms, [[0, 1, 0, 2]]) for _ in range(2))
    assert first != second
    assert len({first, second}) == 2


def test_clean_views_need_no_transform_and_others_do(waveforms):
    maker = ViewMaker(None, LogMel(RATE, 256, 200, 16))
    clean = np.zeros((1, 4), np.int64)
    assert maker.make(waveforms, clean, view_keys(0, 0, CLIP_KEYS, clean)).parameters is None
    with pytest.raises(ValueError, match="no transform to make it with"):
        maker.make(waveforms, clean + 1, view_keys(0, 0, CLIP_KEYS, clean))


def test_masks_keep_off_the_padding_of_a_short_clip(waveforms):
    waveforms[:, 2_000:] = 0.0  # the sound ends in frame 10
    views = np.ones((1, 4), np.int64)
    maker = ViewMaker(SpecAugment(n_band_masks=(0, 0), n_frame_masks=(2, 2)), LogMel(RATE, 256, 200, 16))
    facts = ClipFacts(lengths=np.full(4, 2_000))
    masked = maker.make(waveforms, views, view_keys(0, 0, CLIP_KEYS, views), facts).log_mels[0]
    clean = maker.front_end(waveforms)
    assert torch.equal(masked[:, :, 11:], clean[:, :, 11:])
    assert not torch.equal(masked, clean)
