"""Contract: every network. Hand-computed: parameters of the VGG."""

import itertools
import json

import jaxtyping
import pytest
import torch
from torch.nn import functional as F

from cohear.errors import UserError
from cohear.models import NETWORKS, VGG, NetworkWithHead, build_network
from cohear.models.network import Builder, parameter_groups
from made_transformers import AST, CLAP

SETTINGS = {
    "width": 1 / 16,
    "pooling": "max",
    "global_pooling": "average",
    "normalize_input": True,
    "architecture": None,
}
OF_AST = {"settings": {**AST, "max_length": 192, "num_mel_bins": 32, "layer_norm_eps": 1.0}, "mean": 0.0, "std": 0.1}
OF_CLAP = {"settings": {**CLAP, "num_mel_bins": 32, "hidden_dropout_prob": 0.0}, "n_frames": 120}
VARIANTS = [
    ("vgg", {}),
    ("vgg", {"pooling": "average"}),
    ("vgg", {"global_pooling": "max", "normalize_input": False}),
    pytest.param("timm:resnet10t", {}, marks=pytest.mark.slow),
    pytest.param("timm:mobilenetv3_small_050", {"global_pooling": "max"}, marks=pytest.mark.slow),
    *(
        pytest.param("transformers", {"architecture": json.dumps({"kind": kind, **facts})}, marks=pytest.mark.slow)
        for kind, facts in (("audio-spectrogram-transformer", OF_AST), ("clap_audio_model", OF_CLAP))
    ),
]
every_network = pytest.mark.parametrize(("name", "changes"), VARIANTS)


def made(name: str = "vgg", seed: int = 0, n_classes: int = 4, **changes) -> NetworkWithHead:
    return build_network(name, SETTINGS | changes, n_classes, torch.Generator().manual_seed(seed))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_fifty_classes_make_4_71_million_parameters():
    widths = [1, 64, 64, 128, 128, 256, 256, 512, 512]
    convolutions = sum(9 * a * b for a, b in itertools.pairwise(widths))
    norms = 2 * (1 + sum(widths[1:]))
    expected = convolutions + norms + 512 * 50 + 50
    assert sum(parameter.numel() for parameter in VGG().parameters()) == expected == 4_711_796


@pytest.mark.parametrize(("pooling", "pool"), [("max", F.max_pool2d), ("average", F.avg_pool2d)])
def test_the_vgg_computes_what_the_paper_describes(pooling, pool):
    network, log_mels = VGG(n_classes=3, width=1 / 16, pooling=pooling), noise(2, 32, 48)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    first, *norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]

    def normalized(maps: torch.Tensor, norm: torch.nn.BatchNorm2d) -> torch.Tensor:
        return F.batch_norm(maps, None, None, norm.weight, norm.bias, training=True)

    maps = normalized(log_mels[:, None], first)
    for place, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        maps = F.relu(normalized(F.conv2d(maps, convolution.weight, padding=1), norm))
        maps = pool(maps, 2) if place % 2 else maps
    logits = network.classify(maps.mean((2, 3)))
    torch.testing.assert_close(network(log_mels), logits, rtol=1e-4, atol=1e-5)
    expected = torch.autograd.grad(logits.square().sum(), [*network.parameters()])
    gradients = torch.autograd.grad(network(log_mels).square().sum(), [*network.parameters()])
    torch.testing.assert_close(gradients, expected, rtol=1e-3, atol=1e-4)


@every_network
def test_leading_axes_are_kept_and_clips_judged_one_by_one_in_eval_mode(name, changes):
    network = made(name, **changes).eval()
    log_mels = noise(3, 2, 32, 40)
    with torch.no_grad():
        logits, embeddings = network(log_mels), network.embed(log_mels)
        alone = network(log_mels[1, 1])
    assert logits.shape == (3, 2, 4)
    assert embeddings.shape == (3, 2, network.body.n_features)
    torch.testing.assert_close(logits[1, 1], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(network.classify(embeddings), logits)


@every_network
def test_several_lengths_are_heard_and_one_step_lowers_the_loss(name, changes):
    network, least = made(name, **changes), made(name, **changes).body.input
    large = least.most_bands or 64, least.most_frames or 184
    assert network(noise(2, least.min_bands, least.min_frames)).shape == network(noise(2, *large)).shape
    log_mels, labels = noise(8, 32, 40), torch.arange(8) % 4
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    before = torch.nn.functional.cross_entropy(network(log_mels), labels)
    before.backward()
    optimizer.step()
    assert torch.nn.functional.cross_entropy(network(log_mels), labels) < before


@every_network
def test_the_generator_alone_decides_the_weights_and_none_other_is_touched(name, changes):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = made(name, 3, **changes)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again, other = made(name, 3, **changes), made(name, 4, **changes)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.head.weight, other.head.weight)
    convolutions = [next(p for p in network.parameters() if p.ndim == 4) for network in (first, other)]
    assert not torch.equal(*convolutions)


