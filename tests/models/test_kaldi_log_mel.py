"""Reference: the extractor of transformers; one frame, by hand."""

import numpy as np
import pytest
import torch

from cohear.models.kaldi_log_mel import DB_PER_NEPER, KaldiLogMel


def kaldi(**changes) -> KaldiLogMel:
    return KaldiLogMel(
        **{"sample_rate": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 128, "f_min": 20.0, **changes}
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("sound", ["noise", "tone", "silence"])
def test_it_is_what_ast_hears(sound):
    from transformers import ASTFeatureExtractor

    n = 16000
    waveform = {
        "noise": 0.1 * np.random.default_rng(0).standard_normal(n) + 0.02,
        "tone": 0.9 * np.sin(2 * np.pi * 440 * np.arange(n) / 16000),
        "silence": np.zeros(n),
    }[sound].astype(np.float32)
    theirs = ASTFeatureExtractor(max_length=128, do_normalize=False)(waveform, sampling_rate=16000)["input_values"][0]
    ours = kaldi()(torch.from_numpy(waveform)).mT.numpy()
    assert ours.shape == (98, 128)
    np.testing.assert_allclose(ours / DB_PER_NEPER, theirs[:98], atol=2e-4)
    assert not theirs[98:].any()


def test_a_frame_by_hand():
    front_end = kaldi(n_fft=300, hop_length=100, n_mels=20)
    frame = np.random.default_rng(0).standard_normal(300)
    centered = frame - frame.mean()
    emphasized = np.array([x - 0.97 * centered[max(0, i - 1)] for i, x in enumerate(centered)])
    spectrum = np.fft.rfft(emphasized * np.hanning(300), 512)
    edges = np.linspace(*(1127 * np.log(1 + f / 700) for f in (20, 8000)), 22)
    bins = 1127 * np.log(1 + np.arange(257) * 16000 / 512 / 700)
    for band in range(20):
        weights = np.interp(bins, edges[band : band + 3], [0, 1, 0])
        expected = 10 * np.log10(max(1.192092955e-07, weights @ np.abs(spectrum) ** 2))
        assert front_end(torch.from_numpy(frame))[band, 0].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_samples", [400, 559, 560, 16000])
def test_frames_lie_within_the_waveform(n_samples):
    front_end = kaldi()
    n_frames = front_end(torch.ones(2, n_samples)).shape[-1]
    assert n_frames == front_end.n_frames(n_samples) == 1 + (n_samples - 400) // 160
    assert front_end.least_samples(n_frames) <= n_samples < front_end.least_samples(n_frames + 1)
