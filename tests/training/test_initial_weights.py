"""What is taken over from a trained network, and what is refused."""

import pytest
import torch

from cohear.errors import UserError
from cohear.models import VGG
from cohear.training.initial_weights import start_from

THEIRS, OURS = ("cat", "dog", "rain"), ("bird", "dog", "cat", "wind")


def made(n_classes: int, seed: int, width: float = 1 / 16, normalize_input: bool = True) -> VGG:
    generator = torch.Generator().manual_seed(seed)
    network = VGG(n_classes, width, normalize_input=normalize_input, generator=generator)
    with torch.no_grad():
        for buffer in network.buffers():  # as training leaves them
            buffer.add_(torch.rand(buffer.shape, generator=generator).to(buffer.dtype) + 1)
        network.linear.bias.copy_(torch.rand(n_classes, generator=generator))
    return network


def test_features_and_shared_classes_are_taken_over_and_new_classes_keep_their_drawn_rows():
    trained, drawn, network = made(3, seed=1), made(4, seed=2), made(4, seed=2)
    assert start_from(network, trained.state_dict(), THEIRS, OURS) == 2
    log_mels = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0))
    networks = (network.eval(), trained.eval())
    torch.testing.assert_close(*(net.embed(log_mels) for net in networks), rtol=0, atol=0)
    ours, theirs = (net(log_mels) for net in networks)
    torch.testing.assert_close(ours[:, [2, 1]], theirs[:, [0, 1]])
    for parameter in ("weight", "bias"):
        new, untouched = getattr(network.linear, parameter), getattr(drawn.linear, parameter)
        assert torch.equal(new[[0, 3]], untouched[[0, 3]])
    assert network.state_dict()["input_norm.num_batches_tracked"] == trained.input_norm.num_batches_tracked


def test_no_shared_class_still_gives_the_features():
    network = made(4, seed=2)
    assert start_from(network, made(3, seed=1).state_dict(), ("a", "b", "c"), OURS) == 0
    assert torch.equal(network.blocks[0][0].weight, made(3, seed=1).blocks[0][0].weight)


def without(name: str) -> dict[str, torch.Tensor]:
    return {n: t for n, t in made(3, seed=1).state_dict().items() if n != name}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (made(3, 1, width=1 / 8).state_dict(), r"shape 4 there.*|.* here; choose network\.width as it was there"),
        (made(3, 1, normalize_input=False).state_dict(), r"lack 'input_norm\..*; choose network\.normalize_input"),
        (without("blocks.1.3.weight"), r"lack 'blocks\.1\.3\.weight'; give a run or a model of this version"),
        ({**without(""), "head.weight": torch.zeros(1)}, r"have 'head\.weight', which this network has not"),
        (made(5, 1).state_dict(), "have 5 classes and names for 3"),
    ],
    ids=["width", "input norm", "lacking", "unknown", "classes"],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(tensors, said):
    network = made(4, seed=2)
    with pytest.raises(UserError, match=said):
        start_from(network, tensors, THEIRS, OURS)
    before = made(4, seed=2).state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