@every_network
def test_blocks_hold_every_parameter_once_and_what_is_frozen_stays(name, changes):
    network = made(name, **changes)
    blocks = network.parameter_blocks()
    assert sorted(itertools.chain(*blocks)) == sorted(name for name, _ in network.named_parameters())
    assert len(blocks) >= 3
    network.train_last(1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=0.1)
    network.train()(noise(8, 32, 40)).square().sum().backward()
    optimizer.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    statistics = {name for name, _ in network.named_buffers()}
    assert changed - statistics <= {*blocks[-2], *blocks[-1]}
    modules_trained = {name.rpartition(".")[0] for name in (*blocks[-2], *blocks[-1])}
    assert {name.rpartition(".")[0] for name in changed & statistics} <= modules_trained
    assert {"head.weight", "head.bias"} <= changed


def test_rates_fall_from_the_head_to_the_input():
    network = made()
    groups = parameter_groups(network, 0.5)
    assert [group["rate"] for group in groups] == [
        1,
        0.5,
        0.25,
        0.125,
        0.0625,
    ]  # head and norm of the input, four blocks
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert [len(group["params"]) for group in groups] == [4, 6, 6, 6, 6]
    (alone,) = parameter_groups(network)
    assert all(a is b for a, b in zip(alone["params"], network.parameters(), strict=True))


@every_network
def test_on_the_meta_device_names_and_shapes_are_there_and_no_numbers(name, changes):
    with torch.device("meta"):
        described = made(name, **changes)
    real = made(name, **changes)
    assert described.body.input == real.body.input
    shapes = ({n: (t.shape, t.dtype) for n, t in network.state_dict().items()} for network in (described, real))
    assert next(shapes) == next(shapes)
    assert all(parameter.is_meta for parameter in described.parameters())


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("vgh", "did you mean 'vgg'"),
        ("vgg:16", "network.width"),
        pytest.param("timm:resnet10", "resnet10t", marks=pytest.mark.slow),
        pytest.param("timm:vit_tiny_patch16_224", "vit_tiny_patch16_224", marks=pytest.mark.slow),
    ],
)
def test_what_is_no_network_for_spectrograms_is_refused_by_name(name, culprit):
    with pytest.raises(UserError, match=culprit):
        made(name)


def test_a_spectrogram_too_small_is_refused_with_the_setting_to_change():
    with pytest.raises(UserError, match=r"data\.clip_s"):
        made()(torch.zeros(1, 64, 15))
    with pytest.raises(UserError, match=r"front_end\.n_mels"):
        made()(torch.zeros(1, 15, 64))


def test_the_names_are_a_dictionary_of_builders():
    assert {"vgg", "timm"} <= set(NETWORKS)
    builder: Builder = NETWORKS["vgg"]
    assert builder("", SETTINGS, None).n_features == 32


@pytest.mark.slow
def test_a_compiled_network_says_the_same_and_the_next_one_needs_no_program_of_its_own(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of annotations cannot be compiled
    counts = torch._dynamo.utils.counters["stats"]
    n_programs = []
    for seed in (0, 1):
        plain, compiled = (made(seed=seed) for _ in range(2))
        compiled.compile_features(backend="aot_eager")
        assert list(compiled.state_dict()) == list(plain.state_dict())
        for shape in ((6, 16, 20), (3, 2, 16, 20), (1, 6, 16, 20)):  # one folded batch, whatever its views
            torch.testing.assert_close(compiled(noise(*shape)), plain(noise(*shape)))
            compiled(noise(*shape)).sum().backward()
        with torch.no_grad():
            compiled.eval()(noise(6, 16, 20))
        n_programs.append(counts["unique_graphs"])
    assert n_programs[0] == n_programs[1] > 0
