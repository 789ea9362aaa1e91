"""Events against hand-made ones."""

from cohear.inference.answers import Prediction
from cohear.inference.events import join_windows


def windows(label: str, *starts_and_probabilities: tuple[float, float], length_s: float = 2.0) -> list[Prediction]:
    return [Prediction(start, start + length_s, label, p) for start, p in starts_and_probabilities]


def test_windows_that_touch_are_one_event_as_sure_as_the_surest():
    assert join_windows(windows("frog", (0, 0.7), (2, 0.9), (4, 0.8))) == [Prediction(0, 6, "frog", 0.9)]


def test_windows_apart_are_two_events():
    assert join_windows(windows("frog", (0, 0.7), (2.001, 0.9))) == windows("frog", (0, 0.7), (2.001, 0.9))


def test_overlapping_windows_are_joined_over_one_between_them_that_was_not_reported():
    assert join_windows(windows("frog", (0, 0.7), (1.5, 0.6))) == [Prediction(0, 3.5, "frog", 0.7)]


def test_labels_have_events_of_their_own_in_the_order_of_their_beginning():
    heard = sorted(windows("frog", (0, 0.7), (2, 0.7), (4, 0.7)) + windows("toad", (2, 0.6), (8, 0.6)))
    assert join_windows(heard) == [
        Prediction(0, 6, "frog", 0.7),
        Prediction(2, 4, "toad", 0.6),
        Prediction(8, 10, "toad", 0.6),
    ]


def test_a_tail_that_ends_with_the_recording_belongs_to_the_event_before_it():
    tail = Prediction(2.5, 4.5, "frog", 0.8)
    assert join_windows([*windows("frog", (0, 0.7), (2, 0.7)), tail]) == [Prediction(0, 4.5, "frog", 0.8)]


def test_nothing_heard_is_no_event():
    assert join_windows([]) == []
