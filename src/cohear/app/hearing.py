"""Four ways to hear one clip, and how far the classifier's answers to them disagree.

Clean, shifted in pitch, in a room, and with a part of its spectrogram hidden: what training does to clips, each by an
amount of one's own. An amount of zero is the clean clip itself, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32

from cohear.app.sounds import Excerpt
from cohear.dsp.rooms import room_responses
from cohear.evaluation.measure import check_answers
from cohear.inference.classifier import Classifier
from cohear.models import LogMel
from cohear.objectives import LIKELIHOODS
from cohear.transforms import pitch_shift, reverberate

View = Literal["clean", "pitch", "room", "masks"]


class Amounts(NamedTuple):
    """What a slider may be set to."""

    unit: str
    low: float
    high: float
    step: float
    first: float
    """Where it stands in the beginning."""


AMOUNTS: dict[View, Amounts] = {
    "pitch": Amounts("Semitones", -12, 12, 0.5, 2.0),
    "room": Amounts("RT60, seconds", 0, 3, 0.1, 0.6),
    "masks": Amounts("Hidden, %", 0, 60, 5, 20.0),
}
"""By how much a clip can be changed, in each way."""

_SHORTEST_ROOM_S = 0.1


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
    is_hidden: Bool[np.ndarray, "band frame"] | None = None
    """What of the spectrogram is hidden; None: nothing."""

    @property
    def picture(self) -> Float32[np.ndarray, "band frame"]:
        """The spectrogram to be drawn: NaN where it is hidden, whatever the network sees there."""
        return self.log_mel if self.is_hidden is None else np.where(self.is_hidden, np.float32(np.nan), self.log_mel)


@dataclass(frozen=True, eq=False)
class HeardClip:
    """A clip and how it was heard."""

    excerpt: Excerpt
    views: dict[View, HeardView]
    """By what was done to it, the clean one first."""


@torch.inference_mode()
def hear(classifier: Classifier, excerpt: Excerpt, view: View = "clean", amount: float = 0.0) -> HeardView:
    """Hear a clip, changed in one way.

    Args:
        classifier: what listens.
        excerpt: the clip.
        view: what is done to it.
        amount: in the unit and between the limits of `AMOUNTS`; a room has at least 0.1 s. 0 changes nothing.

    Raises:
        UserError: where the classifier's answer is no numbers.
    """
    front_end, sample_rate = classifier.log_mel, classifier.sample_rate
    description, clip = "clean", torch.from_numpy(excerpt.waveform)[None]
    if view == "pitch" and amount:
        description = f"pitch {amount:+g} semitones"
        clip = pitch_shift(clip, [amount], sample_rate)
    if view == "room" and amount:
        rt60_s = max(amount, _SHORTEST_ROOM_S)
        description = f"room of RT60 {rt60_s:g} s"
        clip = reverberate(clip, room_responses(1, (rt60_s, rt60_s), sample_rate))
    log_mel, is_hidden = front_end(clip)[0], None
    waveform = clip[0].numpy()
    if view == "masks" and amount:
        description = f"{amount:g} % of bands and of time hidden"
        n_bands, n_frames = log_mel.shape
        n_sound = front_end.n_frames(excerpt.n_sound)
        bands, frames = (_hidden(n, n_masked, amount / 100) for n, n_masked in ((n_bands,) * 2, (n_frames, n_sound)))
        is_hidden = torch.from_numpy(bands[:, None] | frames)
        log_mel = log_mel.masked_fill(is_hidden, log_mel[:, :n_sound].mean())  # as in training
        waveform = without_hidden(waveform, bands, frames, front_end)
    heard = log_mel if classifier.front_end is front_end else classifier.front_end(torch.from_numpy(waveform))
    logits = classifier.calibrated(classifier.network(heard[None]))[0]
    hidden = None if is_hidden is None else is_hidden.numpy()
    return HeardView(description, waveform, log_mel.numpy(), logits.numpy(), hidden)


def _hidden(n: int, n_masked: int, share: float) -> Bool[np.ndarray, " {n}"]:
    """Mark what is hidden of `n` bands or frames: two masks around a third and two thirds of the first `n_masked`.

    Each is as wide as half the share, which is below 2/3, rounded down.
    """
    width, places = int(share / 2 * n_masked), np.arange(n)
    firsts = [round(center * n_masked - width / 2) for center in (1 / 3, 2 / 3)]
    return np.any([(places >= first) & (places < first + width) for first in firsts], axis=0)


def without_hidden(
    waveform: Float32[np.ndarray, " time"],
    bands: Bool[np.ndarray, " band"],
    frames: Bool[np.ndarray, " frame"],
    front_end: LogMel,
) -> Float32[np.ndarray, " time"]:
    """Silence the hidden bands and frames of a clip: to hear with how little the classifier is left.

    Frequencies keep the share that the bands still seen have in them; hidden time fades out and in within a hop.
    """
    filters, n_samples = front_end.filters.numpy(), len(waveform)
    weights = filters.sum(0)
    gains = np.divide(filters[~bands].sum(0), weights, out=np.ones_like(weights), where=weights > 0)
    bins = np.arange(n_samples // 2 + 1) * (front_end.fft_length / n_samples)
    spectrum = np.fft.rfft(waveform) * np.interp(bins, np.arange(len(gains)), gains)
    hops = np.arange(n_samples) / front_end.hop_length
    return (np.fft.irfft(spectrum, n_samples) * np.interp(hops, np.arange(len(frames)), ~frames)).astype(np.float32)


def divergence(classifier: Classifier, views: Sequence[HeardView]) -> float:
    """Measure how far the answers to some views disagree: Jensen-Shannon, nats, 0 to ln of their number.

    For several labels at once it is the mean over labels of the divergence of yes and no.

    Raises:
        UserError: where the logits are so large that it is no number.
    """
    logits = torch.from_numpy(np.stack([view.logits for view in views]))[:, None]
    nats = LIKELIHOODS[classifier.task.likelihood].jensen_shannon_divergence(logits)
    check_answers(nats, classifier.network)
    return max(0.0, nats.item())


def probabilities(classifier: Classifier, view: HeardView) -> Float32[np.ndarray, " label"]:
    """Turn an answer into probabilities, 0 to 1: of one label each, or one distribution."""
    return classifier.task.probabilities(view.logits[None])[0].astype(np.float32)


def answered(classifier: Classifier, view: HeardView) -> tuple[str, ...]:
    """Say which labels `predict` would report, in the order of the classes."""
    chosen = classifier.reporting().choose(probabilities(classifier, view))
    return tuple(classifier.classes[label] for label in sorted(chosen))
