"""Does an exported file answer as PyTorch does? Asked of real clips where they are there, else of made-up sounds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_files import decode, resample
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.fitting import fit
from cohear.errors import UserError
from cohear.experiments.run_folder import read_record
from cohear.inference.classifier import Classifier

MAX_DIFFERENCE = 1e-4
"""Of probabilities; what rounds differently stays far below, what computes differently does not."""

_MAX_CLIPS = 32
_BATCH_CLIPS = 8


@dataclass(frozen=True)
class CheckSounds:
    """What both are asked about."""

    waveforms: Float32[np.ndarray, "batch time"]
    """As long as the classifier's clips."""
    description: str
    """What they are, as `32 clips of ESC-10`."""
    why_made_up: str | None = None
    """Why they are no real clips; None where they are."""


@dataclass(frozen=True)
class Agreement:
    """How the answers of an exported file compare with PyTorch's."""

    largest_difference: float
    """Between two probabilities of the same label for the same sound, 0 to 1."""
    n_same: int
    """Sounds of which both say the same likeliest label."""

    @property
    def is_close(self) -> bool:
        """Whether the file may be used; not where a probability is no number."""
        return self.largest_difference <= MAX_DIFFERENCE


def check_sounds(path: Path, classifier: Classifier) -> CheckSounds:
    """Find real clips, evenly spread over the data of a run, else make sounds up.

    Args:
        path: what the classifier was loaded from.
        classifier: its sample rate and clip length count.
    """
    if not path.is_dir():
        return _made_up(classifier, f"'{path}' does not say where its sounds are")
    record = read_record(path)
    try:
        options = record.config.data
        dataset = read_dataset(Path(record.data_path), esc10=options.esc10, sounds=options.sounds)
        waveforms = _real_clips(dataset, classifier)
    except UserError as error:
        return _made_up(classifier, str(error).rstrip("."))
    return CheckSounds(waveforms, f"{len(waveforms)} clips of {dataset.name}")


def compare(model: bytes, classifier: Classifier, waveforms: Float32[np.ndarray, "batch time"]) -> Agreement:
    """Run an exported model under onnxruntime on the CPU, and the classifier it was made of, on the same sounds.

    Args:
        model: of `to_onnx`.
        classifier: what it was made of.
        waveforms: at the classifier's sample rate, in [-1, 1].
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    differences, n_same = [], 0
    for batch in np.split(waveforms, np.arange(_BATCH_CLIPS, len(waveforms), _BATCH_CLIPS)):
        exported = np.asarray(session.run(["probabilities"], {"waveforms": batch})[0])
        expected = classifier.probabilities(batch)
        differences.append(np.abs(exported - expected).max())
        n_same += int((exported.argmax(1) == expected.argmax(1)).sum())
    return Agreement(float(np.max(differences)), n_same)


def _real_clips(dataset: Dataset, classifier: Classifier) -> Float32[np.ndarray, "batch time"]:
    n_clips = len(dataset.clips)
    waveforms = []
    for index in np.linspace(0, n_clips - 1, min(n_clips, _MAX_CLIPS)).round().astype(int):
        clip = dataset.clips[index]
        try:
            audio = decode(dataset.root / clip.path, clip.start_s, clip.end_s)
        except UserError:
            continue
        waveform = resample(audio.waveform, audio.sample_rate, classifier.sample_rate)
        waveforms.append(fit(waveform, classifier.n_samples, classifier.short))
    if not waveforms:
        raise UserError(f"the sounds of '{dataset.root}' cannot be read")
    return np.stack(waveforms)


def _made_up(classifier: Classifier, reason: str) -> CheckSounds:
    """Make silence, a click, a full-scale tone alone and with soft noise, and noise loud and soft."""
    n_samples = classifier.n_samples
    click, noise = np.zeros(n_samples), np.random.default_rng(0).uniform(-1, 1, n_samples)
    click[n_samples // 2] = 1
    tone = np.sin(2 * np.pi * 0.1 * np.arange(n_samples))
    waveforms = np.stack([np.zeros(n_samples), click, tone, tone / 2 + noise / 1000, noise, noise / 1000])
    return CheckSounds(waveforms.astype(np.float32), f"{len(waveforms)} made-up sounds", reason)
