"""Make up the sounds of `docs/which-transform.md`: `python docs/whistles_sounds.py FOLDER`.

Five labels that differ in pitch alone: whistles two semitones apart, which vary by up to half a semitone, in length, in
loudness and in noise.
"""

import sys
from pathlib import Path

import numpy as np

from cohear import keys
from cohear.data.audio_writing import write_audio
from cohear.data.voices import draw, harmonic_tone, lay_out, semitones, white_noise

SAMPLE_RATE = 22050
N_SAMPLES = SAMPLE_RATE  # one second
N_CLIPS = 30
LOWEST_HZ, STEP_SEMITONES = 1500.0, 2.0
LABELS = ("a-lowest", "b-low", "c-middle", "d-high", "e-highest")


def whistle(place: int, take: int) -> np.ndarray:
    """Make a whistle that glides a little and swells, somewhere in a second of noise."""
    one_key = keys.fold_in(keys.key(place, "whistle"), take)
    off, glide, length_s, start_s, level_db = draw(
        one_key, (-0.5, 0.5), (-0.5, 0.5), (0.3, 0.6), (0.0, 0.4), (-24.0, -6.0)
    )
    n_samples = round(length_s * SAMPLE_RATE)
    away = STEP_SEMITONES * place + off + glide * np.linspace(-0.5, 0.5, n_samples)
    tone = harmonic_tone(LOWEST_HZ * semitones(away), SAMPLE_RATE, [1.0, 0.2]) * np.hanning(n_samples)
    sound = lay_out(N_SAMPLES, SAMPLE_RATE, [start_s], [tone])
    return 10 ** (level_db / 20) * (sound + 0.02 * white_noise(keys.fold_in(one_key, 1), N_SAMPLES))


if __name__ == "__main__":
    for place, label in enumerate(LABELS):
        folder = Path(sys.argv[1]) / label
        folder.mkdir(parents=True, exist_ok=True)
        for take in range(N_CLIPS):
            sound = whistle(place, take).astype(np.float32)
            write_audio(folder / f"{label}-{take + 1:02}.wav", sound[None], SAMPLE_RATE)
