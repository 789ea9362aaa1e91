"""Where sounds come from, and the one clip of each that a page shows and a classifier hears.

What is no longer than a clip is filled up as in training. Of what is longer the loudest clip length is taken: an event
is more often loud than first, and a person who drops a recording wants to see an event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from cohear import keys
from cohear.data.audio_decoding import decode, resample
from cohear.data.audio_files import probe
from cohear.data.clips import Clip
from cohear.data.decoding import fit
from cohear.data.synthetic import draw_place, made_up_sound
from cohear.data.voices import LOWEST_SAMPLE_RATE, VOICES
from cohear.errors import UserError
from cohear.inference.classifier import Classifier
from cohear.inference.recordings import run_dataset
from cohear.runs.predictions import read_predictions

MAX_DURATION_S = 600.0
"""Seconds of a recording."""
MOST_EXAMPLES = 10


@dataclass(frozen=True, eq=False)
class Excerpt:
    """One clip of a sound, as a classifier wants it."""

    waveform: Float32[np.ndarray, " time"]
    """Of the classifier's rate and clip length."""
    n_sound: int
    """Samples that are sound; silence that fills the clip up may follow."""
    name: str
    """What the sound is called: its file, or what was made up."""
    origin: str
    """What it was taken from and which part of it this is, a sentence."""


Take = Callable[[], Excerpt]
"""Reads or makes a sound that a page offers; raises UserError where its file is gone or damaged."""


def excerpt_of_file(
    classifier: Classifier, path: Path, start_s: float | None = None, end_s: float | None = None
) -> Excerpt:
    """Read a sound file, or a segment of it, of at most ten minutes, and take an excerpt.

    Args:
        classifier: whose rate and clip length are wanted.
        path: any file that training accepts.
        start_s: where the segment begins, seconds; None is the beginning of the file.
        end_s: where it ends, seconds; None is the end of the file.

    Raises:
        UserError: where the file cannot be read, is too long or ends before the segment; it names the file without its
            folder, since where the page keeps what it is given is nobody's concern.
    """
    try:
        if (end_s or probe(path).duration_s) - (start_s or 0) > MAX_DURATION_S:
            raise UserError(
                f"{path.name} lasts longer than {MAX_DURATION_S / 60:.0f} minutes, which is what this page takes: cut "
                "a part out, or give the recording to `cohear predict`."
            )
        audio = decode(path, start_s, end_s)
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}/", "")) from error
    origin = f"{len(audio.waveform) / audio.sample_rate:.2f} s at {audio.sample_rate} Hz"
    if audio.n_channels > 1:
        origin += f", the mean of {audio.n_channels} channels"
    waveform = resample(audio.waveform, audio.sample_rate, classifier.sample_rate)
    return take_excerpt(classifier, waveform, path.name, origin)


def take_excerpt(classifier: Classifier, waveform: Float32[np.ndarray, " time"], name: str, origin: str) -> Excerpt:
    """Take one clip of a waveform: all of it, filled up if need be, or its loudest part.

    Args:
        classifier: whose clip length is wanted.
        waveform: at least one sample, of the classifier's rate.
        name: what the sound is called.
        origin: what is known of it, in words.
    """
    n_clip, n_samples = classifier.n_samples, len(waveform)
    start, taken = 0, "heard is all of it"
    if n_samples > n_clip:
        energies = np.concatenate(([0.0], np.cumsum(np.square(waveform, dtype=np.float64))))
        start = int(np.argmax(energies[n_clip:] - energies[:-n_clip]))
        taken = f"heard is its loudest part, {classifier.clip_s:g} s from {start / classifier.sample_rate:.2f} s on"
    elif n_samples < n_clip:
        filling = "silence" if classifier.about.short == "pad" else "repetition"
        taken += f", filled up to {classifier.clip_s:g} s by {filling}, as in training"
    window = waveform[start : start + n_clip]
    if not window.any():
        taken += ": it is silent"
    n_sound = n_clip if classifier.about.short == "repeat" else len(window)
    return Excerpt(fit(window, n_clip, classifier.about.short), n_sound, name, f"{origin}; {taken}.")


def examples(classifier: Classifier, path: Path) -> tuple[str, dict[str, Take]]:
    """Find sounds to begin with: clips of the run's own test fold where they are still there, else made-up ones.

    Args:
        classifier: what will hear them.
        path: the run folder, or a packed model, which brings no sounds.

    Returns:
        Whose sounds they are, in words, and how to get at most ten of them, each of another label, by label.
    """
    clips = _test_clips(path)
    if clips:
        labels = sorted(clips)
        chosen = labels[:: -(-len(labels) // MOST_EXAMPLES)]
        return "clips that it was tested on", {label: partial(_read, classifier, *clips[label]) for label in chosen}
    return "made-up sounds", {voice: partial(_made_up, classifier, voice) for voice in sorted(VOICES)[:MOST_EXAMPLES]}


def _test_clips(run: Path) -> dict[str, tuple[Path, Clip]]:
    """Return the folder of the sounds and a test clip, by label; nothing where the data are gone."""
    try:
        dataset, tested = run_dataset(run), read_predictions(run).paths
    except UserError:
        return {}
    names = {name for row in tested for name in (row, row.rpartition("#")[0])}  # a window is named after its clip
    found: dict[str, tuple[Path, Clip]] = {}
    for clip in dataset.clips:
        if clip.id in names and (dataset.root / clip.path).is_file():
            found.setdefault(clip.label or "no label", (dataset.root, clip))
    return found


def _read(classifier: Classifier, root: Path, clip: Clip) -> Excerpt:
    return excerpt_of_file(classifier, root / clip.path, clip.start_s, clip.end_s)


def _made_up(classifier: Classifier, voice: str) -> Excerpt:
    sample_rate = max(classifier.sample_rate, LOWEST_SAMPLE_RATE)
    n_samples = round(max(classifier.clip_s, 1.0) * sample_rate)  # a voice takes a second
    one_key = keys.fold_in(keys.key(0, "cohear listen"), keys.hash_text(voice))
    sound = made_up_sound(voice, draw_place(one_key), one_key, n_samples, sample_rate).astype(np.float32)
    waveform = resample(sound, sample_rate, classifier.sample_rate)
    return take_excerpt(classifier, waveform, f"made-up {voice}", f"{len(sound) / sample_rate:.2f} s")
