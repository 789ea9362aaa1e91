import torch

from cohear.dsp.kept_tensors import keep_tensors


def test_what_is_made_while_predicting_can_be_trained_through():
    calls = []

    @keep_tensors(maxsize=2)
    def ones(n: int) -> torch.Tensor:
        calls.append(n)
        return torch.ones(n)

    with torch.inference_mode():
        ones(3)
    weights = torch.zeros(3, requires_grad=True)
    (weights * ones(3)).sum().backward()
    assert calls == [3]
    assert weights.grad is not None
