import pytest
from scipy.fft import next_fast_len

from cohear.dsp.spectral import even_lengths, fast_length


def factors(n: int) -> list[int]:
    found = []
    divisor = 2
    while n > 1:
        while n % divisor == 0:
            found.append(divisor)
            n //= divisor
        divisor += 1
    return found


def test_even_lengths_are_all_even_numbers_with_small_factors():
    expected = [n for n in range(2, 3001, 2) if max(factors(n)) <= 31]
    assert even_lengths(3000, greatest_prime=31).tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 3, 100, 2**14 + 1, 264_599, 1_000_001])
def test_a_fast_length_is_the_next_even_number_with_factors_up_to_seven(n: int):
    found = fast_length(n)
    assert found >= n
    assert found % 2 == 0
    assert max(factors(found)) <= 7
    # scipy's lengths also hold the factor 11 and may be odd, so ours is hardly longer.
    assert found <= 1.05 * next_fast_len(n, real=True) + 2
