"""Small transformers and networks of timm with drawn weights, saved as their libraries save them."""

from pathlib import Path
from typing import Any

import torch

BANDS, FRAMES = 32, 192
AST = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
CLAP = {"patch_embeds_hidden_size": 8, "depths": [1, 2], "num_attention_heads": [1, 2], "num_hidden_layers": 2}
CLAP |= {"hidden_size": 16, "window_size": 4, "spec_size": 64}


def write_ast(folder: Path, **settings: Any) -> Path:
    """Save an AST for classification, and its extractor."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    config = ASTConfig(**{**AST, "max_length": FRAMES, "num_mel_bins": BANDS, **settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(max_length=FRAMES, num_mel_bins=BANDS, mean=-3.0, std=5.0).save_pretrained(folder)
    return folder


def write_clap(folder: Path, **settings: Any) -> Path:
    """Save a CLAP of sounds and texts, and its extractor: 1 s of 8 kHz in 81 frames."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    of_text = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    audio = {**CLAP, "num_mel_bins": BANDS, "projection_dim": 8, **settings}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        ClapModel(ClapConfig(text_config=of_text, audio_config=audio, projection_dim=8)).save_pretrained(folder)
    ClapFeatureExtractor(
        feature_size=BANDS, sampling_rate=8000, hop_length=100, max_length_s=1, fft_window_size=512,
        frequency_min=50, frequency_max=4000, truncation="rand_trunc",
    ).save_pretrained(folder)  # fmt: skip
    return folder


def write_timm(folder: Path, name: str = "resnet10t", **arguments: Any) -> Any:
    """Save a network of timm for colors, and return it."""
    from cohear.models.timm_features import import_timm

    timm = import_timm()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = timm.create_model(name, num_classes=7, **arguments)
    timm.models.save_for_hf(network, folder, model_args=arguments or None, safe_serialization="both")
    return network
