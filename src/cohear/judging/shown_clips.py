"""What a report shows of a few clips: each view's sound, its log-mel and what the classifier says of it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import nn

from cohear.data.store import Store
from cohear.errors import UserError
from cohear.evaluation.measure import EVALUATION_SEED, N_VIEWS, NotFiniteError, check_answers, clip_facts
from cohear.metrics.tasks import Task
from cohear.models import LogMel
from cohear.objectives import LIKELIHOODS
from cohear.runs.build import build_log_mel, build_view_maker, shown_recipe
from cohear.runs.finding import find_sounds
from cohear.runs.plan import Plan, list_again
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network
from cohear.views import ViewMaker, view_keys


@dataclass(frozen=True)
class ShownView:
    """One view of one clip."""

    description: str
    """What was done to the clip, as `clean` or `pitch +1.5 semitones`."""
    waveform: Float[np.ndarray, " time"]
    """The sound of the view; for a spectrogram transform that of the clean clip."""
    log_mel: Float[np.ndarray, "band frame"]
    """Of the view, dB: what the network hears, unless an encoder hears for it."""
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
    log_mel: LogMel | None = None,
) -> tuple[ShownClip, ...]:
    """Make the evaluation views of a few clips again, with everything that a person wants to see and hear of them.

    Args:
        network: in eval mode, on the CPU.
        store: where the clips are.
        rows: which clips.
        view_maker: the transform to show, its front end on the CPU.
        task: of the network.
        temperature: logits are divided by it for the probabilities, as for predictions.
        log_mel: makes the pictures; None: they are what the network hears.

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
    pictures = made.inputs if log_mel is None else log_mel(made.waveforms)
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
                    log_mel=pictures[view, column].numpy(),
                    probabilities=probabilities[view, column],
                )
                for view in range(N_VIEWS)
            ),
            jsd=float(divergences[column]),
        )
        for column, row in enumerate(rows)
    )


class SoundsGoneError(UserError):
    """What a run's clips are shown with is not, or no longer, there: its sounds, its rooms or its weights.

    Args:
        reason: what is gone.
        remedy: what to do.
    """

    def __init__(
        self, reason: str, remedy: str = "give the command where training was started, with the sounds in their place"
    ) -> None:
        super().__init__(reason)
        self.remedy = remedy


def find_plan(run: Run) -> Plan:
    """Make the plan of a finished run anew.

    Raises:
        SoundsGoneError: where its sounds or rooms are no longer what they were.
    """
    record = run.record
    config = record.config
    try:
        data = list_again(find_sounds(run), config).decode()
        plan = Plan(config, data, record.track, record.model, run.folder)
        if data.store.fingerprint != record.data_fingerprint:
            raise UserError(f"'{record.data_path}' no longer holds what the run was trained on")
        if not plan.record.contents.items() <= record.contents.items():
            raise UserError(f"what '{config.views.transform}' rests on is no longer what it was")
    except UserError as error:
        raise SoundsGoneError(str(error)) from error
    return plan


def show_test_clips(run: Run, plan: Plan, n_clips: int = 4) -> tuple[ShownClip, ...]:
    """Show what a finished run makes of a few test clips, from the least consistent to the most.

    Silent clips are shown only where there are no others.

    Args:
        run: finished, on a fold.
        plan: of the run.
        n_clips: that are shown.

    Raises:
        SoundsGoneError: where the run's weights are not there.
        UserError: where a file of the run is missing or damaged, or its answers are not finite.
    """
    if not run.weights_path.exists():
        raise SoundsGoneError("its weights are missing", "copy them into its folder")
    network, predictions, store = load_network(run), run.predictions, plan.data.store
    divergence = dict(zip(predictions.paths, predictions.jsd.tolist(), strict=True))
    heard = [row for row in plan.split.test if store.rows.read(np.array([row])).any()]
    ranked = sorted(heard or plan.split.test, key=lambda row: -divergence.get(store.clips[row].id, 0.0))
    chosen = [ranked[round(i)] for i in np.linspace(0, len(ranked) - 1, min(n_clips, len(ranked)))]
    view_maker = build_view_maker(plan.config, shown_recipe(plan.config))
    log_mel = None if plan.config.encoder.file is None else build_log_mel(plan.config)
    temperature = run.calibration.temperature
    try:
        return show_clips(network, store, np.array(chosen), view_maker, plan.data.task, temperature, log_mel)
    except NotFiniteError as error:
        raise UserError(f"no clips of '{run.folder}' can be shown: {error}") from error
