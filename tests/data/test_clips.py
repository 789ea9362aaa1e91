"""Clips in columns are the clips that were put there; and which of them are there twice."""

import pickle
import random

import numpy as np
import pytest

from cohear.data.clips import Clip, Clips


@pytest.fixture(params=range(50))
def listed(request) -> list[Clip]:
    """None to 12 clips, many of them alike."""
    draw = random.Random(request.param)
    times_s = (None, 0.0, 0.1, 0.3, 1 / 3, 0.333333, 2.5, 1e6)
    return [
        Clip(
            draw.choice(("a.wav", "pond/b.wav", "ö.flac")),
            draw.choice(((), ("frog",), ("frog", "toad"))),
            draw.choice((None, 0, 10**9)),
            draw.choice((None, "", "site 1")),
            draw.choice(times_s),
            draw.choice(times_s),
        )
        for _ in range(draw.randrange(13))
    ]


def test_columns_give_the_clips_that_were_put_there(listed):
    for clips in (Clips.of(listed), Clips.of(Clips.of(listed)), pickle.loads(pickle.dumps(Clips.of(listed)))):
        assert list(clips) == [clips[place] for place in range(len(listed))] == listed
        assert list(clips[1:-1]) == listed[1:-1]
        assert list(clips.where(np.arange(len(listed)) % 2 == 0)) == listed[::2]


def test_a_clip_is_repeated_where_its_id_is(listed):
    first, repeated = dict[str, int](), list[tuple[int, int]]()
    for place, clip in enumerate(listed):
        if clip.id in first:
            repeated.append((place, first[clip.id]))
        first.setdefault(clip.id, place)
    assert Clips.of(listed).repeated() == repeated


def test_folds_are_given_and_everything_else_stays():
    listed = [Clip("a.wav", ("frog",), start_s=1.0), Clip("b.wav", ())]
    assert list(Clips.of(listed).with_folds(np.array([2, 0]))) == [
        Clip("a.wav", ("frog",), 2, start_s=1.0),
        Clip("b.wav", (), 0),
    ]


def test_many_clips_are_given_in_their_order():
    listed = [Clip(f"{place}.wav", ("frog",), place % 5, end_s=place + 0.5) for place in range(10_000)]
    assert list(Clips.of(listed)) == listed
