import numpy as np
import torch

from cohear.transforms import ClipFacts, SpecAugment
from cohear.transforms.spec_augment import SpecAugmentParameters

KEYS = np.arange(500, dtype=np.uint64)


def test_masks_hide_the_bands_and_frames_that_their_fractions_say():
    # Of 10 bands a mask hides 0 to 2: floor(0.99 * 3) = 2, from floor(0.5 * (10 - 2 + 1)) = 4 on.
    # Of 20 frames it hides 0 to 10: floor(0.3 * 11) = 3, from floor(0 * ...) = 0 on; the second mask is not used.
    parameters = SpecAugmentParameters(
        n_band_masks=np.array([1]),
        n_frame_masks=np.array([1]),
        band_widths=np.array([[0.99]]),
        band_starts=np.array([[0.5]]),
        frame_widths=np.array([[0.3, 0.9]]),
        frame_starts=np.array([[0.0, 0.5]]),
    )
    log_mels = torch.randn(1, 10, 20, generator=torch.Generator().manual_seed(0))
    transform = SpecAugment(band_masks=(1, 1), max_band_share=0.2, max_frame_share=0.5, fill=-100.0)
    expected = log_mels.clone()
    expected[:, 4:6] = -100.0
    expected[:, :, :3] = -100.0
    assert torch.equal(transform.apply(log_mels, parameters), expected)


def test_masks_are_whole_bands_and_frames_within_their_bounds_and_reach_every_edge():
    transform = SpecAugment(fill=99.0)
    hidden = transform.apply(torch.zeros(500, 64, 100), transform.draw(KEYS)).numpy() == 99.0
    bands, frames = hidden.all(axis=2), hidden.all(axis=1)
    np.testing.assert_array_equal(hidden, bands[:, :, None] | frames[:, None, :])
    # The least widths are zero, the greatest a fifth of 64 and of 100; two masks hide twice that at most.
    for rows, most in ((bands, range(17, 25)), (frames, range(28, 41))):
        assert rows.sum(axis=1).max() in most
        assert (np.diff(rows.astype(int), axis=1, prepend=0) == 1).sum(axis=1).max() == 2
        assert rows[:, [0, -1]].any(axis=0).all()


def test_what_is_hidden_takes_the_mean_of_its_own_clip_in_single_precision():
    log_mels = torch.randn(500, 32, 40, generator=torch.Generator().manual_seed(0)) - 40
    transform = SpecAugment()
    masked = transform.apply(log_mels, transform.draw(KEYS))
    changed = masked != log_mels
    means = log_mels.double().mean(dim=(1, 2), keepdim=True).float().expand_as(masked)
    torch.testing.assert_close(masked[changed], means[changed])
    even = torch.full((1, 128, 368), -40.1, dtype=torch.float16)
    assert torch.equal(transform.apply(even, transform.draw(KEYS[:1])), even)


def test_padding_is_neither_masked_nor_counted():
    transform = SpecAugment(band_masks=(0, 0), frame_masks=(2, 2), max_frame_share=0.5)
    sound = torch.randn(500, 16, 30, generator=torch.Generator().manual_seed(0)) - 40
    padded = torch.cat((sound, torch.full((500, 16, 70), -100.0)), dim=2)
    parameters = transform.draw(KEYS)
    masked = transform.apply_in("log_mel", padded, parameters, ClipFacts(lengths=np.full(500, 30)))
    assert torch.equal(masked[:, :, 30:], padded[:, :, 30:])
    torch.testing.assert_close(masked[:, :, :30], transform.apply(sound, parameters))
    assert (masked != padded).any(dim=(1, 2)).float().mean() > 0.9
