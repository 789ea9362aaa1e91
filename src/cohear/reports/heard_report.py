"""The page of what was heard in recordings: when, how often, and the surest and least sure events to see and hear."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from cohear.data.audio_decoding import decode, resample
from cohear.data.wording import counted
from cohear.errors import UserError
from cohear.reports import plots
from cohear.reports.pages import Table, data_uri, mp3_bytes, picture, write_page

_TIME = re.compile(r"(?<!\d)((?:19|20)\d\d)-?(\d\d)-?(\d\d)[T_ -]?(\d\d)[-:]?(\d\d)[-:]?(\d\d)(?!\d)")
"""When a recording began, as recorders write it into its name: 20260601_213000."""
_MOST_DRAWN, _N_HEARD = 60, 2
"""Recordings with a timeline; events of a label to hear, of the surest and of the least sure."""
_LONGEST_S = 10.0
"""Of an event to hear."""


class Event(NamedTuple):
    """A stretch of a recording under one label; times in seconds."""

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True)
class HeardRecording:
    """A recording and its events."""

    path: Path
    duration_s: float
    events: tuple[Event, ...]

    @property
    def began(self) -> datetime | None:
        """When it began, where its name says so."""
        if found := _TIME.search(self.path.stem):
            try:
                return datetime.strptime("".join(found.groups()), "%Y%m%d%H%M%S")
            except ValueError:
                return None
        return None

    def hour_of(self, event: Event) -> str:
        """Name the hour in which an event begins, by the clock or else of the recording."""
        if self.began is None:
            return f"hour {int(event.start_s // 3600) + 1}"
        return f"{self.began + timedelta(seconds=event.start_s):%Y-%m-%d %H:00}"


def write_heard(
    out: Path,
    of: str,
    name: str,
    recordings: Sequence[HeardRecording],
    labels: Table,
    sample_rate: int,
    log_mel: Callable[[Float32[np.ndarray, " time"]], Float32[np.ndarray, "band frame"]],
    band_edges_hz: tuple[float, float] | None = None,
) -> Path:
    """Write the page.

    Args:
        out: the HTML file.
        of: what the page is of, as `write_page` takes it.
        name: of the classifier, and of its data.
        recordings: what was heard in each.
        labels: how many events each label has, and on what its threshold rests.
        sample_rate: Hz, at which the classifier hears.
        log_mel: what the classifier sees of a waveform, dB.
        band_edges_hz: the lowest and the highest frequency of its bands, to write beside pictures; None: nothing is.

    Returns:
        Where the page lies.

    Raises:
        UserError: where the page cannot be written.
    """
    counts = Counter(event.label for recording in recordings for event in recording.events)
    n_events, length_s = counts.total(), sum(recording.duration_s for recording in recordings)
    most = sorted(recordings, key=lambda recording: -len(recording.events))[:_MOST_DRAWN]
    drawn = [recording for recording in recordings if recording in most]
    names = [row[0] for row in labels.rows]
    return write_page(
        out,
        "heard.html",
        of=of,
        title=f"{name}: {counted(n_events, 'event')} of {counted(len(counts), 'label')}",
        n_recordings=counted(len(recordings), "recording"),
        length_s=length_s,
        labels=labels,
        hours=_hours(recordings, names),
        timelines=[_timeline(recording, names) for recording in drawn if recording.events],
        n_not_drawn=sum(bool(recording.events) for recording in recordings if recording not in drawn),
        n_without=sum(not recording.events for recording in recordings),
        khz=plots.khz_marks(*band_edges_hz) if band_edges_hz else (),
        heard=_cards([label for label in names if counts[label]], recordings, sample_rate, log_mel),
    )


def _hours(recordings: Sequence[HeardRecording], labels: Sequence[str]) -> Table | None:
    """Count events by hour; None where there is only one hour."""
    by_hour: dict[str, Counter[str]] = {}
    for recording in recordings:
        for event in recording.events:
            by_hour.setdefault(recording.hour_of(event), Counter())[event.label] += 1
    if len(by_hour) < 2:
        return None
    in_order = sorted(by_hour, key=lambda hour: (len(hour), hour))  # hour 9 before hour 10
    rows = tuple((hour, *(str(by_hour[hour][label]) for label in labels)) for hour in in_order)
    return Table("Events by hour", ("Hour", *labels), rows, ())


def _timeline(recording: HeardRecording, labels: Sequence[str]) -> Mapping[str, Any]:
    """Place events on a line for each label that is there, from 0 to 1000."""
    there = {event.label for event in recording.events}
    scale = 1000 / max(recording.duration_s, 1e-9)
    return {
        "path": recording.path,
        "duration_s": recording.duration_s,
        "began": recording.began,
        "lines": [
            {
                "label": label,
                "bars": [
                    {
                        "x": round(event.start_s * scale, 2),
                        "width": round(max(2.0, (event.end_s - event.start_s) * scale), 2),
                        "opacity": round(0.35 + 0.65 * event.probability, 2),
                        "text": f"{_clock(event.start_s)}, {event.probability:.0%}",
                    }
                    for event in recording.events
                    if event.label == label
                ],
            }
            for label in labels
            if label in there
        ],
    }


def _chosen(label: str, recordings: Sequence[HeardRecording]) -> list[tuple[str, Event, HeardRecording]]:
    """Choose the surest and the least sure events of a label."""
    found = [(event, its) for its in recordings for event in its.events if event.label == label]
    found.sort(key=lambda pair: -pair[0].probability)
    surest, rest = found[:_N_HEARD], found[_N_HEARD:]
    return [("surest", *pair) for pair in surest] + [("least sure", *pair) for pair in rest[-_N_HEARD:]]


def _cards(
    labels: Sequence[str],
    recordings: Sequence[HeardRecording],
    sample_rate: int,
    log_mel: Callable[[Float32[np.ndarray, " time"]], Float32[np.ndarray, "band frame"]],
) -> list[Mapping[str, Any]]:
    """Make the pictures and sounds of some events of each label; all pictures have the same colors.

    An event that cannot be decoded again has none: its recording is damaged or gone, and the rest is worth a page.
    """
    made = []
    for label in labels:
        for kind, event, recording in _chosen(label, recordings):
            end_s = min(event.end_s, event.start_s + _LONGEST_S, recording.duration_s)
            try:
                audio = decode(recording.path, event.start_s, end_s)
            except UserError:
                continue
            waveform = resample(audio.waveform, audio.sample_rate, sample_rate)
            made.append((label, kind, event, recording, waveform, log_mel(waveform)))
    loudest_db = max((float(seen.max()) for *_, seen in made), default=0.0)
    cards: dict[str, list[dict[str, Any]]] = {}
    for label, kind, event, recording, waveform, seen in made:
        cards.setdefault(label, []).append(
            {
                "kind": kind,
                "where": f"{recording.path.name}, {_clock(event.start_s)}",
                "probability": event.probability,
                "picture": picture(plots.log_mel_png(seen, loudest_db), f"Log-mel spectrogram of {label}"),
                "sound": data_uri(mp3_bytes(waveform, sample_rate), "audio/mpeg"),
            }
        )
    return [{"label": label, "cards": its} for label, its in cards.items()]


def _clock(seconds: float) -> str:
    """Write a place in a recording.

    Example:
        >>> _clock(61.5), _clock(3725)
        ('1:01.5', '1:02:05.0')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
