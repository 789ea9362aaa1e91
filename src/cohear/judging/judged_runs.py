"""Finished runs asked about clips: as these are, changed, and corrupted."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cohear.errors import UserError
from cohear.evaluation.consistency import Agreement, measure_agreement
from cohear.evaluation.measure import FixedViews, NotFiniteError, answer
from cohear.evaluation.robustness import Right, answer_corrupted
from cohear.judging.judged_clips import JudgedClips
from cohear.judging.verdict import Answered
from cohear.runs.build import COMMON_RECIPE, build_front_end, build_view_maker, open_fixed_views, waveform_reader
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network
from cohear.runtime.devices import make_fabric
from cohear.training.nonfinite import LOWER_RATE

_SHARES = (0.1, 0.4)
"""About how far the work is after clean clips and after changed ones."""


@dataclass(frozen=True, eq=False)
class JudgedRun:
    """What a run says of some clips."""

    run: Run
    clips: JudgedClips
    logits: Float[np.ndarray, "clip label"]
    """Of the clean clips, before the temperature; of one label per clip they are log-probabilities."""
    jsd: Float[np.ndarray, " clip"]
    """Over each clip and two views of `combination`, the same views for every run, nats."""
    agreements: tuple[Agreement, ...]
    right_when_corrupted: Right | None
    """None where that was not asked for."""

    @property
    def is_own(self) -> bool:
        """Whether the clips are of the data that it was trained on."""
        return self.clips.store.fingerprint == self.run.record.data_fingerprint and self.run.is_tested

    @property
    def answered(self) -> Answered:
        """Its answers to the clean clips, beside the truth."""
        task, clips = self.run.task, self.clips
        recordings = [group or path for group, path in zip(clips.groups, clips.paths, strict=True)]
        classes = self.run.record.classes
        decisions = task.decide(self.logits)
        return Answered(task, classes, self.logits, decisions, clips.truth, clips.paths, recordings, clips.n_trained)


def judge_runs(
    chosen: Sequence[tuple[Run, JudgedClips]],
    *,
    corruptions: bool,
    on_progress: Callable[[float, str], None] = lambda _share, _note: None,
) -> list[JudgedRun]:
    """Ask runs about their clips; those that hear the same clips alike share the work of making sounds.

    Args:
        chosen: finished runs, each with its clips.
        corruptions: whether to corrupt them too.
        on_progress: called with the share that is done, 0 to 1, and a note.

    Returns:
        In the order given.

    Raises:
        UserError: where a run's files are missing or damaged, or its answers are not finite.
    """
    groups: dict[str, list[tuple[Run, JudgedClips]]] = {}
    for run, clips in chosen:
        heard = [clips.store.fingerprint, clips.rows.tolist(), run.record.task, run.record.classes]
        heard += [run.config.front_end.model_dump(), run.config.encoder.heard_by()]
        groups.setdefault(json.dumps(heard), []).append((run, clips))
    judged: dict[Path, JudgedRun] = {}
    for number, group in enumerate(groups.values()):

        def update(share: float, note: str, number: int = number) -> None:
            on_progress((number + share) / len(groups), note)

        judged |= {one.run.folder: one for one in _judge_group(group, corruptions, update)}
    return [judged[run.folder] for run, _ in chosen]


def _judge_group(
    group: Sequence[tuple[Run, JudgedClips]], corruptions: bool, on_progress: Callable[[float, str], None]
) -> list[JudgedRun]:
    (first, clips), task = group[0], group[0][0].task
    device = make_fabric("float32").device
    networks = [load_network(run).to(device) for run, _ in group]
    store, rows, read = clips.store, clips.rows, waveform_reader(clips.store, device)
    view_maker = build_view_maker(first.config, COMMON_RECIPE).to(device)
    pool = open_fixed_views(first.config, store, view_maker, COMMON_RECIPE)
    views = FixedViews(store, rows, view_maker, read, pool=pool)
    asked = networks, build_front_end(first.config).to(device), store, rows, read
    begins = _SHARES[1] if corruptions else 1.0
    right: Sequence[Right | None] = [None] * len(group)
    try:
        on_progress(0.0, "clean clips")
        answers = [answer(network, views, task) for network in networks]
        agreements = measure_agreement(
            *asked, task, on_progress=lambda s: on_progress(_SHARES[0] + s * (begins - _SHARES[0]), "changed clips")
        )
        if corruptions:
            right = answer_corrupted(
                *asked,
                clips.truth,
                task,
                on_progress=lambda s: on_progress(begins + s * (1 - begins), "corrupted clips"),
            )
    except NotFiniteError as error:
        whose = next(run for (run, _), network in zip(group, networks, strict=True) if network is error.network)
        raise UserError(
            f"the answers to some clips are not finite with the weights of '{whose.folder}'; {LOWER_RATE}"
        ) from error
    return [
        JudgedRun(run, of_run, said.logits[0], said.jsd, agreement, is_right)
        for (run, of_run), said, agreement, is_right in zip(group, answers, agreements, right, strict=True)
        if said is not None  # nothing stops it
    ]
