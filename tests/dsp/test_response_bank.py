import hashlib

import numpy as np
import pytest

from cohear.dsp.response_bank import ResponseBank


def decaying(rt60_s: float, n_taps: int = 8000, sample_rate: int = 8000) -> np.ndarray:
    return (10 ** (-3 * np.arange(n_taps) / sample_rate / rt60_s)).astype(np.float32)


def test_a_bank_is_a_value_that_later_changes_of_the_array_do_not_reach():
    samples = np.stack([decaying(0.3, 100), decaying(0.7, 100)])
    bank = ResponseBank(samples, 8000, ("a.wav", "b.wav"))
    same = ResponseBank(samples, 8000, ("a.wav", "b.wav"))
    samples[0, 5] = 9.0
    assert bank == same
    assert hash(bank) == hash(same)
    assert bank != ResponseBank(samples, 8000, ("a.wav", "b.wav"))
    with pytest.raises(ValueError, match="read-only"):
        bank.responses[0, 0] = 1.0


def test_the_hash_covers_samples_shape_and_rate_but_not_names():
    samples = np.float32([[1, 2], [3, 4]])
    found = ResponseBank(samples, 8000, ("a", "b")).fingerprint
    assert found == hashlib.blake2b(b"(2, 2) 8000" + samples.tobytes(), digest_size=16).hexdigest()
    assert found == ResponseBank(samples, 8000, ("c", "d")).fingerprint
    others = [(samples[::-1], 8000), (samples, 16000), (samples.reshape(1, 4), 8000)]
    assert found not in [ResponseBank(other, rate, tuple("ab"[: len(other)])).fingerprint for other, rate in others]


@pytest.mark.parametrize(
    ("responses", "sample_rate", "names", "message"),
    [
        (np.zeros((0, 5), np.float32), 8000, (), "at least one"),
        (np.ones((2, 5), np.float32), 8000, ("a",), "1 names"),
        (np.zeros((1, 5), np.float32), 8000, ("a.wav",), "silent"),
        (np.full((1, 5), np.nan, np.float32), 8000, ("a.wav",), "not finite"),
        (np.ones((1, 5), np.float32), 0, ("a",), "0 Hz"),
    ],
)
def test_what_is_no_bank_is_refused(responses, sample_rate, names, message):
    with pytest.raises(ValueError, match=message):
        ResponseBank(responses, sample_rate, names)
