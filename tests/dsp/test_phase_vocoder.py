import numpy as np
import pytest
import torch

from cohear.dsp.phase_vocoder import crossfade, fade_window, stretch

HOP = 512


def test_a_sweep_keeps_its_level_and_its_course():
    rate, n_samples, n_fft = 16_000, 32_000, 1024
    time_s = torch.arange(n_samples, dtype=torch.float64) / rate
    sweep = torch.sin(2 * torch.pi * (300 * time_s + 0.5 * 500 * time_s**2))  # 300 Hz to 1300 Hz in two seconds
    found = stretch(sweep[None], np.array([1.5]), 48_000, n_fft)[0]
    levels_db = 10 * torch.log10(found[4_000:44_000].view(-1, 4_000).square().mean(1) / 0.5)
    assert levels_db.abs().max() < 0.5
    for at_s in (0.5, 1.5, 2.5):
        first = round(at_s * rate) - 1024
        power = torch.fft.rfft(found[first : first + 2048] * torch.hann_window(2048, dtype=torch.float64), 65536).abs()
        assert power.argmax().item() * rate / 65536 == pytest.approx(300 + 500 * at_s / 1.5, abs=4)


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


def test_an_even_power_holds_all_along_the_fade():
    n_frames = 4_000
    frames = torch.randn(1, n_frames, 2 * HOP, generator=torch.Generator().manual_seed(0)) * fade_window(HOP).float()
    powers = crossfade(frames).view(-1, 16, HOP // 16).square().mean((0, 2))  # along the fade
    assert (10 * torch.log10(powers)).abs().max() < 0.15  # without the gains -3 dB in the middle
