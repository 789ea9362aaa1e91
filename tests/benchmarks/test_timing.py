import pytest

from cohear.benchmarks import timing
from cohear.benchmarks.timing import Lap, fastest, first_line, median_lap, ratios, take_turns


def fail(turn: int):
    raise RuntimeError("no such file\nand more")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that stands still until a call moves it, by seconds of wall and of CPU time."""
    now = {"wall": 0.0, "cpu": 0.0}
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(timing.time, "process_time", lambda: now["cpu"])

    def takes(wall_s: float, cpu_s: float):
        def call() -> None:
            now["wall"] += wall_s
            now["cpu"] += cpu_s

        return call

    return takes


def test_calls_take_turns_and_are_given_the_round(clock):
    order = []

    def prepare(name):
        return lambda turn: order.append((name, turn)) or clock(2.0 + turn, 1.0)

    laps, failures = take_turns({"a": prepare("a"), "b": prepare("b")}, n_rounds=2, budget_s=100)
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert laps["a"] == [Lap(2.0, 1.0), Lap(3.0, 1.0)]
    assert failures == {}


def test_what_raises_is_told_and_the_others_go_on(clock):
    laps, failures = take_turns({"bad": fail, "good": lambda _: clock(1.0, 1.0)}, n_rounds=2, budget_s=100)
    assert failures == {"bad": "RuntimeError: no such file"}
    assert laps == {"bad": [None, None], "good": [Lap(1.0, 1.0)] * 2}


def test_what_takes_too_long_is_left_out_unless_it_is_needed_in_all_rounds(clock):
    calls = {"slow": lambda _: clock(6.0, 6.0), "needed": lambda _: clock(60.0, 60.0)}
    laps, _ = take_turns(calls, n_rounds=4, budget_s=10, keep_going=["needed"])
    assert laps["slow"] == [Lap(6.0, 6.0), Lap(6.0, 6.0), None, None]
    assert None not in laps["needed"]


def test_a_ratio_is_the_median_of_the_rounds_that_both_took_part_in():
    # The machine was ten times slower in the second round, for both.
    ours = [Lap(1.0, 1.0), Lap(10.0, 10.0), Lap(1.2, 1.1), None]
    theirs = [Lap(2.0, 2.0), Lap(20.0, 20.0), Lap(2.0, 2.0), Lap(9.0, 9.0)]
    assert ratios(ours, theirs) == Lap(wall_s=0.5, cpu_s=0.5)
    assert ratios([None], [Lap(1.0, 1.0)]) is None


def test_the_fastest_is_that_of_the_smallest_median():
    laps = {
        "steady": [Lap(2.0, 2.0)] * 3,
        "mostly quick": [Lap(1.0, 1.0), Lap(1.0, 1.0), Lap(9.0, 9.0)],
        "none": [None],
    }
    assert fastest(laps) == "mostly quick"
    assert median_lap(laps["mostly quick"]) == Lap(1.0, 1.0)
    assert fastest({"none": []}) is None
    assert median_lap([None]) is None


def test_an_error_without_words_is_told_by_its_name():
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert first_line(ValueError("\none\ntwo")) == "ValueError: one"
    assert first_line(OSError("no library: /a/b-c/lib/d.so")) == "OSError: no library: d.so"
