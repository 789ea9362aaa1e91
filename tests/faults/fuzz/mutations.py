"""Changes that make a valid file a broken one: bits, numbers, lengths, order, and parts of another file."""

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from faults.fuzz.inputs import Input

_NUMBERS = (
    *(0, 1, 2, 7, 8, 16, 32, 64, 127, 128, 255, 256, 257, 1023, 1024, 1025, 4095, 4096),
    *(2**15 - 1, 2**15, 2**16 - 2, 2**16 - 1, 2**16, 2**24 - 1, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 9, 2**32 - 1),
    *(2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
"""Where arithmetic on lengths goes wrong."""

_WORDS = (
    *(b"\x00", b"\n", b"\r\n", b"\t", b",", b";", b'"', b"'", b"\\", b"{", b"[", b"]", b"}", b":", b"=", b"-", b"."),
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"1e308", b"9" * 400, b"null", b"true", b'"\\ud800"'),
    *(b"../", b"/etc/passwd", b"..", b"C:\\", b"a" * 5000, b"[" * 2000, b'{"a":' * 2000, b"\x1b[2J"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", "\u202e\u2028e\u0301😀".encode()),
)
"""What texts stumble over."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[Input], *, in_front: int = 0, most: int = 4) -> Input:
    """Draw a seed with a few changes.

    Args:
        draw: hypothesis'.
        seeds: what may be drawn.
        in_front: bytes at the beginning that two changes in three leave alone, so that many are still of their kind.
        most: changes at most.
    """
    seed = draw(st.sampled_from(seeds))
    data = seed.data
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=most)):
        skipped = in_front if draw(st.integers(0, 2)) else 0
        place = skipped + draw(st.integers(0, max(0, len(data) - 1 - skipped)))
        data = change(draw, data, place, seeds)[:65536]
    return Input(seed.name, data)


def _flip(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    return _put(data, place, bytes([(data[place : place + 1] or b"\0")[0] ^ 1 << draw(st.integers(0, 7))]))


def _write_number(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    return _put(data, place, drawn_number(draw))


def drawn_number(draw: st.DrawFn) -> bytes:
    """Draw a number that arithmetic on lengths may not survive, as a file writes it."""
    code = draw(st.sampled_from(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q", "<d", ">d", "<f")))
    if code[1] in "df":
        return struct.pack(code, draw(st.sampled_from((0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 44100.0))))
    return struct.pack(code, draw(st.sampled_from(_NUMBERS)) % 2 ** (8 * struct.calcsize(code)))


def _insert(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    word = draw(st.one_of(st.sampled_from(_WORDS), st.binary(min_size=1, max_size=40)))
    return data[:place] + word + data[place:]


def _overwrite(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    return _put(data, place, draw(st.one_of(st.sampled_from(_WORDS), st.binary(min_size=1, max_size=40))))


def _cut_end(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    return data[:place]


def _cut_out(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    return data[:place] + data[place + draw(st.integers(1, 200)) :]


def _repeat(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    part = data[place : place + draw(st.integers(1, 400))]
    return data[:place] + part * draw(st.sampled_from((2, 3, 40))) + data[place:]


def _splice(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    other = draw(st.sampled_from(seeds)).data
    return data[:place] + other[draw(st.integers(0, len(other))) :]


def _zero(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    length = min(draw(st.integers(1, 300)), len(data) - place)
    return data[:place] + bytes([draw(st.sampled_from((0, 255)))]) * length + data[place + length :]


def _swap(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    other = draw(st.integers(0, max(0, len(data) - 1)))
    first, second = sorted((place, other))
    return data[second:] + data[first:second] + data[:first] if draw(st.booleans()) else data[second:] + data[:second]


def _put(data: bytes, place: int, part: bytes) -> bytes:
    return data[:place] + part + data[place + len(part) :]


_CHANGES = (
    *((_flip,) * 2 + (_write_number,) * 3),
    *(_insert, _overwrite, _cut_end, _cut_out, _repeat, _splice, _zero, _swap),
)
