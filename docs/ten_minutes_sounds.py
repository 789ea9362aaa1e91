"""Make up the sounds of `docs/ten-minutes.md`: `python docs/ten_minutes_sounds.py FOLDER`.

FOLDER gets `sounds/`, one sub-folder per label, recorded on ten walks, and `evening.wav`, recorded on an eleventh one,
with `truth.txt`, which says what is in it.
"""

import sys
from pathlib import Path

import numpy as np

from cohear import keys
from cohear.data.audio_writing import write_audio
from cohear.data.synthetic import made_up_sound
from cohear.data.synthetic_elements import Key, Signal, draw, lay_out, semitones
from cohear.data.synthetic_places import Place, record
from cohear.data.synthetic_voices import VOICES

SAMPLE_RATE = 22050
CLIP_S = 2.0
N_WALKS, N_CLIPS = 10, 5
LABELS = ("bell", "bird", "engine", "footsteps", "knock", "siren")
BACKGROUND = ("rain", "wind")
EVENING_S, BETWEEN_S = 180.0, 9.0
EVENT_DB = 15.0
"""Of a sound in the evening, over rain or wind."""


def place_of(walk: int) -> Place:
    """Draw where a walk goes: its sources, its echo, and how the recorder was held."""
    register, rt60_s, reverberant_db, top_hz, noise_db = draw(
        keys.key(walk, "walk"), (-4.5, 4.5), (0.15, 1.2), (-10.0, 2.0), (3500.0, 9000.0), (-42.0, -32.0)
    )
    return Place((register - 0.5, register + 0.5), rt60_s, reverberant_db, (80.0, top_hz), 0.0, noise_db, -3.0)


def write_clips(folder: Path) -> None:
    """Write the clips of all walks, each into the folder of its label."""
    for walk in range(1, N_WALKS + 1):
        number = 0
        for label in (*LABELS, "background"):
            for take in range(N_CLIPS):
                voice = BACKGROUND[take % len(BACKGROUND)] if label == "background" else label
                one_key = keys.fold_in(keys.key(walk, voice), take)
                sound = made_up_sound(voice, place_of(walk), one_key, round(CLIP_S * SAMPLE_RATE), SAMPLE_RATE)
                number += 1
                write(folder / label / f"walk{walk}_{number:02}.wav", sound)


def write_evening(folder: Path) -> None:
    """Write three minutes of wind and then rain, in which every nine seconds something is heard, and what it was."""
    walk = N_WALKS + 1
    evening_key = keys.key(walk, "evening")
    n_samples, n_events = round(EVENING_S * SAMPLE_RATE), round(EVENING_S / BETWEEN_S)
    labels = [LABELS[place % len(LABELS)] for place in keys.permutation(evening_key, n_events).tolist()]
    starts_s = [round(BETWEEN_S * event + draw(keys.fold_in(evening_key, event), (2.0, 6.0))[0], 1) for event in range(n_events)]
    sounds = (event_sound(label, keys.fold_in(evening_key, event)) for event, label in enumerate(labels))
    scene = behind(evening_key, n_samples) + lay_out(n_samples, SAMPLE_RATE, starts_s, sounds)
    write(folder / "evening.wav", record(scene, place_of(walk), evening_key, SAMPLE_RATE))
    lines = (f"{start_s}\t{start_s + CLIP_S:.1f}\t{label}" for start_s, label in zip(starts_s, labels, strict=True))
    (folder / "truth.txt").write_text("".join(f"{line}\n" for line in lines))


def behind(evening_key: Key, n_samples: int) -> Signal:
    """Make an hour of weather in short: half of it wind, half of it rain, with a root mean square of 1."""
    half = n_samples // 2
    parts = [VOICES[voice](evening_key, n, SAMPLE_RATE, 1.0) for voice, n in (("wind", half), ("rain", n_samples - half))]
    return np.concatenate([part / np.sqrt(np.mean(part**2)) for part in parts])


def event_sound(label: str, one_key: Key) -> Signal:
    """Make a sound of the evening, louder than what is behind it."""
    pitch = semitones(draw(one_key, (-1.0, 1.0))[0])
    sound = VOICES[label](one_key, round(CLIP_S * SAMPLE_RATE), SAMPLE_RATE, pitch)
    return 10 ** (EVENT_DB / 20) * sound / np.sqrt(np.mean(sound**2))


def write(path: Path, sound: Signal) -> None:
    """Write a sound as a WAV file, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, sound[None].astype(np.float32), SAMPLE_RATE)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_clips(folder / "sounds")
    write_evening(folder)
