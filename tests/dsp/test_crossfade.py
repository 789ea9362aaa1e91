import pytest
import torch

from cohear.dsp.crossfade import crossfade, fade_window

HOP = 512


def frames_of(signals: list[torch.Tensor]) -> torch.Tensor:
    """Frame i is cut from signal i, around sample (i + 1) * HOP."""
    window = fade_window(HOP)
    return torch.stack([signal[i * HOP : (i + 2) * HOP] * window for i, signal in enumerate(signals)])[None]


def noise(seed: int, n_frames: int) -> torch.Tensor:
    return torch.randn((n_frames + 2) * HOP, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_frames_of_one_signal_give_the_signal_back():
    signal = noise(0, 5)
    joined = crossfade(frames_of([signal] * 5))[0]
    torch.testing.assert_close(joined, signal[HOP : 5 * HOP])


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_signals_that_agree_in_part_keep_their_level(correlation: float):
    n_frames = 80
    common = noise(0, n_frames) * correlation**0.5
    signals = [common + noise(1 + i, n_frames) * (1 - correlation) ** 0.5 for i in range(n_frames)]
    joined = crossfade(frames_of(signals))
    assert 10 * torch.log10(joined.square().mean()) == pytest.approx(0.0, abs=0.1)


def test_an_even_power_holds_all_along_the_fade():
    n_frames = 4_000
    frames = torch.randn(1, n_frames, 2 * HOP, generator=torch.Generator().manual_seed(0)) * fade_window(HOP).float()
    powers = crossfade(frames).view(-1, 16, HOP // 16).square().mean((0, 2))  # along the fade
    assert (10 * torch.log10(powers)).abs().max() < 0.15  # without the gains -3 dB in the middle


def test_opposite_signals_are_not_amplified_beyond_unrelated_ones():
    signal = noise(0, 2)
    joined = crossfade(frames_of([signal, -signal]))[0]
    assert joined.isfinite().all()
    assert joined.abs().max() <= signal.abs().max()


def test_silence_stays_silent_also_in_its_gradient():
    frames = torch.zeros(1, 3, 2 * HOP, requires_grad=True)
    joined = crossfade(frames)
    (gradient,) = torch.autograd.grad(joined.sum(), frames)
    assert not joined.any()
    assert gradient.isfinite().all()
