"""`cohear predict` and `cohear listen`: what a trained classifier hears, as a table or on a page to try it."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.audio_decoding import AudioStream
    from cohear.inference.answers import Heard, Prediction
    from cohear.inference.classifier import Classifier

Format = Literal["csv", "jsonl", "audacity", "raven"]


def predict(
    run: options.Run,
    files: Annotated[list[Path], typer.Argument(metavar="FILE_OR_FOLDER...")],
    top: Annotated[int | None, typer.Option(min=1, metavar="K")] = None,
    hop_s: Annotated[float | None, typer.Option(metavar="SECONDS", show_default="a window")] = None,
    events: Annotated[bool, typer.Option("--events")] = False,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, metavar="P")] = None,
    format: Format = "csv",
    out: Annotated[Path | None, typer.Option(metavar="DIR")] = None,
    embeddings: Annotated[Path | None, typer.Option(metavar="DIR")] = None,
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

    Args:
        run: A finished run folder, or a .cohear file.
        files: Sounds, folders of them, or patterns such as 'site*/*.wav'.
        top: Labels per window; 1, or of several all that reach their thresholds.
        hop_s: Begin a window this often.
        events: Join windows that overlap or touch to one row per event.
        threshold: Leave out what is less probable, whatever was fitted.
        format: A table, or a label track for each recording (with --out).
        out: The folder of the label tracks.
        embeddings: Write an embedding of each window, a .npy per recording.
    """
    if (out is not None) != (format in ("audacity", "raven")):
        raise UserError(
            "--out DIR is for label tracks (--format audacity or raven), which need it; all else is printed"
        )
    import torch

    from cohear.data.audio_decoding import AudioStream
    from cohear.inference.answers import join_windows
    from cohear.inference.classifier import load
    from cohear.inference.recordings import find_recordings, output_paths
    from cohear.inference.tables import CSV_COLUMNS, TRACK_ENDINGS, csv_line, keep_embeddings

    classifier = load(run)
    reporting = classifier.reporting(top, threshold, events)
    recordings = find_recordings(files)
    tracks = output_paths(out, recordings, TRACK_ENDINGS[format]) if out else None
    kept = output_paths(embeddings, recordings, ".npy") if embeddings else None
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False  # as in training
        classifier = classifier.to("cuda")
    stdout = sys.stdout  # before a progress bar takes it over
    scrolls = tracks is None and stdout.isatty()  # rows run over the terminal, where a bar would be in the way
    errors: list[UserError] = []
    is_header_due = True

    def fail(error: UserError, what: str) -> None:
        errors.append(error)
        if len(recordings) > 1:  # else it is the command's own error
            say(f"{what}: {error}")

    def followed(windows: "Iterator[Heard]", stream: AudioStream, index: int) -> "Iterator[Heard]":
        for window in windows:
            share = min(1.0, window.end_s / stream.info.duration_s) if stream.info.duration_s else 0.0
            update((index + share) / len(recordings), stream.path.name)
            yield window

    with nullcontext(lambda *_: None) if scrolls else progress_bar("listening") as update:
        for index, recording in enumerate(recordings):
            try:
                stream = AudioStream(recording.path, classifier.sample_rate)
            except UserError as error:
                fail(error, "left out")
                continue
            with closing(classifier.listen(stream, hop_s)) as heard:  # the reader of the output may leave on the way
                first = next(heard, None)
                if first is not None:
                    if is_header_due:  # now that something is heard: what is refused prints nothing
                        is_header_due = False
                        _say_what_is_missing(classifier, threshold, events)
                        stdout.write(csv_line(CSV_COLUMNS) if format == "csv" else "")
                    windows = followed(chain([first], heard), stream, index)
                    windows = keep_embeddings(windows, kept[index]) if kept else windows
                    rows = (row for window in windows for row in reporting.report(window))
                    _write(join_windows(rows) if events else rows, stream, format, tracks[index] if tracks else stdout)
            if stream.damage is not None:
                fail(stream.damage, "left out" if first is None else "heard up to its damage")
            elif stream.shortfall_s:
                say(f"{recording.path} is {stream.shortfall_s:.2f} s shorter than it declares")
    if len(recordings) == len(errors) == 1:
        raise errors[0]
    if errors:
        raise UserError(f"{len(errors)} of {len(recordings)} files could not be heard to their end, as said above")


def listen(
    run: options.Run,
    host: Annotated[str, typer.Option(metavar="NAME")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, metavar="N", show_default="7860, or a free one")] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open")] = True,
) -> None:
    """Open a page on which a classifier listens: to your sounds, and to what you do to them.

    Drop a sound, record one, or take an example. It is heard as it is, higher or lower, in a room and with gaps, by as
    much as three sliders say; the probabilities and the divergence of the four answers follow at once.

    The page is on this machine alone and needs no network. Ctrl-C ends it. It needs the extra: pip install
    'cohear[app]'.

    cohear listen runs/my-run

    cohear listen runs/my-run --port 8000 --no-open

    Args:
        run: A finished run folder, or a .cohear file.
        host: Address to answer at; any but the default lets others in.
        port: Port to answer at; 0: a free one.
        open_browser: Open the page in a browser.
    """
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise UserError("`cohear listen` needs Gradio, which is not installed; run pip install 'cohear[app]'")

    import cohear
    from cohear.app import server
    from cohear.app.page import build_page
    from cohear.app.sounds import examples

    classifier = cohear.load(run)
    with server.take_port(host, port) as listener, server.offline_gradio() as uploads:
        page = build_page(classifier, run.resolve().name, *examples(classifier, run))
        address = server.address_of(listener, host)
        if not server.is_loopback(listener):
            say("whoever reaches this machine can use the page; sounds can be recorded on this machine alone")
        say(f"listening at {address} (Ctrl-C ends it)")
        if open_browser:
            import webbrowser

            webbrowser.open(address)
        server.serve(page, listener, host, uploads)


def _write(rows: "Iterable[Prediction]", stream: "AudioStream", format: Format, place: Any) -> None:
    """Print the rows of a recording as they come; where the place is a path, write its label track at the end."""
    from cohear.inference.tables import audacity_track, csv_row, json_row, raven_table
    from cohear.runtime.files import explain_disk_errors, write_text

    if not isinstance(place, Path):
        as_text = csv_row if format == "csv" else json_row
        for row in rows:
            place.write(as_text(stream.path, row))
        place.flush()
        return
    top_hz = min(stream.info.sample_rate, stream.sample_rate) / 2
    text = audacity_track(rows) if format == "audacity" else raven_table(rows, stream.path, top_hz)
    with explain_disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, text)


def _say_what_is_missing(classifier: "Classifier", threshold: float | None, events: bool) -> None:
    """Warn where answers mean less than they seem to."""
    if threshold is not None:
        return
    from cohear.data.wording import some

    about = classifier.about
    missing = [label for label in classifier.classes if label not in {*about.calibration.thresholds, about.background}]
    if events and missing:
        say(f"no events of {some(missing)}: validation clips gave no threshold; --threshold P gives one to all")
    if not events and about.background is None and not classifier.task.gives_several:
        say("every window gets some label, as there is none for 'none of these'; --threshold P leaves some out")
