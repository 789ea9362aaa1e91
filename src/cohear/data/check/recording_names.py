"""Which clips were cut from one recording, as far as their names tell.

`site3_001.wav` and `site3_002.wav`, or `S4A01_20190101_053000.wav` and `S4A01_20190101_054000.wav`, have a stem in
common and end in a counter or a time. So do `dog_001.wav` and `dog_002.wav`, which only number a class. A stem
therefore counts only where it is no label, and where it holds for a part of some class and for no more than half of
all clips.
"""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from cohear.data.check.spelling import bare

_SEPARATORS = r"[\s_.-]+"
_COUNTER = re.compile(
    rf"(?:{_SEPARATORS}(?:19|20)\d{{6}}[\s_T-]?\d{{6}}Z?"  # a date and a time
    rf"|{_SEPARATORS}(?:\d+\.\d+|\d+s)[\s_-](?:\d+\.\d+|\d+s)"  # from and to, in seconds
    rf"|{_SEPARATORS}(?:part|pt|seg|segment|chunk|clip|slice|win|window|piece|take|cut)[\s_.-]*\d+"
    rf"|{_SEPARATORS}\d+(?:\.\d+)?s?"
    r"|\s*\(\d+\))$",
    re.IGNORECASE,
)
_DATE_AND_TIME = re.compile(r"(?:19|20)\d{6}[\s_T-]?\d{6}Z?")
"""A whole name: of a recorder that was left alone, whose files are recordings each."""
_TELLING = re.compile(r"[^\W\d_]|\d{5}")
"""A letter, or a number as long as an id: `03-01-06` numbers conditions, not recordings."""

_MOST_OF_CLASS, _MOST_OF_ALL = 0.8, 0.5


def shared_stems(names: Sequence[str], labels: Sequence[tuple[str, ...]]) -> list[str | None]:
    """Return the stem by which a clip belongs to a recording with others, or None.

    Args:
        names: of the clips' files, with the folders that tell them apart, and with slashes; without folders that are
            labels.
        labels: of each clip.

    Example:
        >>> shared_stems(["a_1.wav", "a_2.wav", "b_1.wav", "b_2.wav", "x.wav"], [("dog",)] * 5)
        ['a', 'a', 'b', 'b', None]
    """
    wholes = [posixpath.splitext(name)[0] for name in names]
    stems = [_stem(whole) for whole in wholes]
    # `pond.wav` belongs to `pond_1.wav` and `pond_2.wav`, whatever `pond` itself may end in.
    known = set(stems)
    stems = [whole if whole in known else stem for whole, stem in zip(wholes, stems, strict=True)]
    counts = Counter(stem for stem in stems if stem is not None)
    n_of_class: Counter[str] = Counter(label for of_clip in labels for label in of_clip)
    n_in_class: dict[str, Counter[str]] = defaultdict(Counter)
    for stem, of_clip in zip(stems, labels, strict=True):
        if stem is not None:
            n_in_class[stem].update(of_clip)
    bare_labels = {bare(label) for label in n_of_class}
    telling = {
        stem
        for stem, count in counts.items()
        if 2 <= count <= _MOST_OF_ALL * len(names)
        and any(n <= _MOST_OF_CLASS * n_of_class[label] for label, n in n_in_class[stem].items())
        and bare(posixpath.basename(stem)) not in bare_labels
    }
    return [stem if stem in telling else None for stem in stems]


def _stem(whole: str) -> str | None:
    """Return a name without its counter; None where there is no counter or nothing telling before it.

    Example:
        >>> _stem("pond/site3_001"), _stem("S4A01_20190101_053000"), _stem("rec-5.0-10.0"), _stem("frog12")
        ('pond/site3', 'S4A01', 'rec', None)
    """
    folder, name = posixpath.split(whole)
    counter = _COUNTER.search(name)
    if counter is None or _DATE_AND_TIME.fullmatch(name) or not _TELLING.search(name[: counter.start()]):
        return None
    return posixpath.join(folder, name[: counter.start()])
