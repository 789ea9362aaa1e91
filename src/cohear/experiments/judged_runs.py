"""Finished runs asked about clips: clean, changed and corrupted."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from cohear.errors import UserError
from cohear.evaluation.answering import MULTI_LABEL, SINGLE_LABEL, NotFiniteError
from cohear.evaluation.calibration import Calibration, read_calibration
from cohear.evaluation.consistency import Agreement, measure_agreement
from cohear.evaluation.fixed_views import FixedViews
from cohear.evaluation.measure import Answers, answer
from cohear.evaluation.robustness import Right, answer_corrupted
from cohear.experiments.build import build_front_end, build_view_maker
from cohear.experiments.judged_clips import JudgedClips
from cohear.experiments.resident_clips import waveform_reader
from cohear.experiments.run_folder import RunRecord
from cohear.experiments.trained_network import load_network
from cohear.metrics.multi_label import bernoulli_logits
from cohear.models import VGG
from cohear.runtime.devices import make_fabric
from cohear.training.nonfinite import LOWER_RATE

_NOT_HEARD = {"transform", "n_transformed"}
"""Of `views`: what training looked at, and the views of `combination` do not."""
_SHARES = (0.1, 0.4, 1.0)
"""About how far the work is after clean clips, changed ones and corrupted ones."""


@dataclass(frozen=True, eq=False)
class _Run:
    folder: Path
    clips: JudgedClips
    record: RunRecord
    network: VGG
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class JudgedRun:
    """What a run says of some clips."""

    folder: Path
    record: RunRecord
    calibration: Calibration
    clips: JudgedClips
    logits: Float[np.ndarray, "clip label"]
    """Of the clean clips, before the temperature; of one label per clip they are log-probabilities."""
    jsd: Float[np.ndarray, " clip"]
    """Over each clip and two views of `combination`, the same views for every run, nats."""
    agreements: tuple[Agreement, ...]
    right_when_corrupted: Right | None
    """None where that was not asked for."""


def judge_runs(
    chosen: Sequence[tuple[Path, JudgedClips]],
    *,
    corruptions: bool,
    on_progress: Callable[[float, str], None] = lambda _share, _note: None,
) -> list[JudgedRun]:
    """Ask runs about their clips; those that hear the same clips alike share the work of making sounds.

    Args:
        chosen: folders of finished runs, each with its clips.
        corruptions: whether to corrupt them too.
        on_progress: called with the share that is done, 0 to 1, and a note.

    Returns:
        In the order given.

    Raises:
        UserError: where a run's files are missing or damaged, or its answers are not finite.
    """
    groups: dict[str, list[int]] = {}
    runs = [_Run(folder, clips, *load_network(folder), read_calibration(folder)) for folder, clips in chosen]
    for place, run in enumerate(runs):
        groups.setdefault(_what_is_heard(run), []).append(place)
    judged: dict[int, JudgedRun] = {}
    for number, places in enumerate(groups.values()):

        def update(share: float, note: str, number: int = number) -> None:
            on_progress((number + share) / len(groups), note)

        judged |= zip(places, _judge_group([runs[place] for place in places], corruptions, update), strict=True)
    return [judged[place] for place in range(len(chosen))]


def _what_is_heard(run: _Run) -> str:
    """Name what has to be the same for runs to hear the same sounds in the same way."""
    config, clips = run.record.config, run.clips
    heard = {
        "clips": [clips.store.fingerprint, clips.rows.tolist(), run.record.multi_label, run.record.classes],
        "front_end": config.front_end.model_dump(),
        "views": config.views.model_dump(exclude=_NOT_HEARD),
    }
    return json.dumps(heard)


def _judge_group(
    group: Sequence[_Run], corruptions: bool, on_progress: Callable[[float, str], None]
) -> Iterable[JudgedRun]:
    clips, record = group[0].clips, group[0].record
    device = make_fabric("float32").device
    networks = [run.network.to(device) for run in group]
    store, rows, read = clips.store, clips.rows, waveform_reader(clips.store, device)
    answering = MULTI_LABEL if record.multi_label else SINGLE_LABEL
    view_maker = build_view_maker(record.config, "combination")
    view_maker.front_end.to(device)
    views = FixedViews(store, rows, view_maker, read)
    on_progress(0.0, "clean clips")
    with _named("the clips", group):
        answers = [_given(answer(network, views, answering=answering)) for network in networks]
    front_end = build_front_end(record.config).to(device)

    def during(part: int, note: str) -> Callable[[float], None]:
        start, end = _SHARES[part - 1], _SHARES[part] if corruptions else 1.0
        return lambda share: on_progress(start + share * (end - start), note)

    asked, multi_label = (networks, front_end, store, rows, read), record.multi_label
    with _named("changed clips", group):
        agreements = measure_agreement(*asked, multi_label=multi_label, on_progress=during(1, "changed clips"))
    right: Sequence[Right | None] = [None] * len(group)
    if corruptions:
        with _named("corrupted clips", group):
            right = answer_corrupted(
                *asked, clips.truth, multi_label=multi_label, on_progress=during(2, "corrupted clips")
            )
    for place, run in enumerate(group):
        clean = answers[place].log_probabilities[0]
        yield JudgedRun(
            folder=run.folder,
            record=run.record,
            calibration=run.calibration,
            clips=run.clips,
            logits=bernoulli_logits(clean) if record.multi_label else clean,
            jsd=answers[place].jsd,
            agreements=agreements[place],
            right_when_corrupted=right[place],
        )


@contextmanager
def _named(clips: str, group: Sequence[_Run]) -> Iterator[None]:
    """Say of answers that are no numbers which clips were asked about, and which run."""
    try:
        yield
    except NotFiniteError as error:
        folder = next(run.folder for run in group if run.network is error.network)
        raise UserError(
            f"the answers to {clips} are not finite with the weights of '{folder}'; {LOWER_RATE}"
        ) from error


def _given(answers: Answers | None) -> Answers:
    assert answers is not None  # nothing stops it
    return answers
