"""What stands on an encoder, against numpy."""

import numpy as np
import pytest
import torch

from cohear.errors import UserError
from cohear.models import NetworkWithHead, build_network

SETTINGS = {"n_bands": 6, "hidden": 0, "normalize_input": True}
EMBEDDINGS = torch.randn(8, 6, 1, generator=torch.Generator().manual_seed(0)) * 3 + 2


def made(seed: int = 0, **changes) -> NetworkWithHead:
    return build_network("encoder", SETTINGS | changes, 4, torch.Generator().manual_seed(seed))


def test_one_scale_and_shift_make_features_of_an_embedding_and_a_linear_layer_logits():
    network = made()
    assert sum(parameter.numel() for parameter in network.parameters()) == 2 + 6 * 4 + 4
    trained = network(EMBEDDINGS).detach().numpy()  # in training the batch's own mean and variance
    values = EMBEDDINGS[..., 0].numpy()
    normalized = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    weight, bias = network.head.weight.detach().numpy(), network.head.bias.detach().numpy()
    np.testing.assert_allclose(trained, normalized @ weight.T + bias, rtol=1e-4, atol=1e-5)


def test_a_hidden_layer_has_a_relu_and_weights_of_the_generator_alone():
    state = torch.get_rng_state()
    network, again, other = made(1, hidden=5), made(1, hidden=5), made(2, hidden=5)
    assert torch.equal(torch.get_rng_state(), state)
    features = network.eval().embed(EMBEDDINGS)
    assert features.shape == (8, 5)
    assert (features >= 0).all()
    assert torch.equal(features, again.eval().embed(EMBEDDINGS))
    assert not torch.equal(features, other.eval().embed(EMBEDDINGS))


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_step_lowers_the_loss_and_leading_axes_are_kept(hidden):
    network, labels = made(hidden=hidden), torch.arange(8) % 4
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    before = torch.nn.functional.cross_entropy(network(EMBEDDINGS), labels)
    before.backward()
    optimizer.step()
    assert torch.nn.functional.cross_entropy(network(EMBEDDINGS), labels) < before
    assert network(EMBEDDINGS.expand(3, 8, 6, 1)).shape == (3, 8, 4)


def test_an_argument_is_refused():
    with pytest.raises(UserError, match="--encoder"):
        build_network("encoder:yamnet", SETTINGS, 4)
