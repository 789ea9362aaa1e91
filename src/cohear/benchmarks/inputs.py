"""What is given to all contenders of a task: the same clips, made from nothing but their numbers."""

import numpy as np
from jaxtyping import Float

from cohear.benchmarks.contender import Task
from cohear.benchmarks.pitch_quality import PAPER_SHIFTS, click_train, harmonics

SAMPLE_RATE = 44100
CLIP_S = 5.0
RESPONSE_S = 1.0
N_FFT, HOP_LENGTH, N_MELS = 1024, 600, 128


def make_inputs(task: Task, n_clips: int, turn: int = 0) -> tuple[Float[np.ndarray, "batch ..."], ...]:
    """Return the inputs of a task, float32.

    Args:
        task: what is done.
        n_clips: how many clips, >= 1.
        turn: which of the ten shifts the first clip gets; the next clips get the next shifts.
    """
    if task == "pitch":
        shifts = [PAPER_SHIFTS[(turn + clip) % len(PAPER_SHIFTS)] for clip in range(n_clips)]
        return clips(n_clips), np.array(shifts)
    if task == "reverb":
        return clips(n_clips), responses(n_clips)
    if task == "log_mel":
        return (clips(n_clips),)
    n_frames = 1 + round(CLIP_S * SAMPLE_RATE) // HOP_LENGTH
    levels_db = np.random.default_rng(2).normal(-40, 15, (n_clips, N_MELS, n_frames))
    return (levels_db.astype(np.float32),)


def clips(n_clips: int) -> Float[np.ndarray, "{n_clips} time"]:
    """Make clips of 5 s: in turn noise, a note in noise, clicks in noise."""
    n_samples = round(CLIP_S * SAMPLE_RATE)
    noise = np.random.default_rng(0).standard_normal((n_clips, n_samples), np.float32) * np.float32(0.1)
    noise[1::3] *= 0.1
    noise[1::3] += harmonics(SAMPLE_RATE, CLIP_S).astype(np.float32)
    noise[2::3] *= 0.1
    noise[2::3] += click_train(SAMPLE_RATE, CLIP_S).astype(np.float32)
    return noise


def responses(n_clips: int) -> Float[np.ndarray, "{n_clips} tap"]:
    """Make impulse responses of 1 s: the direct sound, then noise that falls by 60 dB."""
    time_s = np.arange(round(RESPONSE_S * SAMPLE_RATE)) / SAMPLE_RATE
    tails = 0.02 * np.random.default_rng(1).standard_normal((n_clips, len(time_s))) * 10 ** (-3 * time_s / RESPONSE_S)
    tails[:, 0] = 1.0
    return tails.astype(np.float32)
