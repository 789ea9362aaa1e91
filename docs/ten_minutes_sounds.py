"""Make up the sounds of `docs/ten-minutes.md`: `python docs/ten_minutes_sounds.py FOLDER`.

Ten walks are recorded, three minutes each: wind and then rain, and every six seconds something else. FOLDER gets
`sounds/`, clips of two seconds that were cut from them, one sub-folder per label, and `evening.wav`, an eleventh walk,
with `truth.txt`, which says what is in it.
"""

import sys
from pathlib import Path

import numpy as np

from cohear import keys
from cohear.data.audio_writing import write_audio
from cohear.data.synthetic import Place, record
from cohear.data.voices import VOICES, Key, Signal, draw, lay_out, semitones

SAMPLE_RATE = 22050
N_WALKS, N_CLIPS = 10, 5
CLIP_S, STEP_S = 2.0, 6.0
LABELS = ("bell", "bird", "engine", "footsteps", "knock", "siren")
N_EVENTS = N_CLIPS * len(LABELS)


def walk_recording(walk: int) -> tuple[Signal, list[tuple[float, str]]]:
    """Record a walk, and say what begins when, in seconds."""
    walk_key = keys.key(walk, "walk")
    event_keys = [keys.fold_in(walk_key, event) for event in range(N_EVENTS)]
    labels = [LABELS[place % len(LABELS)] for place in keys.permutation(walk_key, N_EVENTS).tolist()]
    starts_s = [round(STEP_S * event + draw(key, (0.3, 1.2))[0], 1) for event, key in enumerate(event_keys)]
    register, rt60_s, reverberant_db, top_hz, noise_db, event_db = draw(
        walk_key, (-5.0, 5.0), (0.2, 1.2), (-8.0, 3.0), (3000.0, 9000.0), (-50.0, -35.0), (6.0, 15.0)
    )
    sounds = (event_sound(*event, register, event_db) for event in zip(labels, event_keys, strict=True))
    scene = weather(walk_key, round(STEP_S * N_EVENTS * SAMPLE_RATE)) + lay_out(
        round(STEP_S * N_EVENTS * SAMPLE_RATE), SAMPLE_RATE, starts_s, sounds
    )
    rt60_s = round(rt60_s, 1)  # a length whose Fourier transform is quick
    place = Place((0.0, 0.0), rt60_s, reverberant_db, (80.0, top_hz), noise_db)
    return record(scene, place, walk_key, SAMPLE_RATE), list(zip(starts_s, labels, strict=True))


def weather(walk_key: Key, n_samples: int) -> Signal:
    """Make wind and then rain, with a root mean square of 1."""
    half = n_samples // 2
    parts = [VOICES[voice](walk_key, half, SAMPLE_RATE, 1.0) for voice in ("wind", "rain")]
    return np.concatenate([part / np.sqrt(np.mean(part**2)) for part in parts])


def event_sound(label: str, one_key: Key, register: float, level_db: float) -> Signal:
    """Make a sound in about the register of a walk, louder than the weather."""
    pitch = semitones(register + draw(one_key, (-1.0, 1.0))[0])
    sound = VOICES[label](one_key, round(CLIP_S * SAMPLE_RATE), SAMPLE_RATE, pitch)
    return 10 ** (level_db / 20) * sound / np.sqrt(np.mean(sound**2))


def write_clips(folder: Path) -> None:
    """Cut clips from the walks, each into the folder of its label; background lies between two other sounds."""
    for walk in range(1, 1 + N_WALKS):
        recording, events = walk_recording(walk)
        between = [(STEP_S * event + 3.9, "background") for event in range(0, N_EVENTS, N_EVENTS // N_CLIPS)]
        for number, (start_s, label) in enumerate(sorted(events + between), start=1):
            start = round(start_s * SAMPLE_RATE)
            write(
                folder / label / f"walk{walk}_{number:02}.wav", recording[start : start + round(CLIP_S * SAMPLE_RATE)]
            )


def write_evening(folder: Path) -> None:
    """Write the last walk whole, and a label track of what is in it."""
    recording, events = walk_recording(1 + N_WALKS)
    write(folder / "evening.wav", recording)
    lines = (f"{start_s:.1f}\t{start_s + CLIP_S:.1f}\t{label}\n" for start_s, label in events)
    (folder / "truth.txt").write_text("".join(lines))


def write(path: Path, sound: Signal) -> None:
    """Write a sound as a WAV file, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, sound[None].astype(np.float32), SAMPLE_RATE)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    write_clips(out / "sounds")
    write_evening(out)
