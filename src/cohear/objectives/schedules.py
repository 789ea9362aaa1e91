"""Numbers that change with time, in epochs: the consistency weight and the learning rate."""

import math


def linear_ramp(epoch: int, final: float = 5.0, n_epochs: float = 10, *, offset: float = 0.0) -> float:
    """Raise a weight linearly to its final value (Iqbal et al. 2021, section 3.3).

    Args:
        epoch: counted from 0.
        final: the weight from epoch `n_epochs` on; lambda of Eq. (3).
        n_epochs: m of the paper, 0 or more; 0 gives `final` at once.
        offset: epochs already climbed at epoch 0: 0 starts at zero, 1 at the first step.

    Example:
        >>> [linear_ramp(epoch) for epoch in (0, 1, 10, 71)]
        [0.0, 0.5, 5.0, 5.0]
    """
    return final if n_epochs == 0 else final * min((epoch + offset) / n_epochs, 1.0)


def step_decay(epoch: float, initial: float = 5e-4, factor: float = 0.9, every: float = 2.0) -> float:
    """Multiply a learning rate by `factor` after every `every` epochs (Iqbal et al. 2021, section 4.2).

    Args:
        epoch: counted from 0; a fraction says where in it, which changes nothing.
        initial: the rate of epoch 0, > 0.
        factor: in (0, 1].
        every: epochs between two decays, > 0; a fraction decays more than once an epoch.

    Example:
        >>> [round(step_decay(epoch, 1.0), 3) for epoch in (0, 1, 2, 3, 4)]
        [1.0, 1.0, 0.9, 0.9, 0.81]
    """
    # The small margin keeps e.g. epoch 2 of every 2/3 at three decays, where 2 / (2/3) is a hair below 3.
    return initial * factor ** math.floor(math.floor(epoch) / every + 1e-9)


def warm_cosine(epoch: float, n_epochs: float, highest: float = 3e-3, warmup_epochs: float = 0.0) -> float:
    """Raise a learning rate linearly from zero, then lower it to zero along half a cosine.

    The cosine is that of Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    without restarts; the rise that of Goyal et al., "Accurate, large minibatch SGD", 2017.

    Args:
        epoch: counted from 0; a fraction says where in it.
        n_epochs: after which it is zero; one that is shorter than the rise ends in it.
        highest: the rate at the end of the rise, > 0.
        warmup_epochs: of the rise, 0 or more.

    Example:
        >>> [round(warm_cosine(epoch, 6, 1.0, warmup_epochs=2), 3) for epoch in (0, 1, 2, 3, 4, 6)]
        [0.0, 0.5, 1.0, 0.854, 0.5, 0.0]
    """
    if epoch >= n_epochs:
        return 0.0
    if epoch < warmup_epochs:
        return highest * epoch / warmup_epochs
    share = (epoch - warmup_epochs) / (n_epochs - warmup_epochs)
    return highest * (1 + math.cos(math.pi * share)) / 2
