"""How much damage a classifier's answers survive: the corruptions, each in five severities.

Conventions:
    An error rate is the share of clips that are not answered rightly, in [0, 1]; of several labels per clip all must be
    right at a probability of one half.

Metrics:
    error_rates: of each corruption and severity.
    mean_corruption_error: their mean, every corruption and severity counted alike.
    relative_corruption_error: beside a baseline's, corruption by corruption (the mCE of Hendrycks and Dietterich 2019).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor, nn

from cohear.data.store import Store
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cohear.evaluation.measure import BATCH_CLIPS, check_answers
from cohear.metrics.tasks import Task
from cohear.models import FrontEnd

Right = Bool[np.ndarray, "corruption severity clip"]
"""Whether each corrupted clip is answered rightly, in the order of `CORRUPTIONS`."""


@torch.inference_mode()
def answer_corrupted(
    networks: Sequence[nn.Module],
    front_end: FrontEnd,
    store: Store,
    rows: Int64[np.ndarray, " clip"],
    read: Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]],
    truth: Bool[np.ndarray, "clip label"],
    task: Task,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> list[Right]:
    """Corrupt clips in every way and see which of them networks still answer rightly.

    Networks with one front end hear the same sounds, which are made once for all of them.

    Args:
        networks: log-mels to logits, in eval mode.
        front_end: waveforms to log-mels, on the device of the waveforms.
        store: what the clips are.
        rows: which clips.
        read: rows of the store to waveforms on the device of the networks.
        truth: which labels are true of each clip.
        task: of the networks.
        on_progress: called with the share that is done, 0 to 1.

    Returns:
        One array per network.

    Raises:
        NotFiniteError: where an answer is not finite.
    """
    right = np.zeros((len(networks), len(CORRUPTIONS), len(SEVERITIES), len(rows)), bool)
    for number, corruption in enumerate(CORRUPTIONS):
        for severity in SEVERITIES:
            for start in range(0, len(rows), BATCH_CLIPS):
                batch = slice(start, start + BATCH_CLIPS)
                clip_keys = store.clip_keys[rows[batch]]
                sounds = corruption.apply(read(rows[batch]), clip_keys, severity, store.sample_rate)
                log_mels = front_end(sounds)
                for network, its in zip(networks, right, strict=True):
                    logits = network(log_mels).float()
                    check_answers(logits, network)
                    its[number, severity - 1, batch] = task.right(logits.cpu().numpy(), truth[batch])
            on_progress((number + severity / len(SEVERITIES)) / len(CORRUPTIONS))
    return list(right)


def error_rates(right: Right) -> Float64[np.ndarray, "corruption severity"]:
    """Compute the error rate of each corruption and severity."""
    return 1 - right.mean(axis=-1)


def mean_corruption_error(right: Right) -> float:
    """Compute the mean error rate over corruptions and severities."""
    return float(error_rates(right).mean())


def relative_corruption_error(
    rates: Float64[np.ndarray, "corruption severity"], baseline: Float64[np.ndarray, "corruption severity"]
) -> float | None:
    """Compute the mean over corruptions of the errors, summed over severities, over those of a baseline.

    1 is as good as the baseline, less is better; hard corruptions weigh no more than easy ones.

    Args:
        rates: error rates.
        baseline: error rates of the baseline.

    Returns:
        None where the baseline makes no error under some corruption.

    Example:
        >>> relative_corruption_error(np.array([[0.1, 0.2], [0.2, 0.2]]), np.array([[0.2, 0.4], [0.2, 0.6]]))
        0.5
    """
    sums, of_baseline = rates.sum(axis=1), baseline.sum(axis=1)
    return float((sums / of_baseline).mean()) if of_baseline.all() else None
