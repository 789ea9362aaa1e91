"""Contract: every network. Hand-computed: parameters of the VGG."""

import itertools

import jaxtyping
import pytest
import torch

from cohear.errors import UserError
from cohear.models import NETWORKS, VGG, NetworkWithHead, build_network
from cohear.models.network import Builder

SETTINGS = {"width": 1 / 16, "pooling": "max", "global_pooling": "average", "normalize_input": True}
VARIANTS = [
    ("vgg", {}),
    ("vgg", {"pooling": "average"}),
    ("vgg", {"global_pooling": "max", "normalize_input": False}),
    pytest.param("timm:resnet10t", {}, marks=pytest.mark.slow),
    pytest.param("timm:mobilenetv3_small_050", {"global_pooling": "max"}, marks=pytest.mark.slow),
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
    assert network(noise(2, least.min_bands, least.min_frames)).shape == network(noise(2, 64, 184)).shape
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
