"""What `cohear predict` says at its end: events by label, and recordings of which answers mean little."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.cli.progress import format_s
from cohear.data.wording import counted, some

if TYPE_CHECKING:
    from cohear.data.audio_decoding import AudioStream
    from cohear.inference.answers import Prediction, Reporting
    from cohear.inference.classifier import Classifier
    from cohear.inference.recordings import HeardFile
    from cohear.reports.pages import Table


@dataclass
class Tally:
    """Counts events, and recordings of which answers mean little."""

    events: dict[Path, list["Prediction"]] = field(default_factory=dict)
    """Of each recording that was heard."""
    lengths_s: dict[Path, float] = field(default_factory=dict)
    """Of each recording, as far as it was heard."""
    flawed: dict[str, list[str]] = field(default_factory=dict)
    """Recordings that could not be judged well, by what is the matter with them."""
    n_blank: int = 0
    """Windows in which all samples are equal."""

    def note(self, recording: "HeardFile", stream: "AudioStream", shortest_s: float) -> bool:
        """Note how much of a recording was heard, and what is the matter with it; whether events in it are none."""
        self.lengths_s[recording.path] = stream.duration_s
        if stream.damage is not None:
            return False
        from cohear.inference.recordings import flaws

        reasons = flaws(stream, shortest_s)
        for reason in reasons:
            self.flawed.setdefault(reason, []).append(recording.name)
        if stream.n_damaged:
            self.flawed.setdefault("damaged in places", []).append(f"{recording.name} ({stream.n_damaged})")
        return bool(reasons)

    @property
    def lines(self) -> list[str]:
        """Say how many recordings and windows could not be judged well, and why."""
        lines = [
            f"{counted(len(paths), 'recording is', 'recordings are')} {what}: {some(paths, 3)}"
            for what, paths in self.flawed.items()
        ]
        if self.n_blank:
            lines.append(f"{counted(self.n_blank, 'window')} without any sound: no event is in them")
        return lines

    def keep(
        self, events: "Iterable[Prediction]", recording: "HeardFile", stream: "AudioStream", shortest_s: float
    ) -> "list[Prediction]":
        """Hear a recording to its end, and return its events: none where it cannot be judged."""
        heard = list(events)
        self.events[recording.path] = kept = [] if self.note(recording, stream, shortest_s) else heard
        return kept

    def table(self, classifier: "Classifier", reporting: "Reporting", *, is_given: bool) -> "Table":
        """Say of each label how often it was heard, from which probability on, and how that was found."""
        from cohear.metrics.thresholds import FEWEST_ANSWERS
        from cohear.reports.pages import Table

        calibration, rows = classifier.about.calibration, []
        of_label: dict[str, list[float]] = {}
        for event in chain.from_iterable(self.events.values()):
            of_label.setdefault(event.label, []).append(event.end_s - event.start_s)
        for label, least in zip(classifier.classes, reporting.thresholds.tolist(), strict=True):
            if label == classifier.about.background:
                continue
            threshold, durations_s = calibration.thresholds.get(label), of_label.get(label, [])
            rests_on = "as given" if is_given else "default: no validation clips"
            if not is_given and calibration.is_fitted:
                rests_on = "none: most of its validation answers are wrong"
                if threshold is not None:
                    rests_on = counted(threshold.n_answers, "answer")
                    if not threshold.is_fitted:
                        is_short = threshold.n_answers < FEWEST_ANSWERS
                        why = f"{FEWEST_ANSWERS} needed" if is_short else "too many wrong for better"
                        rests_on = f"default: {rests_on}, {why}"
            shown = f"{least:.3f}" if isfinite(least) else "-"
            rows.append((label, str(len(durations_s)), format_s(sum(durations_s)), shown, rests_on))
        notes = [] if is_given else ["A threshold rests on validation answers; --threshold P gives one to all."]
        if not is_given and any("default" in rests_on for *_, rests_on in rows):
            notes.append("Where it is a default, too much may be let through: try --threshold 0.9.")
        if classifier.about.background is None and not classifier.task.gives_several:
            notes.append(
                "Whatever else is heard is taken for one of these, as there is no label for 'none of these': record "
                "that, train with --background NAME, or try --threshold 0.9."
            )
        header = ("Label", "Events", "Time", "Threshold", "Rests on")
        return Table("Events", header, tuple(rows), tuple(notes))
