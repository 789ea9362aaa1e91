"""Which windows of recordings are worth labeling next, written as a folder of clips and a table to fill in.

A window is worth it where the classifier is unsure of it or contradicts itself when it hears it changed. One number
says both: the entropy of its mean answer to the window and two views of it, which is the mean entropy of the three
answers plus their Jensen-Shannon divergence.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cohear import keys
from cohear.augmentation import build_augmentation
from cohear.data.audio_decoding import AudioStream, decode_segments
from cohear.data.audio_writing import write_audio
from cohear.data.decoding import fit
from cohear.errors import UserError
from cohear.evaluation.measure import EVALUATION_SEED, N_VIEWS
from cohear.inference.classifier import Classifier
from cohear.inference.recordings import HeardFile
from cohear.inference.tables import csv_line
from cohear.inference.waveforms import Window, cut_windows
from cohear.objectives import LIKELIHOODS
from cohear.runs.build import COMMON_RECIPE
from cohear.runtime import disk
from cohear.runtime.files import check_writable, explain_disk_errors, write_text
from cohear.tensors import on_device
from cohear.views import ViewMaker, view_keys

COLUMNS = ("path", "label", "group", "guess", "probability", "unsure", "from_s", "to_s")
"""Of the table: windows of one recording are one group, which folds do not divide."""
_LONGEST_NAME = 80
_SECONDS_AT_ONCE = 20.0


class Doubt(NamedTuple):
    """A window, and how unsure the classifier is of it."""

    path: Path
    start_s: float
    end_s: float
    unsure: float
    """Entropy of the mean answer, nats; of several labels the mean over them."""
    guess: str
    probability: float
    """Of the guess, in the mean answer."""


def find_doubts(
    classifier: Classifier,
    recordings: Sequence[HeardFile],
    n: int,
    hop_s: float | None = None,
    on_progress: Callable[[float, str], None] = lambda _share, _note: None,
    on_error: Callable[[UserError], None] = lambda _error: None,
) -> list[Doubt]:
    """Find the windows that a classifier is least sure of, none of which overlap.

    Args:
        classifier: what answers.
        recordings: where to look.
        n: windows.
        hop_s: seconds from the beginning of a window to that of the next; None: a window.
        on_progress: called with the share done and the name of a recording.
        on_error: called with what cannot be heard; what comes before the damage counts.

    Returns:
        The least sure first.
    """
    hop = classifier.hop_samples(hop_s)
    view_maker = ViewMaker(build_augmentation(COMMON_RECIPE, classifier.sample_rate), classifier.front_end)
    found = list[Doubt]()
    for place, recording in enumerate(recordings):
        on_progress(place / len(recordings), recording.path.name)
        try:
            stream = AudioStream(recording.path, classifier.sample_rate)
            windows = cut_windows(stream, classifier.n_samples, hop)
            its = list[Doubt]()
            for doubt in _doubts(classifier, view_maker, recording.path, windows):
                its.append(doubt)
                on_progress((place + stream.share_before(doubt.end_s)) / len(recordings), recording.path.name)
        except UserError as error:
            on_error(error)
            continue
        if stream.damage is not None:
            on_error(stream.damage)
        found = sorted([*found, *_apart(its, n)], key=lambda one: -one.unsure)[:n]
    return found


@torch.inference_mode()
def _doubts(classifier: Classifier, view_maker: ViewMaker, path: Path, windows: Iterator[Window]) -> Iterator[Doubt]:
    """Ask about the windows of a recording and two views of each; blank windows are passed over."""
    rate, likelihood = classifier.sample_rate, LIKELIHOODS[classifier.task.likelihood]
    n_at_once, device = max(1, int(_SECONDS_AT_ONCE / classifier.clip_s)), classifier.front_end.device
    sounding = (one for one in windows if np.ptp(one.waveform) > 0)
    while batch := list(islice(sounding, n_at_once)):
        fitted = np.stack([fit(one.waveform, classifier.n_samples, classifier.about.short) for one in batch])
        window_keys = keys.fold_in(np.uint64(keys.hash_text(path.name)), np.array([one.start for one in batch]))
        views = np.repeat(np.arange(N_VIEWS)[:, None], len(batch), axis=1)
        cell_keys = view_keys(EVALUATION_SEED, 0, window_keys, views)
        inputs = view_maker.make(on_device(fitted, device), views, cell_keys).inputs
        logits = classifier.calibrated(classifier.network(inputs))
        mean = likelihood.outcomes(logits).exp().mean(0)  # [window, outcome] or [window, label, 2]
        unsure = torch.special.entr(mean).sum(-1).reshape(len(batch), -1).mean(-1)
        probability, label = likelihood.probabilities(logits).mean(0).max(-1)
        for one, *said in zip(batch, unsure.tolist(), label.tolist(), probability.tolist(), strict=True):
            times = one.start / rate, (one.start + len(one.waveform)) / rate
            yield Doubt(path, *times, said[0], classifier.classes[said[1]], said[2])


def _apart(doubts: Sequence[Doubt], n: int) -> list[Doubt]:
    """Return the `n` least sure ones, without what overlaps one before it."""
    kept = list[Doubt]()
    for one in sorted(doubts, key=lambda doubt: -doubt.unsure):
        if len(kept) == n:
            break
        if all(one.end_s <= other.start_s or one.start_s >= other.end_s for other in kept):
            kept.append(one)
    return kept


def check_empty(folder: Path) -> None:
    """Refuse a folder in which something lies, or that cannot be written.

    Raises:
        UserError: where that is so.
    """
    check_writable(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"'{folder}' is not empty; choose another folder, as clips to label are not mixed with others")


def write_review(folder: Path, doubts: Sequence[Doubt]) -> Path:
    """Write the windows as WAV files, and a table of them with an empty column for the label.

    Args:
        folder: new or empty.
        doubts: from `find_doubts`.

    Returns:
        Where the table lies.

    Raises:
        UserError: where there is something in the folder, it cannot be written, or a recording is gone.
    """
    check_empty(folder)
    lines, names = [csv_line(COLUMNS)], set[str]()
    with explain_disk_errors(folder):
        disk.make_folder(folder / "clips")
    for number, one in enumerate(doubts, 1):
        (audio,) = decode_segments(one.path, [(one.start_s, one.end_s)])
        if isinstance(audio, UserError):
            raise audio
        name = f"{one.path.stem[:_LONGEST_NAME]}_{one.start_s:.2f}s.wav"  # as of one recording, wherever it is moved
        name = f"clips/{number:03}_{name}" if name in names else f"clips/{name}"
        names.add(Path(name).name)
        write_audio(folder / name, audio.waveforms, audio.sample_rate)
        said = one.guess, f"{one.probability:.4f}", f"{one.unsure:.4f}", f"{one.start_s:.3f}", f"{one.end_s:.3f}"
        lines.append(csv_line((name, "", one.path, *said)))
    write_text(folder / "review.csv", "".join(lines))
    return folder / "review.csv"
