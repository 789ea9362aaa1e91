import pytest

from cohear.data.sample_rates import choose_sample_rate, sample_rate_line


@pytest.mark.parametrize(
    ("n_files_by_rate", "wanted", "chosen"),
    [
        ({44100: 100}, 22050, 22050),
        ({8000: 100}, 44100, 8000),
        ({44100: 90, 8000: 10}, 44100, 44100),
        ({44100: 89, 8000: 11}, 44100, 8000),
        ({48000: 50, 32000: 50}, 44100, 32000),
        ({16000: 1}, 22050, 16000),
    ],
)
def test_the_rate_is_at_most_what_nine_of_ten_files_have(n_files_by_rate, wanted, chosen):
    rates = [rate for rate, n in n_files_by_rate.items() for _ in range(n)]
    assert choose_sample_rate(rates, wanted) == chosen
    assert choose_sample_rate(rates[::-1], wanted) == chosen


def test_what_is_lost_and_what_a_mix_means_is_said():
    assert sample_rate_line([44100, 44100, 8000, 16000, 22050], 22050) == (
        "sounds are heard at 22050 Hz; more in 2 of 5 files (up to 44100 Hz), of which what lies above 11025 Hz is "
        "lost; less in 2 of 5 files (from 8000 Hz), empty above half of it, by which alone a classifier may know them; "
        "--set data.sample_rate chooses another rate"
    )
    assert "know them" not in sample_rate_line([8000, 16000], 22050)
