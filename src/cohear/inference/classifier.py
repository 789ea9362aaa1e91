"""A trained classifier: recordings in, a table of windows and labels out."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from cohear.data.audio_files import decode, resample
from cohear.data.fitting import Short, fit
from cohear.errors import UserError
from cohear.evaluation.calibration import UNFITTED, Calibration, read_calibration
from cohear.experiments.build import build_front_end
from cohear.experiments.run_folder import is_finished, read_record
from cohear.experiments.runs import load_network
from cohear.models import LogMel

_BATCH_WINDOWS = 16


class Prediction(NamedTuple):
    """What one window of a recording was taken for."""

    start_s: float
    end_s: float
    label: str
    probability: float
    """0 to 1."""


@dataclass(frozen=True)
class Classifier:
    """Front end and network, with what they need to be used rightly."""

    classes: tuple[str, ...]
    sample_rate: int
    """Hz; recordings of any rate are resampled to it."""
    clip_s: float
    """Seconds of a window."""
    short: Short
    """How a recording shorter than a window is filled up, as in training."""
    front_end: LogMel
    network: nn.Module
    multi_label: bool = False
    """Whether several labels may be true of one window: a probability for each instead of one distribution."""
    background: str | None = None
    """The label that stands for 'none of these'; None where there is none (a multi-label one may say nothing)."""
    calibration: Calibration = UNFITTED
    """Temperature and thresholds, from the validation part of the run."""

    def predict(self, path: str | Path, top: int = 1) -> list[Prediction]:
        """Say what is heard in each window of a recording; windows follow each other, the last ends with it.

        Args:
            path: a sound file of any rate, channel count and length.
            top: labels per window, the likeliest first, >= 1.

        Raises:
            UserError: where the file cannot be read.
        """
        audio = decode(path)
        waveform = resample(audio.waveform, audio.sample_rate, self.sample_rate)
        starts = self._window_starts(len(waveform))
        table = []
        for chunk in np.split(starts, np.arange(_BATCH_WINDOWS, len(starts), _BATCH_WINDOWS)):
            windows = np.stack([fit(waveform[start:], self._n_samples, self.short) for start in chunk])
            for start, probabilities in zip(chunk, self.probabilities(windows), strict=True):
                start_s, end_s = (
                    start / self.sample_rate,
                    min(start + self._n_samples, len(waveform)) / self.sample_rate,
                )
                for best in np.argsort(-probabilities, kind="stable")[:top]:
                    table.append(Prediction(start_s, end_s, self.classes[best], float(probabilities[best])))
        return table

    @torch.inference_mode()
    def probabilities(self, waveforms: Float32[np.ndarray, "batch time"]) -> Float32[np.ndarray, "batch label"]:
        """Classify waveforms at the classifier's own rate, in [-1, 1]."""
        logits = self.network(self.front_end(torch.from_numpy(waveforms))) / self.calibration.temperature
        return (logits.sigmoid() if self.multi_label else logits.softmax(-1)).numpy()

    @property
    def _n_samples(self) -> int:
        return round(self.clip_s * self.sample_rate)

    def _window_starts(self, n_samples: int) -> np.ndarray:
        last = max(0, n_samples - self._n_samples)
        starts = np.arange(0, last + 1, self._n_samples)
        return starts if starts[-1] == last else np.append(starts, last)


def load(path: str | Path) -> Classifier:
    """Load a finished run.

    Args:
        path: the run folder.

    Raises:
        UserError: where there is no finished run.
    """
    folder = Path(path)
    record = read_record(folder)
    if not is_finished(folder):
        raise UserError(
            f"'{folder}' is an unfinished run; go on with it by `cohear train ... --resume --out {folder}`, or give "
            "another"
        )
    _, network = load_network(folder)
    return Classifier(
        record.classes,
        record.config.data.sample_rate,
        record.clip_s,
        record.config.data.short,
        build_front_end(record.config),
        network,
        multi_label=record.multi_label,
        background=record.config.data.background,
        calibration=read_calibration(folder),
    )
