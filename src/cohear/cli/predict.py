"""`cohear predict`: what a trained classifier hears in recordings, as a table, label tracks, or a page."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import progress_bar, say
from cohear.cli.tally import Tally
from cohear.data.wording import counted
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.data.audio_decoding import AudioStream
    from cohear.inference.answers import Heard, Prediction
    from cohear.inference.classifier import Classifier
    from cohear.inference.recordings import HeardFile
    from cohear.reports.pages import Table

Format = Literal["csv", "jsonl", "audacity", "raven"]


def predict(
    run: options.Run,
    files: Annotated[list[str], typer.Argument(metavar="FILE_OR_FOLDER...")],
    top: Annotated[int | None, typer.Option(min=1, metavar="K")] = None,
    hop_s: Annotated[
        float | None, typer.Option(metavar="SECONDS", show_default="a window, of events half of it")
    ] = None,
    events: Annotated[bool, typer.Option("--events")] = False,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, metavar="P")] = None,
    format: Format = "csv",
    out: Annotated[Path | None, typer.Option(metavar="DIR")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", callback=options.written(".html"))] = None,
    embeddings: Annotated[Path | None, typer.Option(metavar="DIR")] = None,
    review: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    parquet: Annotated[str | None, typer.Option(metavar="DIR")] = None,
    with_embeddings: Annotated[bool, typer.Option("--with-embeddings")] = False,
    jobs: options.Jobs = None,
    executor: options.Executor = "local",
    slurm: options.Slurm = None,
) -> None:
    """Print what is heard, window by window, as CSV: path,start_s,end_s,label,probability.

    Recordings may have any rate and length: they are heard in windows as long as the clips of the training, the last of
    which ends with the recording. A table of windows is printed as they are heard, in memory that does not grow with
    recordings; events are kept to the end, and a label track until it is written. A file that cannot be read is named
    and left out, and of a damaged one what comes before the damage is kept; the status is then 2.

    --events joins windows in which the same label is heard into one row, whose probability is that of the surest
    window; windows begin every half of one, so that no sound lies between two. A label counts from its own threshold
    on: the run has fitted it on its validation clips, so that most answers above it are right. The background is no
    event. A table on stderr says at the end how many events of each label there are, and what its threshold rests on.

    Label tracks (--format audacity or raven) lie in DIR under the names of the recordings: beside the recordings they
    can be opened with them, corrected, and trained on. Where nothing is heard there is none, as an empty one would say
    that somebody has listened.

    cohear predict runs/my-run street.wav > street.csv

    cohear predict runs/my-run 'site*/*.flac' --hop-s 0.5 --events

    cohear predict runs/my-run pond/ --events --threshold 0.8 --format audacity --out pond/

    cohear predict runs/my-run night/ --events --html night.html > night.csv

    --review N picks the N windows of which it is least sure, or of which it says something else when it hears them at
    another pitch or in another room, and writes them to DIR, as clips and a table with an empty column for their label:
    filled in, it is what train takes.

    cohear predict runs/my-run night/ --review 20 --out to-label

    --parquet DIR is for many recordings: each gets a table in DIR/windows (or DIR/events), several are heard side by
    side, here or on a cluster, and the same command goes on where it was stopped. Recordings that could not be heard to
    their end are listed in DIR/failed.parquet.

    cohear predict runs/my-run s3://recorder/2026/ --events --parquet heard --jobs 8

    Args:
        run: A finished run folder, or a .cohear file.
        files: Sounds, folders of them, patterns such as 'site*/*.wav', tables with a column path, or addresses of
            these (s3://, gs:// and others: pip install 'cohear[bulk]').
        top: Labels per window; 1, or of several all that reach their thresholds.
        hop_s: Begin a window this often.
        events: Join windows that overlap or touch to one row per event.
        threshold: Leave out what is less probable, whatever was fitted.
        format: A table, or a label track for each recording (with --out).
        out: The folder of the label tracks, or of the clips to review.
        html: With --events: a page of when what was heard, with the most and the least sure events to listen to.
        embeddings: Write an embedding of each window, a .npy per recording.
        review: Pick N windows to label next, into --out DIR.
        parquet: A table for each recording, into a folder that is gone on with.
        with_embeddings: With --parquet: a column of the windows' embeddings.
        jobs: With --parquet: recordings heard side by side; usually one for each core, and one on a GPU.
        executor: With --parquet: by whom: local, ray (a cluster that RAY_ADDRESS names), or slurm.
        slurm: Of the jobs of --executor slurm, as partition=gpu or timeout_min=240.
    """
    if parquet is not None:
        from cohear.cli.bulk import hear_in_bulk
        from cohear.inference.addresses import is_address
        from cohear.inference.bulk import How

        others = {"review": review, "html": html, "embeddings": embeddings, "out": out, "format": format != "csv"}
        if beside := [name for name, given in others.items() if given]:
            raise UserError(f"--parquet DIR is of tables alone; leave --{beside[0]} out")
        if is_address(parquet):
            raise UserError(f"--parquet takes a folder here, and '{parquet}' is an address")

        how = How(top, hop_s, threshold, events, with_embeddings)
        hear_in_bulk(run, files, Path(parquet), how, jobs, executor, slurm)
        return
    if with_embeddings or jobs or slurm or executor != "local":
        raise UserError("--with-embeddings, --jobs, --executor and --slurm go with --parquet DIR")
    if review is not None:
        if events or html or embeddings or top or threshold is not None or format != "csv":
            raise UserError("--review goes with --hop-s and --out alone: it writes clips and a table to fill in")
        _review(run, files, review, hop_s, out)
        return
    if (out is not None) != (format in ("audacity", "raven")):
        raise UserError(
            "--out DIR is for label tracks (--format audacity or raven), which need it; all else is printed"
        )
    if html is not None and not events:
        raise UserError("--html is a page of events; give --events too")
    from cohear.inference.answers import join_windows
    from cohear.inference.classifier import load
    from cohear.inference.recordings import find_recordings, output_paths, require_here
    from cohear.inference.tables import CSV_COLUMNS, TRACK_ENDINGS, csv_line, keep_embeddings
    from cohear.reports.pages import to_text

    classifier = load(run).fastest()
    reporting = classifier.reporting(top, threshold, events)
    hop_s = classifier.usual_hop_s(events) if hop_s is None else hop_s
    recordings = find_recordings(files)
    if out or embeddings or html:
        require_here(recordings, "a label track, a page or --embeddings")
    tracks = output_paths(out, recordings, TRACK_ENDINGS[format]) if out else None
    kept = output_paths(embeddings, recordings, ".npy") if embeddings else None
    stdout = sys.stdout  # before a progress bar takes it over
    scrolls = tracks is None and stdout.isatty()  # rows run over the terminal, where a bar would be in the way
    errors: list[UserError] = []
    tally = Tally()
    is_header_due, n_without_track = True, 0

    def fail(error: UserError, what: str) -> None:
        errors.append(error)
        if len(recordings) > 1:  # else it is the command's own error
            say(f"{what}: {error}")

    def followed(windows: "Iterator[Heard]", stream: "AudioStream", index: int) -> "Iterator[Heard]":
        for window in windows:
            update((index + stream.share_before(window.end_s)) / len(recordings), recordings[index].path.name)
            tally.n_blank += events and window.is_blank
            yield window

    with nullcontext(lambda *_: None) if scrolls else progress_bar("listening") as update:
        for index, recording in enumerate(recordings):
            with ExitStack() as stack:  # the reader of the output may leave on the way
                try:
                    stream = stack.enter_context(recording.opened(classifier.sample_rate))
                except UserError as error:
                    fail(error, "left out")
                    continue
                heard = stack.enter_context(closing(classifier.listen(stream, hop_s)))
                first = next(heard, None)
                if first is not None:
                    if is_header_due:  # now that something is heard: what is refused prints nothing
                        is_header_due = False
                        if not events and threshold is None:
                            _say_that_every_window_gets_a_label(classifier)
                        stdout.write(csv_line(CSV_COLUMNS) if format == "csv" else "")
                    windows = followed(chain([first], heard), stream, index)
                    windows = keep_embeddings(windows, kept[index]) if kept else windows
                    rows = (row for window in windows for row in reporting.report(window))
                    rows = tally.keep(join_windows(rows), recording, stream, classifier.shortest_s) if events else rows
                    _write(rows, recording, stream, format, tracks[index] if tracks else stdout)
                    n_without_track += tracks is not None and not tracks[index].exists()
            if (damage := recording.damage_in(stream)) is not None:
                fail(damage, "left out" if first is None else "heard up to its damage")
            elif stream.shortfall_s:
                say(f"{recording.name} is {stream.shortfall_s:.2f} s shorter than it declares")
            if first is not None and not events:
                tally.note(recording, stream, classifier.shortest_s)
    for line in tally.lines:
        say(line)
    if n_without_track:
        without = counted(n_without_track, "recording has", "recordings have")
        say(f"{without} no label track, as nothing was heard there: an empty one would say that somebody has listened")
    if events and tally.events:
        table = tally.table(classifier, reporting, is_given=threshold is not None)
        say(to_text(table, shutil.get_terminal_size().columns))
        if html is not None:
            say(f"page: {_write_page(html, run, classifier, tally, table)}")
    if len(recordings) == len(errors) == 1:
        raise errors[0]
    if errors:
        raise UserError(f"{len(errors)} of {len(recordings)} files could not be heard to their end, as said above")


def _review(run: Path, files: list[str], n: int, hop_s: float | None, out: Path | None) -> None:
    """Write the windows that are worth labeling next."""
    if out is None:
        raise UserError("--review N writes clips and a table; say where by --out DIR")
    from cohear.inference.classifier import load
    from cohear.inference.recordings import find_recordings, require_here
    from cohear.inference.review import check_empty, find_doubts, write_review

    check_empty(out)
    classifier, recordings, errors = load(run).fastest(), find_recordings(files), list[UserError]()

    def fail(error: UserError) -> None:
        errors.append(error)
        say(f"not heard to its end: {error}")

    require_here(recordings, "--review")
    with progress_bar("listening") as update:
        doubts = find_doubts(classifier, recordings, n, hop_s, update, fail)
    table = write_review(out, doubts)
    say(f"{counted(len(doubts), 'window')} to label: {table}; listen, fill in the column 'label', then train on it")
    if errors:
        raise UserError(f"{len(errors)} of {len(recordings)} files could not be heard to their end, as said above")


def _write(
    rows: "Iterable[Prediction]", recording: "HeardFile", stream: "AudioStream", format: Format, place: Any
) -> None:
    """Print the rows of a recording as they come; where the place is a path, write its label track."""
    from cohear.inference.tables import audacity_track, csv_row, json_row, raven_table
    from cohear.runtime.files import explain_disk_errors, write_text

    if not isinstance(place, Path):
        as_text = csv_row if format == "csv" else json_row
        for row in rows:
            place.write(as_text(recording.name, row))
        place.flush()
        return
    if not (rows := list(rows)):  # trained on, an empty track is a person's word that nothing is there
        return
    top_hz = min(stream.info.sample_rate, stream.sample_rate) / 2
    text = audacity_track(rows) if format == "audacity" else raven_table(rows, recording.path, top_hz)
    with explain_disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, text)


def _write_page(html: Path, run: Path, classifier: "Classifier", tally: "Tally", table: "Table") -> Path:
    """Write the page of what was heard."""
    import torch

    from cohear.reports.heard_report import Event, HeardRecording, write_heard
    from cohear.reports.pages import of_texts

    device = next(classifier.network.parameters()).device

    @torch.inference_mode()
    def log_mel(waveform: Any) -> Any:
        return classifier.log_mel(torch.from_numpy(waveform).to(device)).cpu().numpy()

    recordings = [
        HeardRecording(path, tally.lengths_s[path], tuple(Event(*event) for event in events))
        for path, events in tally.events.items()
    ]
    about = classifier.about.provenance
    name = about.dataset if about else run.resolve().name
    of = of_texts([about.identity if about else str(run), *map(str, tally.events)])
    options, rate = classifier.about.front_end, classifier.sample_rate
    band_edges_hz = None if options.filters == "kaldi" else (options.f_min, options.f_max or rate / 2)
    return write_heard(html, of, name, recordings, table, rate, log_mel, band_edges_hz)


def _say_that_every_window_gets_a_label(classifier: "Classifier") -> None:
    """Warn where answers mean less than they seem to."""
    if classifier.about.background is None and not classifier.task.gives_several:
        say("every window gets some label, as there is none for 'none of these'; --threshold P leaves some out")
