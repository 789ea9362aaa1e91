"""Four ways to hear one clip, and how far the classifier's answers to them disagree.

Clean, shifted in pitch, in a room, and with a part of its spectrogram hidden: the transforms of training, each by an
amount of one's own. An amount of zero is the clean clip itself, bit for bit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from cohear.app.excerpts import Excerpt
from cohear.evaluation.answering import check_answers
from cohear.evaluation.calibration import probabilities as shown
from cohear.inference.classifier import Classifier
from cohear.models import LogMel
from cohear.objectives import bernoulli_jensen_shannon_divergence, jensen_shannon_divergence
from cohear.transforms import PitchShift, Reverb, SpecAugment
from cohear.transforms.contract import ClipFacts
from cohear.transforms.pitch_shift import MAX_SEMITONES, PitchShiftParameters
from cohear.transforms.reverb import ReverbParameters
from cohear.transforms.spec_augment import SpecAugmentParameters

Change = Literal["pitch", "room", "masks"]
"""What can be done to a clip."""

AMOUNTS: dict[Change, tuple[float, float, float]] = {
    "pitch": (-MAX_SEMITONES, MAX_SEMITONES, 0.5),
    "room": (0.0, 3.0, 0.1),
    "masks": (0.0, 60.0, 5.0),
}
"""Smallest and largest amount, and the steps between: semitones, seconds of reverberation time, percent hidden."""

_SHORTEST_ROOM_S = 0.1
"""A room of a reverberation time below half of it is none at all."""


@dataclass(frozen=True, eq=False)
class HeardView:
    """One view of a clip, and the classifier's answer."""

    description: str
    """What was done to the clip, as `clean` or `pitch +1.5 semitones`."""
    waveform: Float32[np.ndarray, " time"]
    """To listen to; of a masked spectrogram, the clip without what is hidden."""
    log_mel: Float32[np.ndarray, "band frame"]
    """What the network sees, dB."""
    logits: Float32[np.ndarray, " label"]
    """What it says, already divided by the classifier's temperature."""


@dataclass(frozen=True, eq=False)
class HeardClip:
    """A clip and how it was heard."""

    excerpt: Excerpt
    views: dict[str, HeardView]
    """By what was done to it, the clean one first."""


@torch.inference_mode()
def hear_clean(classifier: Classifier, excerpt: Excerpt) -> HeardView:
    """Hear a clip as it is.

    Raises:
        UserError: where the classifier's answer is no numbers.
    """
    return _heard(classifier, "clean", _batch(excerpt))


@torch.inference_mode()
def hear_changed(classifier: Classifier, excerpt: Excerpt, change: Change, amount: float) -> HeardView:
    """Hear a clip changed in one way.

    Args:
        classifier: what listens.
        excerpt: the clip.
        change: what is done to it.
        amount: in the unit and between the limits of `AMOUNTS`; what is beyond them counts as the limit, and a room
            has at least 0.1 s. 0 changes nothing.

    Raises:
        UserError: where the classifier's answer is no numbers.
        ValueError: if the amount is no finite number.
    """
    if not math.isfinite(amount):
        raise ValueError(f"an amount of {amount}: give a finite number")
    low, high, _ = AMOUNTS[change]
    amount = min(max(amount, low), high)
    if change == "room":
        amount = 0.0 if amount < _SHORTEST_ROOM_S / 2 else max(amount, _SHORTEST_ROOM_S)
    return _CHANGES[change](classifier, excerpt, amount) if amount else hear_clean(classifier, excerpt)


def _shifted(classifier: Classifier, excerpt: Excerpt, semitones: float) -> HeardView:
    parameters = PitchShiftParameters(np.array([semitones]))
    shift = PitchShift((semitones,), classifier.sample_rate)
    return _heard(classifier, parameters.describe()[0], shift.apply(_batch(excerpt), parameters))


def _in_room(classifier: Classifier, excerpt: Excerpt, rt60_s: float) -> HeardView:
    parameters = ReverbParameters(np.zeros(1, np.int64), np.array([rt60_s]))
    room = Reverb(1, (rt60_s, rt60_s), classifier.sample_rate)
    return _heard(classifier, f"room of RT60 {rt60_s:g} s", room.apply(_batch(excerpt), parameters))


def _masked(classifier: Classifier, excerpt: Excerpt, percent: float) -> HeardView:
    front_end = classifier.front_end
    log_mel, hidden = hide(front_end(_batch(excerpt)), percent / 100, front_end.n_frames(excerpt.n_sound))
    return HeardView(
        description=f"{percent:g} % of bands and of time hidden",
        waveform=without_hidden(excerpt.waveform, hidden, front_end),
        log_mel=log_mel[0].numpy(),
        logits=_logits(classifier, log_mel),
    )


