import random

import jaxtyping
import numpy as np
import pytest

from cohear import keys


def words(text: str) -> tuple[np.ndarray, ...]:
    return tuple(np.array(int(word, 16), np.uint32) for word in text.split())


@pytest.mark.parametrize(
    ("counter", "key_words", "expected"),
    [
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter: str, key_words: str, expected: str):
    low, high = words(key_words)
    a, b, c, d = words(counter)
    found = keys.philox((a, b, c, d), (low, high))
    assert [int(word) for word in found] == [int(word) for word in words(expected)]


def test_numbers_do_not_depend_on_the_company_or_the_order_of_their_keys():
    all_keys = keys.fold_in(keys.key(3, "views"), np.arange(100))
    together = keys.uniform(all_keys, 5)
    shuffled = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(keys.uniform(all_keys[shuffled], 5), together[shuffled])
    np.testing.assert_array_equal(keys.uniform(all_keys[17:18], 5), together[17:18])
    np.testing.assert_array_equal(keys.uniform(all_keys, 2), together[:, :2])


def test_folding_broadcasts_and_equals_folding_one_by_one():
    base = keys.key(0, "views")
    grid = keys.fold_in(keys.fold_in(base, np.arange(3))[:, None], np.arange(4))
    assert grid.shape == (3, 4)
    assert grid[2, 1] == keys.fold_in(keys.fold_in(base, 2), 1)


def test_seeds_purposes_and_data_give_different_keys():
    made = [int(keys.key(seed, purpose)) for seed in range(50) for purpose in ("views", "order", "weights")]
    made += [int(key) for key in keys.fold_in(keys.key(0, "views"), np.arange(1000))]
    assert len(set(made)) == len(made)


def test_uniform_numbers_are_uniform_and_independent_of_the_neighboring_key():
    numbers = keys.uniform(keys.fold_in(keys.key(1, "views"), np.arange(20_000)), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    expected = numbers.size / 100
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 60 < chi_square < 150  # 99 degrees of freedom: mean 99, standard deviation 14
    # The standard error of a correlation over 20,000 pairs is 0.007.
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.03
    assert np.abs(np.corrcoef(numbers.T) - np.eye(3)).max() < 0.03


def test_integers_cover_their_range_evenly():
    drawn = keys.integers(keys.fold_in(keys.key(0, "views"), np.arange(10_000)), 1, 10)[:, 0]
    counts = np.bincount(drawn, minlength=10)
    assert len(counts) == 10
    assert counts.min() > 880  # 1000 with a standard deviation of 30
    assert counts.max() < 1120


def test_a_permutation_holds_each_number_once():
    order = keys.permutation(keys.key(0, "order"), 1000)
    assert not np.array_equal(order, np.arange(1000))
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))


def test_global_random_state_is_not_touched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the checker itself uses Python's random
    before = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    keys.uniform(keys.fold_in(keys.key(0, "views"), np.arange(10)), 10)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_the_hash_of_a_text_is_fixed_for_ever():
    assert keys.hash_text("views") == 0x4A6C8782138F5F05
