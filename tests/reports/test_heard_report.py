"""The page of what was heard: places on lines, hours by the recorder's clock, and which events are shown."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cohear.reports.heard_report import Event, HeardRecording, write_heard
from cohear.reports.pages import Table

LABELS = Table("Events", ("Label", "Events"), (("frog", "5"), ("owl", "1"), ("rain", "0")), ())


def recording(path: Path, duration_s: float, *events: tuple[float, str, float]) -> HeardRecording:
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, round(duration_s * 8000)), 8000)
    return HeardRecording(path, duration_s, tuple(Event(start, start + 1, label, p) for start, label, p in events))


@pytest.fixture
def page(tmp_path):
    frogs = [(float(place), "frog", 0.5 + place / 20) for place in range(5)]
    heard = [
        recording(tmp_path / "pond_20260601_235950.wav", 20, *frogs, (15.0, "owl", 0.9)),
        recording(tmp_path / "<b>.wav", 10),
    ]
    place = tmp_path / "heard.html"
    return write_heard(
        place, "of", "pond", heard, LABELS, 8000, lambda wave: wave.reshape(-1, 8).T, (0, 4000)
    ).read_text()


def test_events_lie_at_their_places(page):
    assert "pond: 6 events of 2 labels" in page
    assert "2 recordings, 30 s" in page
    assert "<rect class=event x=750.0 y=2 width=50.0" in page  # 15 to 16 of 20 s
    assert page.count("<rect class=event") == 6
    assert page.count("class=line") == 2  # no line for rain
    assert "In 1 of the recordings there is no event." in page
    assert "<b>" not in page


def test_hours_are_those_of_the_recorders_clock(page):
    rows = page[page.index("Events by hour") :]
    assert rows.index("2026-06-01 23:00") < rows.index("2026-06-02 00:00")
    for hour, n_frogs, n_owls in (("2026-06-02 00:00", 0, 1), ("2026-06-01 23:00", 5, 0)):
        assert f'<th>{hour}</th><td data-column="frog">{n_frogs}</td><td data-column="owl">{n_owls}</td>' in rows
    assert HeardRecording(Path("walk.wav"), 9e3, ()).hour_of(Event(3700, 3701, "frog", 1)) == "hour 2"
    assert HeardRecording(Path("rec_1234201912311259590.wav"), 9e3, ()).began is None
    assert HeardRecording(Path("20261399_000000.wav"), 9e3, ()).began is None


def test_hours_are_in_the_order_of_time_however_many_there_are(tmp_path):
    events = tuple(Event(3600.0 * hour, 3600.0 * hour + 1, "frog", 0.9) for hour in (0, 8, 9, 98, 99, 100))
    heard = [HeardRecording(tmp_path / "gone.wav", 4e5, events)]
    page = write_heard(tmp_path / "heard.html", "of", "pond", heard, LABELS, 8000, lambda wave: wave).read_text()
    assert re.findall(r"<th>hour +(\d+)</th>", page) == ["1", "9", "10", "99", "100", "101"]


def test_the_surest_and_the_least_sure_are_to_be_heard(page):
    shown = page[page.index("Events to see and hear") :]
    assert shown.count("<span>4 kHz</span>") == 5
    assert shown.count("<audio") == 5  # of five frogs two and two, of one owl the one
    assert [
        shown.count(f"<strong>{kind}</strong>, {p}%") for kind, p in (("surest", "70.0"), ("least sure", "50.0"))
    ] == [1, 1]


def test_what_cannot_be_read_again_costs_no_more_than_its_own_card(tmp_path):
    heard = [
        recording(tmp_path / "whole.wav", 10, (2.0, "frog", 0.9)),
        recording(tmp_path / "gone.wav", 10, (2.0, "frog", 0.8), (5.0, "owl", 0.9)),
    ]
    (tmp_path / "gone.wav").unlink()
    place = tmp_path / "heard.html"
    page = write_heard(place, "of", "pond", heard, LABELS, 8000, lambda wave: wave.reshape(-1, 8).T).read_text()
    assert page.count("<rect class=event") == 3
    assert page.count("<audio") == 1