_CHANGES: dict[Change, Callable[[Classifier, Excerpt, float], HeardView]] = {
    "pitch": _shifted,
    "room": _in_room,
    "masks": _masked,
}


def hide(
    log_mels: Float32[Tensor, "1 band frame"], share: float, n_sound_frames: int
) -> tuple[Float32[Tensor, "1 band frame"], Bool[np.ndarray, "band frame"]]:
    """Hide a share of the bands, and of the frames that are sound; and say which cells.

    Two masks over each, centered at a third and at two thirds, as wide as half the share, rounded down.

    Args:
        log_mels: dB, of one clip.
        share: 0 to 2/3, from where on the masks would touch.
        n_sound_frames: frames before silence that fills the clip up.
    """
    first = (1 / 3 - share / 4) / (1 - share / 2)
    widths, starts, two = np.full((1, 2), np.nextafter(1.0, 0.0)), np.array([[first, 1 - first]]), np.full(1, 2)
    parameters = SpecAugmentParameters(two, two, widths, starts, widths, starts)
    facts = ClipFacts(lengths=np.array([n_sound_frames]))
    limits = {
        "n_band_masks": (2, 2),
        "n_frame_masks": (2, 2),
        "max_band_share": share / 2,
        "max_frame_share": share / 2,
    }
    marked = SpecAugment(**limits, fill=1.0).apply_to(torch.zeros_like(log_mels), parameters, facts)
    return SpecAugment(**limits).apply_to(log_mels, parameters, facts), marked[0].numpy() > 0


def without_hidden(
    waveform: Float32[np.ndarray, " time"], hidden: Bool[np.ndarray, "band frame"], front_end: LogMel
) -> Float32[np.ndarray, " time"]:
    """Silence what is hidden of a clip's log-mel: to hear with how little the classifier is left.

    Frequencies keep the share that the bands still seen have in them; hidden time fades out and in within a hop.
    """
    filters, n_samples = front_end.filters.numpy(), len(waveform)
    weights = filters.sum(0)
    gains = np.divide(filters[~hidden.all(1)].sum(0), weights, out=np.ones_like(weights), where=weights > 0)
    bins = np.arange(n_samples // 2 + 1) * (front_end.n_fft / n_samples)
    spectrum = np.fft.rfft(waveform) * np.interp(bins, np.arange(len(gains)), gains)
    frames = np.arange(n_samples) / front_end.hop_length
    is_seen = np.logical_not(hidden.all(0))
    return (np.fft.irfft(spectrum, n_samples) * np.interp(frames, np.arange(len(is_seen)), is_seen)).astype(np.float32)


def divergence(classifier: Classifier, views: Sequence[HeardView]) -> float:
    """Measure how far the answers to some views disagree: Jensen-Shannon, nats, 0 to ln of their number.

    For several labels at once it is the mean over labels of the divergence of yes and no.

    Raises:
        UserError: where the logits are so large that it is no number.
    """
    logits = torch.from_numpy(np.stack([view.logits for view in views]))[:, None]
    measure = bernoulli_jensen_shannon_divergence if classifier.multi_label else jensen_shannon_divergence
    nats = measure(logits)
    check_answers(nats, classifier.network)
    return max(0.0, nats.item())


def probabilities(classifier: Classifier, view: HeardView) -> Float32[np.ndarray, " label"]:
    """Turn an answer into probabilities, 0 to 1: of one label each, or one distribution."""
    return shown(view.logits[None], multi_label=classifier.multi_label)[0].astype(np.float32)


def answered(classifier: Classifier, view: HeardView) -> tuple[str, ...]:
    """Say which labels `predict` would report, in the order of the classes."""
    chosen = classifier.reporting().choose(probabilities(classifier, view))
    return tuple(classifier.classes[label] for label in sorted(chosen))


def _batch(excerpt: Excerpt) -> Float32[Tensor, "1 time"]:
    return torch.from_numpy(excerpt.waveform)[None]


def _heard(classifier: Classifier, description: str, clip: Float32[Tensor, "1 time"]) -> HeardView:
    log_mel = classifier.front_end(clip)
    return HeardView(description, clip[0].numpy(), log_mel[0].numpy(), _logits(classifier, log_mel))


def _logits(classifier: Classifier, log_mel: Float32[Tensor, "1 band frame"]) -> Float32[np.ndarray, " label"]:
    return classifier.calibrated(classifier.network(log_mel))[0].numpy()
