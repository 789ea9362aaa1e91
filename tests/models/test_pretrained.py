"""Pretrained networks from folders. Reference: transformers and timm on what their own extractors make of a sound."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cohear.errors import UserError
from cohear.models import LogMel, NetworkWithHead, build_network
from cohear.models.kaldi_log_mel import KaldiLogMel
from cohear.models.pretrained import Pretrained, read_pretrained
from made_transformers import BANDS, FRAMES, write_ast, write_clap, write_timm

pytestmark = pytest.mark.slow

SETTINGS = {"global_pooling": "average", "normalize_input": False}


def built(pretrained: Pretrained) -> NetworkWithHead:
    """Make the network from what is said of it, with drawn weights, and give it those of the folder."""
    settings = {**SETTINGS, "architecture": pretrained.architecture}
    network = build_network(pretrained.name, settings, 3, torch.Generator().manual_seed(0)).eval()
    drawn = [parameter.clone() for parameter in network.body.parameters()]
    pretrained.begin(network)
    assert any(not torch.equal(*both) for both in zip(drawn, network.body.parameters(), strict=True))
    return network


def sound(n_samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(n_samples)).astype(np.float32)


def test_ast_hears_and_answers_as_in_transformers(tmp_path):
    from transformers import ASTFeatureExtractor, ASTModel

    pretrained = read_pretrained(f"transformers:{write_ast(tmp_path)}")
    hears = {name.removeprefix("front_end."): value for name, value in pretrained.hears.items()}
    rate = hears.pop("data.sample_rate")
    assert (hears.pop("filters"), rate) == ("kaldi", 16000)
    waveform = sound(rate)
    theirs = ASTFeatureExtractor.from_pretrained(tmp_path)(waveform, sampling_rate=rate, return_tensors="pt")
    network = built(pretrained)
    with torch.no_grad():
        expected = ASTModel.from_pretrained(tmp_path).eval()(**theirs).pooler_output
        ours = network.embed(KaldiLogMel(rate, **hears)(torch.from_numpy(waveform)))
    torch.testing.assert_close(ours, expected[0], rtol=1e-4, atol=1e-4)


def test_clap_hears_and_answers_as_in_transformers(tmp_path):
    from transformers import ClapFeatureExtractor, ClapModel

    pretrained = read_pretrained(f"transformers:{write_clap(tmp_path)}")
    hears = {name.removeprefix("front_end."): value for name, value in pretrained.hears.items()}
    rate = hears.pop("data.sample_rate")
    assert (hears.pop("filters"), rate) == ("slaney", 8000)
    extractor, network = ClapFeatureExtractor.from_pretrained(tmp_path), built(pretrained)
    front_end = LogMel(rate, **hears)
    whole = ClapModel.from_pretrained(tmp_path).eval()
    for n_samples in (8000, 4000, 2000, 800):  # a second, and parts that are repeated to one
        waveform = sound(n_samples)
        theirs = extractor(waveform, sampling_rate=rate, return_tensors="pt")["input_features"]
        heard = front_end(torch.from_numpy(waveform))
        ours: list[torch.Tensor] = []
        handle = network.body.trunk.register_forward_pre_hook(
            lambda _module, _args, given, ours=ours: ours.append(given["input_features"]), with_kwargs=True
        )
        with torch.no_grad():
            embedding = network.embed(heard)
            expected = whole.audio_model(input_features=theirs).pooler_output[0]
        handle.remove()
        assert ours[0].shape == theirs.shape
        within = torch.arange(81) % (n_samples // 100)
        is_seam = (within < 3) | (within > n_samples // 100 - 3)  # where a window reaches beyond an end
        difference = (ours[0] - theirs)[0, 0].abs()
        assert difference[~is_seam].max() < 1e-3
        torch.testing.assert_close(embedding, expected, rtol=0, atol=0.35)
    with torch.no_grad():
        torch.testing.assert_close(network.embed(theirs[:, 0].mT), expected[None])


@pytest.mark.parametrize("arguments", [{}, {"in_chans": 1}, {"stem_width": 16}])
def test_a_network_of_timm_hears_gray_as_it_did(tmp_path, arguments):
    theirs = write_timm(tmp_path, **arguments).eval()
    pretrained = read_pretrained(f"timm:local-dir:{tmp_path}")
    assert pretrained.name == "timm:resnet10t"
    picture = torch.randn(2, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        colored = picture.expand(-1, arguments.get("in_chans", 3), -1, -1)
        expected = theirs.forward_head(theirs.forward_features(colored), pre_logits=True)
        torch.testing.assert_close(built(pretrained).embed(picture[:, 0]), expected, rtol=1e-4, atol=1e-4)


def test_only_the_last_blocks_are_trained_and_steps_are_smaller_nearer_to_the_input(tmp_path):
    network = built(read_pretrained(f"transformers:{write_ast(tmp_path)}"))
    assert [len(stage) for stage in network.parameter_blocks()] == [
        5,
        16,
        16,
        18,
        2,
    ]  # tokens and patches, layers, the head
    assert "body.trunk.layernorm.weight" in network.parameter_blocks()[3]
    network.train_last(1)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert trained == [*network.parameter_blocks()[3], "head.weight", "head.bias"]
    with pytest.raises(UserError, match=r"network\.trained_blocks"):
        network.train_last(5)


def no_safetensors(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def an_index_of_others(folder):
    no_safetensors(folder)
    named = {"weight_map": {"layernorm.weight": "pytorch_model.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(named))


def an_index_that_leads_out(folder):
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    named = {"weight_map": {"layernorm.weight": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(named))


def a_part_that_is_missing(folder):
    in_parts(folder)
    (folder / "part-1.safetensors").unlink()


def in_parts(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    parts = [dict(list(tensors.items())[first::2]) for first in (0, 1)]
    for number, part in enumerate(parts):
        save_file(part, folder / f"part-{number}.safetensors")
    named = {name: f"part-{number}.safetensors" for number, part in enumerate(parts) for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))


def test_weights_may_lie_in_parts(tmp_path):
    name = f"transformers:{write_ast(tmp_path)}"
    whole = read_pretrained(name)
    expected = built(whole).state_dict()
    in_parts(tmp_path)
    parts = read_pretrained(name)
    assert parts.digest != whole.digest
    torch.testing.assert_close(built(parts).state_dict(), expected, rtol=0, atol=0)


def test_only_what_says_how_it_computes_is_read_of_its_settings(tmp_path):
    name = f"transformers:{write_ast(tmp_path)}"
    config = json.loads((tmp_path / "config.json").read_text())
    strange = {"attn_implementation": "kernels-community/x", "quantization_config": {"quant_method": "bitsandbytes"}}
    (tmp_path / "config.json").write_text(json.dumps(config | strange))
    built(read_pretrained(name))


def truncated(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def of_less(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))


def of_text(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))


def of_giants(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10**9}))


def of_no_width(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": "wide"}))


def without_a_scale(folder):
    (folder / "preprocessor_config.json").write_text('{"std": 0}')


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_safetensors, "no weights in model.safetensors"),
        (an_index_of_others, "no weights in model.safetensors"),
        (an_index_that_leads_out, "no weights in model.safetensors"),
        (a_part_that_is_missing, "part-1.safetensors"),
        (truncated, "weights"),
        (of_less, "lack"),
        (of_text, "bert"),
        (of_giants, "num_hidden_layers"),
        (of_no_width, "hidden_size"),
        (without_a_scale, "std"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, damage, said):
    write_ast(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=said):
        built(read_pretrained(f"transformers:{tmp_path}"))


def test_a_clap_that_fuses_and_a_folder_that_is_not_there_are_refused(tmp_path):
    write_clap(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["audio_config"]["enable_fusion"] = True
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="fuses"):
        read_pretrained(f"transformers:{tmp_path}")
    with pytest.raises(UserError, match="is no folder"):
        read_pretrained("transformers:MIT/ast-finetuned-audioset-10-10-0.4593")


def test_longer_or_wider_spectrograms_than_there_are_places_for_are_refused(tmp_path):
    network = built(read_pretrained(f"transformers:{write_ast(tmp_path)}"))
    with pytest.raises(UserError, match=r"data\.clip_s"):
        network(torch.zeros(1, BANDS, FRAMES + 1))
    with pytest.raises(UserError, match=r"front_end\.n_mels"):
        network(torch.zeros(1, BANDS + 1, FRAMES))


@pytest.mark.parametrize(
    ("name", "architecture", "culprit"),
    [
        ("transformers", {"kind": "audio-spectrogram-transformer", "settings": {"attn_implementation": "a/b"}}, "attn"),
        ("transformers", {"kind": "clap_audio_model", "settings": {"patch_stride": []}, "n_frames": 9}, "index"),
        ("timm:resnet10t", {"checkpoint_path": "/etc/passwd"}, "checkpoint_path"),
        ("timm:resnet10t", {"features_only": True}, "features_only"),
        ("timm:resnet10t", {"block_args": 3}, "resnet10t"),
    ],
)
def test_what_a_strangers_model_says_of_itself_opens_no_file_and_fetches_nothing(name, architecture, culprit):
    facts = {"mean": 0.0, "std": 1.0, **architecture} if name == "transformers" else architecture
    with pytest.raises(UserError, match=culprit):
        build_network(name, {**SETTINGS, "architecture": json.dumps(facts)}, 3)


def test_weights_that_change_after_they_were_looked_at_are_refused(tmp_path):
    pretrained = read_pretrained(f"transformers:{write_ast(tmp_path)}")
    write_ast(tmp_path, initializer_range=0.5)
    with pytest.raises(UserError, match="changed"):
        built(pretrained)


def test_places_and_names_of_labels_are_no_part_of_what_a_network_is(tmp_path):
    before = read_pretrained(f"transformers:{write_ast(tmp_path)}")
    config = json.loads((tmp_path / "config.json").read_text())
    more = {"_name_or_path": "/home/me/secret", "id2label": {"0": "frog"}}
    (tmp_path / "config.json").write_text(json.dumps(config | more))
    assert read_pretrained(f"transformers:{tmp_path}") == before
