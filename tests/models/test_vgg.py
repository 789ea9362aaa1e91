"""Hand-computed: parameters. Contract: every variant of the network."""

import itertools

import jaxtyping
import pytest
import torch

from cohear.models import VGG

VARIANTS = [
    {},
    {"pooling": "average"},
    {"global_pooling": "max"},
    {"normalize_input": False},
    {"width": 1 / 8, "n_classes": 10},
]


def small(**options) -> VGG:
    return VGG(**{"n_classes": 4, "width": 1 / 16, **options})


def test_fifty_classes_make_4_71_million_parameters():
    widths = [1, 64, 64, 128, 128, 256, 256, 512, 512]
    convolutions = sum(9 * a * b for a, b in itertools.pairwise(widths))
    norms = 2 * (1 + sum(widths[1:]))
    expected = convolutions + norms + 512 * 50 + 50
    assert sum(parameter.numel() for parameter in VGG().parameters()) == expected == 4_711_796


@pytest.mark.parametrize("options", VARIANTS)
def test_every_network_keeps_leading_axes_and_judges_clips_one_by_one_in_eval_mode(options):
    network = small(**options).eval()
    log_mels = torch.randn(3, 2, 32, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = network(log_mels)
        alone = network(log_mels[1, 1])
        from_embedding = network.linear(network.embed(log_mels))
    assert logits.shape == (3, 2, network.n_classes)
    torch.testing.assert_close(logits[1, 1], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(from_embedding, logits)


@pytest.mark.parametrize("options", VARIANTS)
def test_every_network_accepts_several_lengths_and_one_step_lowers_its_loss(options):
    network = small(**options)
    assert network(torch.zeros(2, 16, 16)).shape == network(torch.zeros(2, 64, 184)).shape
    log_mels, labels = torch.randn(8, 32, 40, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    before = torch.nn.functional.cross_entropy(network(log_mels), labels)
    before.backward()
    optimizer.step()
    assert torch.nn.functional.cross_entropy(network(log_mels), labels) < before


def test_the_generator_alone_decides_the_weights():
    first, again = (small(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    other = small(generator=torch.Generator().manual_seed(4))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.linear.weight, other.linear.weight)


def test_a_clip_too_short_for_the_pooling_is_refused_in_words():
    with pytest.raises(ValueError, match="at least 16 of each; use longer clips"):
        small()(torch.zeros(1, 64, 15))


@pytest.mark.slow
def test_a_compiled_network_says_the_same_and_the_next_one_needs_no_program_of_its_own(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of annotations cannot be compiled
    counts = torch._dynamo.utils.counters["stats"]
    n_programs = []
    for seed in (0, 1):
        plain, compiled = (VGG(5, width=1 / 32, generator=torch.Generator().manual_seed(seed)) for _ in range(2))
        compiled.compile_features(backend="aot_eager")
        assert list(compiled.state_dict()) == list(plain.state_dict())
        for shape in ((6, 16, 20), (3, 2, 16, 20), (1, 6, 16, 20)):  # one folded batch, whatever its views
            log_mels = torch.randn(shape, generator=torch.Generator().manual_seed(2))
            torch.testing.assert_close(compiled(log_mels), plain(log_mels))
            compiled(log_mels).sum().backward()
        with torch.no_grad():
            compiled.eval()(log_mels)
        n_programs.append(counts["unique_graphs"])
    assert n_programs[0] == n_programs[1] > 0
