"""Made-up sounds: a small data set that code writes, for demonstrations and tests.

Ten voices (`synthetic_voices`) are recorded in several places (`synthetic_places`). A fold is a place, so
each test is in a place that was not trained on. Every clip is a pure function of the seed, its place, its
label and its number: a larger set holds the smaller one.
"""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from cohear import keys
from cohear.data.synthetic_elements import Key, Signal, draw, semitones
from cohear.data.synthetic_places import PLACES, Place, record
from cohear.data.synthetic_voices import VOICES
from cohear.errors import UserError
from cohear.runtime import disk

LOWEST_SAMPLE_RATE = 16000
"""Hz; the highest voice in the highest register still fits below half of it."""


def made_up_sound(label: str, place: Place, one_key: Key, n_samples: int, sample_rate: int = 22050) -> Signal:
    """Make one clip: a voice plays in the register of a place and is recorded there.

    Args:
        label: one of `VOICES`.
        place: where it is recorded.
        one_key: another key is another clip.
        n_samples: length.
        sample_rate: Hz, >= 16000.

    Example:
        >>> siren = made_up_sound("siren", PLACES[0], keys.key(0, "example"), n_samples=22050)
        >>> bool(0.1 < abs(siren).max() <= 0.9)
        True
    """
    register_key, voice_key, record_key = (keys.fold_in(one_key, number) for number in range(3))
    pitch = semitones(draw(register_key, place.register_semitones)[0])
    return record(VOICES[label](voice_key, n_samples, sample_rate, pitch), place, record_key, sample_rate)


def write_sounds(
    folder: Path,
    *,
    seed: int = 0,
    n_folds: int = 3,
    n_clips: int = 8,
    clip_s: float = 2.0,
    sample_rate: int = 22050,
) -> Path:
    """Write a data set of made-up sounds: 16-bit WAV files and a table `sounds.csv`.

    The table has the columns `path` (as `place1/siren-03.wav`), `label`, `fold` (counted from 1) and `group`
    (each clip is a source of its own). The folder appears whole or not at all.

    Args:
        folder: where to write; must not exist or be empty.
        seed: another seed makes other sounds.
        n_folds: places, 1 to 3.
        n_clips: clips of each label in each place, >= 1.
        clip_s: length of a clip in seconds, >= 1.
        sample_rate: Hz, >= 16000.

    Returns:
        The folder.

    Raises:
        ValueError: an argument is out of its range.
        UserError: the folder holds files, or cannot be written.
    """
    _validate(n_folds, n_clips, clip_s, sample_rate)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder} exists and is not an empty folder; remove it, or choose another for the made-up sounds"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
            unfinished = Path(beside) / folder.name
            _write_into(unfinished, seed, n_folds, n_clips, round(clip_s * sample_rate), sample_rate)
            disk.rename(unfinished, folder)
            disk.sync_folder(folder.parent)
    except OSError as error:
        raise UserError(
            f"the made-up sounds cannot be written to {folder} ({error.strerror}); "
            "make room and allow writing there, or choose another folder"
        ) from error
    return folder


def _write_into(folder: Path, seed: int, n_folds: int, n_clips: int, n_samples: int, sample_rate: int) -> None:
    root_key = keys.key(seed, "made-up sounds")
    rows = [("path", "label", "fold", "group")]
    for fold, place in enumerate(PLACES[:n_folds], start=1):
        (folder / f"place{fold}").mkdir(parents=True)
        for label in VOICES:
            label_key = keys.fold_in(keys.fold_in(root_key, fold), keys.hash_text(label))
            for number in range(1, n_clips + 1):
                name = f"{label}-{number:02}"
                clip = made_up_sound(label, place, keys.fold_in(label_key, number), n_samples, sample_rate)
                _write(folder / f"place{fold}/{name}.wav", _wav_bytes(clip, sample_rate))
                rows.append((f"place{fold}/{name}.wav", label, str(fold), f"place{fold}-{name}"))
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    _write(folder / "sounds.csv", table.getvalue().encode())


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        disk.write(file, data)
        disk.sync(file)


def _validate(n_folds: int, n_clips: int, clip_s: float, sample_rate: int) -> None:
    if not 1 <= n_folds <= len(PLACES):
        raise ValueError(f"n_folds is {n_folds}, but there are {len(PLACES)} places: give 1 to {len(PLACES)}")
    if n_clips < 1:
        raise ValueError(f"n_clips is {n_clips}, but each label needs at least 1 clip in a place")
    if not clip_s >= 1:
        raise ValueError(f"clip_s is {clip_s}, but a clip shorter than 1 s may hold no event: give 1 or more")
    if sample_rate < LOWEST_SAMPLE_RATE:
        raise ValueError(f"sample_rate is {sample_rate} Hz, but the highest voices need {LOWEST_SAMPLE_RATE} or more")


def _wav_bytes(clip: Signal, sample_rate: int) -> bytes:
    # By way of memory: a full disk is then an OSError, where libsndfile would write a part and say nothing.
    buffer = io.BytesIO()
    soundfile.write(buffer, np.round(clip * 32767).astype(np.int16), sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
