import pytest
from scipy.fft import next_fast_len

from cohear.dsp.spectral import even_lengths, fast_length


def greatest_factor(n: int) -> int:
    divisor = 2
    while divisor < n:
        n, divisor = (n // divisor, divisor) if n % divisor == 0 else (n, divisor + 1)
    return n


def test_even_lengths_are_all_even_numbers_with_small_factors():
    expected = [n for n in range(2, 3001, 2) if greatest_factor(n) <= 31]
    assert even_lengths(3000, greatest_prime=31).tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 3, 100, 2**14 + 1, 264_599, 1_000_001])
def test_a_fast_length_is_even_has_factors_up_to_seven_and_is_hardly_longer_than_scipys(n: int):
    found = fast_length(n)
    assert (found % 2, greatest_factor(found) <= 7) == (0, True)
    assert n <= found <= 1.05 * next_fast_len(n, real=True) + 2
