"""What a report shows of a few clips: each view's sound, its log-mel and what the classifier says of it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import nn

from cohear.data.store import Store
from cohear.evaluation.fixed_views import EVALUATION_SEED, N_VIEWS, clip_facts
from cohear.evaluation.measure import check_answers
from cohear.metrics.tasks import Task
from cohear.objectives import LIKELIHOODS
from cohear.views import ViewMaker, view_keys


@dataclass(frozen=True)
class ShownView:
    """One view of one clip."""

    description: str
    """What was done to the clip, as `clean` or `pitch +1.5 semitones`."""
    waveform: Float[np.ndarray, " time"]
    """The sound of the view; for a spectrogram transform that of the clean clip."""
    log_mel: Float[np.ndarray, "band frame"]
    """What the network sees, dB."""
    probabilities: Float[np.ndarray, " label"]
    """What the classifier says of it, in the order of the run's classes."""


@dataclass(frozen=True)
class ShownClip:
    """One clip with its views, the clean one first."""

    path: str
    labels: tuple[str, ...]
    """The class, or several, or none."""
    classes: tuple[str, ...]
    sample_rate: int
    """Hz, of every view's waveform."""
    views: tuple[ShownView, ...]
    jsd: float
    """Jensen-Shannon divergence over the views, nats."""


@torch.no_grad()
def show_clips(
    network: nn.Module,
    store: Store,
    rows: Int64[np.ndarray, " clip"],
    view_maker: ViewMaker,
    task: Task,
    temperature: float = 1.0,
) -> tuple[ShownClip, ...]:
    """Make the evaluation views of a few clips again, with everything that a person wants to see and hear of them.

    Args:
        network: in eval mode, on the CPU.
        store: where the clips are.
        rows: which clips.
        view_maker: the transform to show, its front end on the CPU.
        task: of the network.
        temperature: logits are divided by it for the probabilities, as for predictions.

    Raises:
        NotFiniteError: where an answer is not finite.
    """
    views = np.repeat(np.arange(N_VIEWS)[:, None], len(rows), axis=1)
    cell_keys = view_keys(EVALUATION_SEED, 0, store.clip_keys[rows], views)
    made = view_maker.make(torch.from_numpy(store.read(rows)), views, cell_keys, clip_facts(store, rows))
    logits, likelihood = network(made.inputs), LIKELIHOODS[task.likelihood]
    log_probabilities = likelihood.log_probabilities(logits / temperature)
    divergences = likelihood.jensen_shannon_divergence(logits)
    check_answers(log_probabilities, network)
    check_answers(divergences, network)
    probabilities = log_probabilities.exp().numpy()
    descriptions = np.full(views.size, "clean", dtype=object)
    if made.parameters is not None:
        descriptions[made.rows] = made.parameters.describe()
    descriptions = descriptions.reshape(views.shape)
    return tuple(
        ShownClip(
            path=store.clips[row].path,
            labels=store.clips[row].labels,
            classes=tuple(store.classes),
            sample_rate=store.sample_rate,
            views=tuple(
                ShownView(
                    description=str(descriptions[view, column]),
                    waveform=made.waveforms[view, column].numpy(),
                    log_mel=made.inputs[view, column].numpy(),
                    probabilities=probabilities[view, column],
                )
                for view in range(N_VIEWS)
            ),
            jsd=float(divergences[column]),
        )
        for column, row in enumerate(rows)
    )
