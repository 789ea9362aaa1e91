"""Sounds to begin with: clips of the run's own test fold where they are still there, else made-up ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cohear import keys
from cohear.app.excerpts import Excerpt, excerpt_of_file, excerpt_of_segment, take_excerpt
from cohear.data.audio_files import resample
from cohear.data.clips import Clip
from cohear.data.datasets import read_dataset
from cohear.data.synthetic import LOWEST_SAMPLE_RATE, made_up_sound
from cohear.data.synthetic_places import PLACES
from cohear.data.synthetic_voices import VOICES
from cohear.errors import UserError
from cohear.experiments.predictions import read_predictions
from cohear.experiments.run_folder import read_record
from cohear.inference.classifier import Classifier

MOST = 10
"""Examples that are offered."""
_SHORTEST_VOICE_S = 1.0


@dataclass(frozen=True)
class Example:
    """A sound that a page offers."""

    name: str
    """What its button says."""
    take: Callable[[], Excerpt]
    """Reads or makes it; raises UserError where its file is gone or damaged."""


def examples(classifier: Classifier, path: Path) -> tuple[str, list[Example]]:
    """Find sounds to begin with.

    Args:
        classifier: what will hear them.
        path: the run folder, or a packed model, which brings no sounds.

    Returns:
        Whose sounds they are, in words, and at most ten, each of another label, in the order of their names.
    """
    clips = _test_clips(path) if path.is_dir() else []
    if clips:
        return "clips that it was tested on", [
            Example(clip.label or "no label", partial(_read, classifier, root / clip.path, clip))
            for root, clip in clips
        ]
    return "made-up sounds", [Example(voice, partial(_made_up, classifier, voice)) for voice in sorted(VOICES)[:MOST]]


def _test_clips(run: Path) -> list[tuple[Path, Clip]]:
    """Return a test clip of each label, of ten labels at most, and their root; none where the data are gone."""
    try:
        record, tested = read_record(run), read_predictions(run).paths
        options = record.config.data
        dataset = read_dataset(Path(record.data_path), esc10=options.esc10, sounds=options.sounds)
    except UserError:
        return []
    clips, first_of = {clip.id: clip for clip in dataset.clips}, dict[str, Clip]()
    for row in tested:
        whole, _, window = row.rpartition("#")
        clip = clips.get(row) or clips.get(whole)
        if clip is None or clip.label in first_of or not (dataset.root / clip.path).is_file():
            continue
        if clip.id != row:  # a window of a clip, named after it and after its own times
            start_s, end_s = map(float, window.split("-"))
            clip = replace(clip, start_s=start_s, end_s=end_s)
        first_of[clip.label] = clip
    labels = sorted(first_of)
    chosen = dict.fromkeys(round(place) for place in np.linspace(0, len(labels) - 1, min(MOST, len(labels))))
    return [(dataset.root, first_of[labels[index]]) for index in chosen]


def _read(classifier: Classifier, file: Path, clip: Clip) -> Excerpt:
    if clip.start_s is None and clip.end_s is None:
        return excerpt_of_file(classifier, file)
    return excerpt_of_segment(classifier, file, clip.start_s, clip.end_s)


def _made_up(classifier: Classifier, voice: str) -> Excerpt:
    sample_rate = max(classifier.sample_rate, LOWEST_SAMPLE_RATE)
    n_samples = round(max(classifier.clip_s, _SHORTEST_VOICE_S) * sample_rate)
    one_key = keys.fold_in(keys.key(0, "cohear listen"), keys.hash_text(voice))
    sound = made_up_sound(voice, PLACES[0], one_key, n_samples, sample_rate).astype(np.float32)
    waveform = resample(sound, sample_rate, classifier.sample_rate)
    return take_excerpt(classifier, waveform, f"made-up {voice}", f"{len(sound) / sample_rate:.2f} s")
