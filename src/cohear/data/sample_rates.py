"""At which sample rate to hear files of many rates.

What lies above half a file's rate is not in it, whatever it is resampled to. A classifier that hears some files up to
20 kHz and others up to 4 kHz can tell them apart by that alone.
"""

from collections.abc import Sequence


def choose_sample_rate(rates: Sequence[int], wanted: int) -> int:
    """Choose a rate in Hz: the wanted one, but at most what nine of ten files have.

    Args:
        rates: of the files, Hz; at least one.
        wanted: Hz, > 0.

    Example:
        >>> choose_sample_rate([44100] * 10, 22050), choose_sample_rate([8000] * 10, 22050)
        (22050, 8000)
        >>> choose_sample_rate([44100] * 19 + [8000], 22050), choose_sample_rate([44100, 8000], 22050)
        (22050, 8000)
    """
    return min(wanted, sorted(rates)[len(rates) // 10])


def sample_rate_line(rates: Sequence[int], sample_rate: int) -> str:
    """Say what a rate means for the files.

    Args:
        rates: of the files, Hz; at least one.
        sample_rate: Hz, that of the store.

    Example:
        >>> sample_rate_line([8000, 8000], 8000)
        'sounds are heard at 8000 Hz, the rate of every file'
    """
    n_more, n_less = sum(rate > sample_rate for rate in rates), sum(rate < sample_rate for rate in rates)
    line = f"sounds are heard at {sample_rate} Hz"
    if not n_more and not n_less:
        return f"{line}, the rate of every file"
    if n_more:
        line += f"; more in {_files(n_more, rates)} (up to {max(rates)} Hz)"
        line += f", of which what lies above {sample_rate / 2:g} Hz is lost"
    if n_less:
        line += f"; less in {_files(n_less, rates)} (from {min(rates)} Hz), empty above half of it"
    if 0 < n_less < len(rates):
        line += ", by which alone a classifier may know them"
    return f"{line}; --set data.sample_rate chooses another rate"


def _files(n: int, rates: Sequence[int]) -> str:
    return "every file" if n == len(rates) else f"{n} of {len(rates)} files"
