"""No five minutes pass without a checkpoint, as long as no single piece of work takes longer."""

import pytest

from cohear.training import checkpoint_clock
from cohear.training.checkpoint_clock import CheckpointClock


class FakeTime:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    time = FakeTime()
    monkeypatch.setattr(checkpoint_clock, "time", time)
    return time


def work(clock: CheckpointClock, fake: FakeTime, kind: checkpoint_clock.Work, seconds: float) -> None:
    fake.now += seconds
    clock.did(kind)


@pytest.mark.parametrize("step_s", [0.1, 7.0, 100.0, 160.0, 299.0])
def test_between_checkpoints_are_at_most_five_minutes(fake, step_s):
    clock, saved, longest = CheckpointClock(), fake.now, 0.0
    for _ in range(4000):
        work(clock, fake, "step", step_s)
        longest = max(longest, fake.now - saved)
        if clock.is_due_before("step"):
            clock.saved()
            saved = fake.now
    assert step_s <= longest <= 300
    assert longest > 300 - 2 * step_s or step_s > 150


def test_a_long_measurement_is_seen_coming(fake):
    clock = CheckpointClock()
    work(clock, fake, "step", 1.0)
    work(clock, fake, "measurement", 250.0)
    clock.saved()
    work(clock, fake, "step", 60.0)
    assert not clock.is_due_before("step")
    assert clock.is_due_before("measurement")


def test_a_piece_of_work_that_takes_longer_is_followed_by_a_checkpoint(fake):
    clock = CheckpointClock()
    for _ in range(3):
        work(clock, fake, "step", 400.0)
        assert clock.is_due_before("step")
        clock.saved()


def test_the_time_of_writing_is_no_work(fake):
    clock = CheckpointClock()
    work(clock, fake, "step", 1.0)
    fake.now += 200.0  # a slow disk
    clock.saved()
    work(clock, fake, "step", 1.0)
    fake.now += 290.0
    assert not clock.is_due_before("step")
