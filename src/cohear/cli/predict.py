"""`cohear predict`: what a trained classifier hears."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli.heard_output import Format, check_format, choose_output
from cohear.cli.progress import format_s, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.audio_stream import AudioStream
    from cohear.inference.answers import Heard
    from cohear.inference.classifier import Classifier
    from cohear.inference.heard_files import HeardFile

_NAMED_LABELS = 8
"""Of those without a threshold; the others are counted."""


def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", show_default=False, help="A finished run folder, or a .cohear file.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_FOLDER...",
            show_default=False,
            help="Sounds, folders of them, or patterns such as 'site*/*.wav'.",
        ),
    ],
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            help="Labels per window.",
            show_default="1; where several may be true, those that reach their thresholds",
        ),
    ] = None,
    hop_s: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Begin a window this often: less than a window overlaps.", show_default="a window"
        ),
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Join windows that overlap or touch to one row per event.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, metavar="P", help="Leave out what is less probable; in place of all fitted thresholds."
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="A table, or a label track for each recording (with --out).")] = "csv",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of the label tracks.")] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write what the last layer but one says of each window, a .npy per recording."
        ),
    ] = None,
) -> None:
    """Print what is heard, window by window, as CSV: path,start_s,end_s,label,probability.

    Recordings may have any rate and length: they are heard in windows as long as the clips of the training, the last of
    which ends with the recording, in memory that does not grow with them. A file that cannot be read is named and left
    out, and of a damaged one what comes before the damage is kept; the status is then 2.

    --events joins windows in which the same label is heard into one row, whose probability is that of the surest
    window. A label counts from its own threshold on: the run has fitted it on its validation clips, so that most
    answers above it are right. Labels without a threshold, and the background, are no events.

    Label tracks (--format audacity or raven) lie in DIR under the names of the recordings: beside the recordings they
    can be opened with them, corrected, and trained on.

    cohear predict runs/my-run street.wav > street.csv

    cohear predict runs/my-run 'site*/*.flac' --hop-s 1 --events

    cohear predict runs/my-run pond/ --events --threshold 0.8 --format audacity --out pond/
    """
    check_format(format, out)
    import torch

    from cohear.data.audio_stream import AudioStream
    from cohear.inference.events import join_windows
    from cohear.inference.heard_files import find_recordings
    from cohear.inference.loading import load

    classifier = load(run)
    reporting = classifier.reporting(top, threshold, events)
    recordings = find_recordings(files)
    output = choose_output(format, out, embeddings, recordings)
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False  # as in training
        classifier = classifier.to("cuda")
    failures = _Failures(len(recordings))
    with nullcontext(_show_nothing) if output.scrolls else progress_bar("listening") as update:
        progress = _Progress(recordings, update)
        for index, recording in enumerate(recordings):
            try:
                stream = AudioStream(recording.path, classifier.sample_rate)
            except UserError as error:
                failures.add(error, is_heard=False)
                continue
            heard = classifier.listen(stream, hop_s)
            first = next(heard, None)
            if first is not None:
                if not progress.heard_s:
                    _say_what_is_missing(classifier, threshold, events)
                    output.print_header()
                windows = output.keep_embeddings(index, progress.follow(index, stream, chain([first], heard)))
                rows = (row for window in windows for row in reporting.report(window))
                output.write(index, stream, join_windows(rows) if events else rows)
            if stream.damage is not None:
                failures.add(stream.damage, is_heard=first is not None)
            elif stream.shortfall_s:
                say(f"{recording.path} is {stream.shortfall_s:.2f} s shorter than it declares")
    if progress.heard_s:
        say(f"heard {format_s(progress.heard_s)} of sound, {progress.speed_text} times as fast as it was recorded")
    failures.raise_if_any(f"in '{out}'" if out else "in the table")


class _Progress:
    """How far all recordings have been heard, by the sizes of their files, and how fast."""

    def __init__(self, recordings: "Sequence[HeardFile]", update: Callable[[float, str], None]) -> None:
        n_bytes = [max(1, _n_bytes(recording.path)) for recording in recordings]
        self._ends = list(accumulate(n_bytes, initial=0))
        self._update, self._started = update, time.monotonic()
        self.heard_s = 0.0
        """Seconds of sound so far."""

    @property
    def speed(self) -> float:
        """Seconds of sound heard in a second."""
        return self.heard_s / (time.monotonic() - self._started)

    @property
    def speed_text(self) -> str:
        """The speed in two or more digits."""
        return f"{self.speed:.1f}" if self.speed < 10 else f"{self.speed:.0f}"

    def follow(self, index: int, stream: "AudioStream", heard: "Iterator[Heard]") -> "Iterator[Heard]":
        """Pass the windows of a recording on."""
        before_s, begin, end = self.heard_s, *self._ends[index : index + 2]
        for window in heard:
            self.heard_s = before_s + window.end_s
            share = min(1.0, window.end_s / stream.declared_s) if stream.declared_s else 0.0
            self._update((begin + share * (end - begin)) / self._ends[-1], f"{self.speed_text} x real time")
            yield window


class _Failures:
    """Recordings that could not be heard, or not to their end."""

    def __init__(self, n_recordings: int) -> None:
        self._n_recordings = n_recordings
        self._left_out: list[UserError] = []
        self._broken_off: list[UserError] = []

    def add(self, error: UserError, *, is_heard: bool) -> None:
        """Note what is wrong with one, and say it where it is not the only one."""
        (self._broken_off if is_heard else self._left_out).append(error)
        if self._n_recordings > 1:
            say(f"{'heard in part' if is_heard else 'left out'}: {error}")

    def raise_if_any(self, where: str) -> None:
        """Raise a sentence on all of them.

        Args:
            where: what was heard lies.
        """
        n_left_out, n_broken_off = len(self._left_out), len(self._broken_off)
        if not n_left_out + n_broken_off:
            return
        if self._n_recordings == 1 and n_left_out:
            raise self._left_out[0]
        if self._n_recordings == 1:
            raise UserError(f"{str(self._broken_off[0]).rstrip('.')}; what was heard before is {where}")
        if n_left_out == self._n_recordings:
            raise UserError(f"not one of {n_left_out} files could be read; see the reasons above")
        counts = [f"{n_left_out} of {self._n_recordings} files could not be read"] if n_left_out else []
        counts += [f"{n_broken_off} of {self._n_recordings} could be read only in part"] if n_broken_off else []
        raise UserError(f"{' and '.join(counts)}; the others are {where}")


def _show_nothing(share: float, note: str) -> None:
    """Stand in for a progress bar."""


def _n_bytes(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def _say_what_is_missing(classifier: "Classifier", threshold: float | None, events: bool) -> None:
    """Warn where answers mean less than they seem to."""
    if threshold is not None:
        return
    from cohear.data.wording import some

    if events:
        thresholds, background = classifier.calibration.thresholds, classifier.background
        missing = [label for label in classifier.classes if label not in thresholds and label != background]
        if missing:
            say(
                f"no events of {some(missing, _NAMED_LABELS)}: the validation clips gave no threshold "
                "above which answers are right often enough; --threshold P gives one for all labels"
            )
    elif classifier.background is None and not classifier.multi_label:
        say(
            "every window gets some label, also where nothing is heard that was trained: this classifier has no label "
            "for 'none of these'; --threshold P leaves out what it is not sure of"
        )
