import numpy as np
import torch

from cohear.dsp.phase_locking import PhaseLock

N_LOW, N_HIGH, N_SHARED, RATIO = 44, 30, 8, 4


def lock() -> PhaseLock:
    return PhaseLock(1, N_LOW, N_HIGH, N_SHARED, RATIO, torch.empty(0, dtype=torch.complex128))


def random_spectra(seed: int, n_spectra: int, n_bins: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, n_spectra, n_bins, generator=generator, dtype=torch.complex128)


def climb(powers: np.ndarray, k: int) -> int:
    """Walk toward the larger neighbor until there is none."""
    padded = np.concatenate(([0.0], powers, [0.0]))
    while max(padded[k], padded[k + 2]) > padded[k + 1]:
        k += -1 if padded[k] >= padded[k + 2] else 1
    return k


def follow(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The three rules, bin by bin."""
    n = high.shape[0] // 2
    row = N_LOW + N_HIGH
    rotations = np.ones((n + 1, row), complex)
    spectra = [np.concatenate(pair) for pair in zip(low, high, strict=True)]
    for m in range(1, n + 1):
        now, before, earlier = spectra[m], spectra[m - 1], spectra[n + m]
        for k in range(row):
            band = slice(0, N_LOW) if k < N_LOW else slice(N_LOW, row)
            peak = band.start + climb(np.abs(now[band]) ** 2, k - band.start)
            if k >= N_LOW and peak - N_LOW <= N_SHARED:
                band = slice(0, N_LOW)
                peak = climb(np.abs(now[band]) ** 2, RATIO * (peak - N_LOW))
            elif k < N_LOW and peak > (N_SHARED - 1) * RATIO:
                leader = N_LOW + climb(np.abs(now[N_LOW:]) ** 2, (peak + RATIO // 2) // RATIO)
                if leader - N_LOW > N_SHARED:
                    band, peak = slice(N_LOW, row), leader
            nearby = slice(max(band.start, peak - 2), min(band.stop, peak + 3))
            if np.abs(now[peak]) ** 2 >= 5 * (np.abs(before[nearby]) ** 2).max():
                rotations[m, k] = 1.0
            else:
                turn = before[peak] * earlier[peak].conj()
                rotations[m, k] = rotations[m - 1, peak] * turn / abs(turn)
    return rotations[1:, :N_LOW], rotations[1:, N_LOW:]


def test_rotations_follow_the_three_rules():
    low, high = random_spectra(0, 13, N_LOW), random_spectra(1, 13, N_HIGH)
    low_rotations, high_rotations = lock().advance(low, high)
    expected_low, expected_high = follow(low[0].numpy(), high[0].numpy())
    np.testing.assert_allclose(low_rotations[0].numpy(), expected_low, atol=1e-12)
    np.testing.assert_allclose(high_rotations[0].numpy(), expected_high, atol=1e-12)


def test_frames_in_two_parts_turn_like_frames_in_one():
    low, high = random_spectra(2, 13, N_LOW), random_spectra(3, 13, N_HIGH)
    whole = lock().advance(low, high)
    in_parts = lock()
    # The frame before, two frames and their X', and then the rest.
    first = in_parts.advance(low[:, [0, 1, 2, 7, 8]], high[:, [0, 1, 2, 7, 8]])
    second = in_parts.advance(low[:, [2, 3, 4, 5, 6, 9, 10, 11, 12]], high[:, [2, 3, 4, 5, 6, 9, 10, 11, 12]])
    for band in (0, 1):
        torch.testing.assert_close(torch.cat((first[band], second[band]), 1), whole[band])
