"""Numbers that change with the epoch: the consistency weight and the learning rate."""

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


def step_decay(epoch: int, initial: float = 5e-4, factor: float = 0.9, every: float = 2.0) -> float:
    """Multiply a learning rate by `factor` after every `every` epochs (Iqbal et al. 2021, section 4.2).

    Args:
        epoch: counted from 0.
        initial: the rate of epoch 0, > 0.
        factor: in (0, 1].
        every: epochs between two decays, > 0; a fraction decays more than once an epoch.

    Example:
        >>> [round(step_decay(epoch, 1.0), 3) for epoch in (0, 1, 2, 3, 4)]
        [1.0, 1.0, 0.9, 0.9, 0.81]
    """
    # The small margin keeps e.g. epoch 2 of every 2/3 at three decays, where 2 / (2/3) is a hair below 3.
    return initial * factor ** math.floor(epoch / every + 1e-9)
