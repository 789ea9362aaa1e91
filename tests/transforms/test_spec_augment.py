import jaxtyping
import numpy as np
import pytest
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
    transform = SpecAugment(n_band_masks=(1, 1), max_band_share=0.2, max_frame_share=0.5, fill=-100.0)
    expected = log_mels.clone()
    expected[:, 4:6] = -100.0
    expected[:, :, :3] = -100.0
    assert torch.equal(transform.apply(log_mels, parameters), expected)


def runs(hidden: np.ndarray) -> int:
    return int((np.diff(np.concatenate(([0], hidden.astype(int)))) == 1).sum())


def test_numbers_and_widths_of_masks_stay_within_their_bounds():
    transform = SpecAugment(fill=99.0)
    hidden = transform.apply(torch.zeros(500, 64, 100), transform.draw(KEYS)).numpy() == 99.0
    bands, frames = hidden.all(axis=2), hidden.all(axis=1)
    # The least widths are zero, the greatest a fifth of 64 and of 100; two masks hide twice that at most.
    assert bands.sum(axis=1).max() in range(17, 25)
    assert frames.sum(axis=1).max() in range(28, 41)
    assert max(runs(clip) for clip in bands) == 2
    assert max(runs(clip) for clip in frames) == 2
    # Nothing is hidden but whole bands and whole frames.
    np.testing.assert_array_equal(hidden, bands[:, :, None] | frames[:, None, :])
    # Each edge is reached.
    assert bands[:, 0].any()
    assert bands[:, -1].any()
    assert frames[:, 0].any()
    assert frames[:, -1].any()


def test_widths_and_numbers_are_uniform():
    transform = SpecAugment(n_band_masks=(1, 1), n_frame_masks=(1, 3), max_band_share=0.25, fill=99.0)
    keys = np.arange(5_000, dtype=np.uint64)
    parameters = transform.draw(keys)
    hidden = transform.apply(torch.zeros(5_000, 16, 1), parameters).numpy() == 99.0
    widths = hidden[:, :, 0].sum(axis=1)
    counts = np.bincount(widths[widths < 16], minlength=5)
    assert len(counts) == 5
    assert counts.min() > 880  # 1000 with a standard deviation of 28
    assert counts.max() < 1120
    assert np.bincount(parameters.n_frame_masks)[1:].min() > 1_520  # 1667 with a standard deviation of 33


def test_what_is_hidden_takes_the_mean_of_its_own_clip():
    log_mels = torch.randn(500, 32, 40, generator=torch.Generator().manual_seed(0)) - 40
    transform = SpecAugment()
    masked = transform.apply(log_mels, transform.draw(KEYS))
    changed = masked != log_mels
    means = log_mels.double().mean(dim=(1, 2), keepdim=True).float().expand_as(masked)
    torch.testing.assert_close(masked[changed], means[changed])


def test_no_masks_change_nothing():
    transform = SpecAugment(n_band_masks=(0, 0), n_frame_masks=(0, 0))
    log_mels = torch.randn(500, 8, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(transform.apply(log_mels, transform.draw(KEYS)), log_mels)


def test_parameters_are_told_by_number():
    transform = SpecAugment(n_band_masks=(2, 2), n_frame_masks=(1, 1))
    assert transform.draw(KEYS[:1]).describe() == ["2 band masks, 1 frame mask"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_band_masks": (2, 1)}, "from 2 to 1 band masks: give 0 <= least <= greatest"),
        ({"n_frame_masks": (-1, 1)}, "from -1 to 1 frame masks"),
        ({"max_frame_share": 1.5}, "frame masks of up to 1.5 of the whole: give a share from 0 to 1"),
        ({"fill": "zero"}, "fill 'zero': give 'mean' or a finite number of dB"),
        ({"fill": float("nan")}, "fill nan: give 'mean' or a finite number of dB"),
    ],
)
def test_an_impossible_configuration_is_refused(options: dict, message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        SpecAugment(**options)


def test_a_wrong_shape_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    transform = SpecAugment()
    with pytest.raises(ValueError, match=r"shape \(8, 9\) with parameters of 1 clips: give log-mels \[B, M, L\]"):
        transform.apply(torch.zeros(8, 9), transform.draw(KEYS[:1]))


def test_padding_is_neither_masked_nor_counted():
    transform = SpecAugment(n_band_masks=(0, 0), n_frame_masks=(2, 2), max_frame_share=0.5)
    generator = torch.Generator().manual_seed(0)
    sound = torch.randn(500, 16, 30, generator=generator) - 40
    padded = torch.cat((sound, torch.full((500, 16, 70), -100.0)), dim=2)
    parameters = transform.draw(KEYS)
    masked = transform.apply_to(padded, parameters, ClipFacts(lengths=np.full(500, 30)))
    assert torch.equal(masked[:, :, 30:], padded[:, :, 30:])
    torch.testing.assert_close(masked[:, :, :30], transform.apply(sound, parameters))
    assert (masked != padded).any(dim=(1, 2)).float().mean() > 0.9


def test_a_mean_of_half_precision_is_summed_in_single_precision():
    log_mels = torch.full((1, 128, 368), -40.1, dtype=torch.float16)
    transform = SpecAugment(n_band_masks=(2, 2))
    assert torch.equal(transform.apply(log_mels, transform.draw(KEYS[:1])), log_mels)
