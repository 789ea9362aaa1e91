"""Made-up sounds: a small data set that code writes, for demonstrations and tests.

Ten *voices* are recorded, each clip in a *place* of its own, so each test is in places that were not trained on, and no
fold is harder than another by more than chance. What changes from place to place is pitch, reverberation, the frequency
band, background noise and gaps, and nothing of what makes a siren a siren. Every clip is a pure function of its fold,
its label and its number: a larger set holds the smaller one.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from cohear import keys
from cohear.data.voices import (
    VOICES,
    Key,
    Signal,
    band_gain,
    band_noise,
    draw,
    draw_count,
    semitones,
    white_noise,
)
from cohear.runtime import disk
from cohear.runtime.files import explain_disk_errors, write_bytes, write_text

N_FOLDS = 3

PEAK_LEVEL_DB = (-14.0, -3.0)
"""Range of the peak level of a source at the microphone, against full scale."""

PEAK_LIMIT = 0.9
"""No recording exceeds this part of full scale."""


def write_sounds(folder: Path, *, n_clips: int = 8, clip_s: float = 2.0, sample_rate: int = 22050) -> Path:
    """Write a data set of made-up sounds: 16-bit WAV files and then, when all are there, a table `sounds.csv`.

    The table has the columns `path` (as `fold1/siren-03.wav`), `label`, `fold` (counted from 1) and `group` (each clip
    is a source of its own). What an earlier writing left is written again.

    Args:
        folder: where to write.
        n_clips: clips of each label in each fold, >= 1.
        clip_s: length of a clip in seconds, >= 1: a shorter one may hold no event.
        sample_rate: Hz, >= 16000.

    Returns:
        The folder.

    Raises:
        UserError: the folder cannot be written.
    """
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("path", "label", "fold", "group"))
    for fold in range(1, N_FOLDS + 1):
        with explain_disk_errors(folder):
            disk.make_folder(folder / f"fold{fold}")
        for label in VOICES:
            label_key = keys.fold_in(keys.fold_in(keys.key(0, "made-up sounds"), fold), keys.hash_text(label))
            for number in range(1, n_clips + 1):
                name, one_key = f"{label}-{number:02}", keys.fold_in(label_key, number)
                place = draw_place(keys.fold_in(one_key, 3))
                clip = made_up_sound(label, place, one_key, round(clip_s * sample_rate), sample_rate)
                # By way of memory: on a full disk libsndfile would write a part and say nothing.
                wav, samples = io.BytesIO(), np.round(clip * 32767).astype(np.int16)
                soundfile.write(wav, samples, sample_rate, format="WAV", subtype="PCM_16")
                write_bytes(folder / f"fold{fold}/{name}.wav", wav.getvalue())
                rows.writerow((f"fold{fold}/{name}.wav", label, fold, f"fold{fold}-{name}"))
    write_text(folder / "sounds.csv", table.getvalue())
    return folder


def made_up_sound(label: str, place: "Place", one_key: Key, n_samples: int, sample_rate: int = 22050) -> Signal:
    """Make one clip: a voice plays in the register of a place and is recorded there.

    Args:
        label: one of `VOICES`.
        place: where it is recorded.
        one_key: another key is another clip.
        n_samples: length.
        sample_rate: Hz, >= 16000.

    Example:
        >>> place = draw_place(keys.key(0, "a place"))
        >>> siren = made_up_sound("siren", place, keys.key(0, "a siren"), n_samples=22050)
        >>> bool(0.1 < abs(siren).max() <= 0.9)
        True
    """
    register_key, voice_key, record_key = (keys.fold_in(one_key, number) for number in range(3))
    pitch = semitones(draw(register_key, place.register_semitones)[0])
    return record(VOICES[label](voice_key, n_samples, sample_rate, pitch), place, record_key, sample_rate)


@dataclass(frozen=True)
class Place:
    """Where sounds are recorded, and with what."""

    register_semitones: tuple[float, float]
    """Range of the pitch of the sources, against the voices' own."""
    rt60_s: float
    """Time in which the room's reverberation falls by 60 dB, > 0."""
    reverberant_db: float
    """Energy of the reverberation against the direct sound."""
    band_hz: tuple[float, float]
    """Pass band of the microphone, -3 dB."""
    noise_db: float
    """Root mean square of the noise floor, against full scale; each recording departs by up to 2 dB."""
    n_gaps: tuple[int, int] = (0, 0)
    """Smallest and largest number of drop-outs in a recording, each 40 to 120 ms of digital silence."""


def draw_place(one_key: Key) -> Place:
    """Draw a place: from a living room with a good microphone to a stairwell through a telephone."""
    register, rt60_s, reverberant_db, octaves_low, octaves_high, noise_db = draw(
        keys.fold_in(one_key, 0), (-4.0, 4.0), (0.2, 1.2), (-8, 3), (0, 2), (-1.6, 0), (-40, -22)
    )
    return Place(
        (register - 1.0, register + 1.0),
        rt60_s,
        reverberant_db,
        (60 * 2**octaves_low, 9000 * 2**octaves_high),
        noise_db,
        (0, draw_count(keys.fold_in(one_key, 1), 0, 3)),
    )


def record(source: Signal, place: Place, one_key: Key, sample_rate: int) -> Signal:
    """Record a source in a place: room, microphone, level, noise floor, gaps, peak limit.

    Args:
        source: any level, not silent.
        place: where.
        one_key: draws the spot in the room, the level, the noise and the gaps.
        sample_rate: Hz.

    Returns:
        The recording, in [-PEAK_LIMIT, PEAK_LIMIT].
    """
    n_samples, n_taps = len(source), round(place.rt60_s * sample_rate)
    spot_key, level_key, noise_key, gap_key = (keys.fold_in(one_key, number) for number in range(4))
    # A room: the direct sound, then noise that decays by 60 dB in the reverberation time.
    response = white_noise(spot_key, n_taps) * 10.0 ** (-3 * np.arange(n_taps) / n_taps)
    response *= 10 ** (place.reverberant_db / 20) / np.sqrt(np.sum(response**2))
    response[0] = 1

    # Room and microphone are one multiplication; padding keeps the reverberation from wrapping round.
    n_fft = n_samples + n_taps
    microphone = band_gain(np.fft.rfftfreq(n_fft, 1 / sample_rate), *place.band_hz)
    heard = np.fft.irfft(np.fft.rfft(source, n_fft) * np.fft.rfft(response, n_fft) * microphone, n_fft)[:n_samples]

    level_db, noise_db = draw(level_key, PEAK_LEVEL_DB, (place.noise_db - 2, place.noise_db + 2))
    heard *= 10 ** (level_db / 20) / np.max(np.abs(heard))
    heard += 10 ** (noise_db / 20) * band_noise(noise_key, n_samples, sample_rate, 20, 4000)
    for number in range(draw_count(gap_key, *place.n_gaps)):
        start_s, gap_s = draw(keys.fold_in(gap_key, number), (0, n_samples / sample_rate), (0.04, 0.12))
        heard[round(start_s * sample_rate) : round((start_s + gap_s) * sample_rate)] = 0
    return heard * min(1.0, PEAK_LIMIT / np.max(np.abs(heard)))
