import dataclasses
import hashlib

import numpy as np
import pytest
from scipy import signal

from cohear import keys
from cohear.data.synthetic import PEAK_LIMIT, draw_place, made_up_sound, write_sounds
from cohear.data.voices import VOICES

pytestmark = pytest.mark.slow

RATE = 22050
N_SAMPLES = 2 * RATE
PLACES = [draw_place(keys.key(seed, "a place")) for seed in range(3)]


def center_hz(label: str, seed: int, pitch: float) -> float:
    frequency_hz, power = signal.welch(
        VOICES[label](keys.key(seed, "test"), N_SAMPLES, RATE, pitch), RATE, nperseg=8192
    )
    return float((power * frequency_hz).sum() / power.sum())


def test_the_demos_sounds_stay_as_they_were_recorded(tmp_path):
    small, whole = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}
        for folder in (write_sounds(tmp_path / f"{n}", n_clips=n, clip_s=1.0) for n in (1, 2))
    )
    assert (len(small), len(set(whole.values()))) == (30, 60)
    assert small.items() <= whole.items()
    played = [made_up_sound(label, place, keys.key(0, "test"), RATE) for label in VOICES for place in PLACES]
    # In 8 bits, in which the last bits of processors are not heard.
    heard = np.round(100 * np.concatenate(played)).astype(np.int8)
    assert hashlib.sha256(heard.tobytes()).hexdigest().startswith("146decda04f090a9")


@pytest.mark.parametrize("label", VOICES)
def test_every_voice_is_heard_over_low_noise_never_clips_and_follows_the_pitch(label):
    for drawn in PLACES:
        place = dataclasses.replace(drawn, noise_db=-40)
        recording = made_up_sound(label, place, keys.key(0, "test"), N_SAMPLES)
        assert 0.1 < np.abs(recording).max() <= PEAK_LIMIT + 1e-12
        frames = recording[: N_SAMPLES // 1100 * 1100].reshape(-1, 1100)  # of 50 ms
        assert 10 * np.log10((frames**2).mean(axis=1).max()) > place.noise_db + 5
    ratios = [center_hz(label, seed, 1.25) / center_hz(label, seed, 1.0) for seed in range(6)]
    assert 1.1 < np.median(ratios) < 1.4
