"""`cohear evaluate`: how far a finished run can be trusted, on sounds that it was not trained on."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import count_text, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.experiments.judged_clips import JudgedClips, JudgedFold
    from cohear.reports.tables import Table

_MOST_LABELS_SHOWN = 20
"""On the screen; the page has all."""


def evaluate(
    runs_and_data: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN... DATA",
            show_default=False,
            help="Run folders, or folders that hold them; last, labeled sounds as `cohear train` takes them.",
        ),
    ],
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="N|own|all",
            help="Judge on fold N of DATA, on the run's own test fold, or on all clips, also those it was trained on.",
            show_default="own where DATA is what the run was trained on, else every clip that it was not trained on",
        ),
    ] = None,
    corruptions: Annotated[
        bool,
        typer.Option(
            "--corruptions", help="Judge on damaged clips too: eleven corruptions in five severities, a minute a fold."
        ),
    ] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page goes.")] = Path("evaluation.html"),
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Where all numbers go, as JSON.", show_default=False)
    ] = None,
    sounds: options.Sounds = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be used.")] = False,
) -> None:
    """Judge finished runs: accuracy, calibration, consistency, robustness.

    Of one run: accuracy with its interval, by label, whether probabilities mean what they say (before and after the
    temperature that was fitted to validation clips), thresholds, and how alike it answers a clip in another pitch, in
    another room, or with parts hidden. Of several: one table, with standard errors over folds and paired tests.

    DATA may be what the run was trained on, of which its own test fold is judged, or other sounds with the same labels.

    cohear evaluate runs/mine my_sounds/ --corruptions

    cohear evaluate runs/mine other_pond/ --out other_pond.html --json other_pond.json

    cohear evaluate runs/bda runs/consistency my_sounds/ --corruptions
    """
    if len(runs_and_data) < 2:
        raise UserError("DATA is missing; give runs and then the sounds to judge them on, as runs/mine my_sounds/")
    *runs, data = runs_and_data
    wanted = _fold(fold)

    from cohear.experiments.judged_runs import judge_runs
    from cohear.reports.evaluation_report import comparison_tables, write_evaluation, write_robustness
    from cohear.reports.evaluation_tables import accuracy_sentence, single_tables
    from cohear.reports.evaluation_values import evaluation_values
    from cohear.reports.judged_experiments import judged_experiments
    from cohear.reports.run_folders import read_run
    from cohear.runtime.files import write_json

    _check_place(out, ".html")
    if json_file:
        _check_place(json_file, ".json")
    folders = _finished_runs(runs)
    chosen = _choose(folders, data, wanted, sounds, skip_bad)
    with progress_bar("judging") as update:
        judged = judge_runs(chosen, corruptions=corruptions, on_progress=update)
    if len(judged) == 1:
        experiments, tables = [], single_tables(judged[0])
        write_evaluation(judged[0], out)
    else:
        experiments = judged_experiments([read_run(folder) for folder in folders], judged)
        tables = comparison_tables(experiments)
        write_robustness(experiments, out)
    if json_file:
        write_json(json_file, evaluation_values(judged, experiments))
    first = [accuracy_sentence(judged[0])] if len(judged) == 1 else []
    print("\n\n".join([*first, *_rendered(tables)]))
    say(f"report: {out}")


def _fold(text: str | None) -> "JudgedFold | None":
    if text is None or text == "own" or text == "all":
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    raise UserError(f"--fold {text} is not known; use own, all, or the number of a fold")


def _check_place(path: Path, suffix: str) -> None:
    """Refuse before the work what could not be written after it."""
    from cohear.runtime.files import check_writable

    if path.is_dir() or path.suffix.lower() != suffix:
        raise UserError(f"'{path}' cannot be written: give the name of a file that ends in {suffix}")
    if not path.parent.is_dir():
        raise UserError(f"'{path}' cannot be written: its folder does not exist; make it first or choose another")
    check_writable(path.parent)


def _finished_runs(paths: Sequence[Path]) -> list[Path]:
    """Find the runs, one by its own path whether it was tested or not."""
    from cohear.experiments.run_folder import is_finished, read_record
    from cohear.reports.run_folders import read_runs, unfinished_runs

    if len(paths) == 1 and (paths[0] / "config.json").exists():
        read_record(paths[0])
        if not is_finished(paths[0]):
            raise UserError(f"'{paths[0]}' is an unfinished run; go on with it by --resume, or give another")
        return [paths[0]]
    for folder in unfinished_runs(paths):
        say(f"left out, since it is not finished: {folder}")
    return [run.folder for run in read_runs(paths)]


def _choose(
    folders: Sequence[Path], data: Path, fold: "JudgedFold | None", sounds: str | None, skip_bad: bool
) -> "list[tuple[Path, JudgedClips]]":
    """Choose each run's clips, and say once what is to be known of them."""
    from cohear.experiments.judged_clips import choose_clips
    from cohear.experiments.run_folder import read_record

    chosen: list[tuple[Path, JudgedClips]] = []
    with progress_bar("decoding") as update:
        for folder in folders:
            clips = choose_clips(
                folder,
                read_record(folder),
                data,
                fold,
                sounds=sounds,
                skip_bad=skip_bad,
                on_progress=lambda done, total: update(done / max(total, 1), f"{done} of {total} files"),
            )
            chosen.append((folder, clips))
    for note in dict.fromkeys(note for _, clips in chosen for note in clips.notes):
        say(note)
    which = list(dict.fromkeys(clips.description for _, clips in chosen))
    more = f"; and so on ({len(which) - 1} more)" if len(which) > 1 else ""
    say(f"judging {count_text(folders, 'run')} on {which[0]}{more}")
    for warning in dict.fromkeys(warning for _, clips in chosen for warning in clips.warnings):
        say(f"WARNING: {warning}")
    return chosen


def _rendered(tables: "Sequence[Table]") -> Iterator[str]:
    from cohear.reports.tables import to_text

    for table in tables:
        if table.title == "By label" and len(table.rows) > _MOST_LABELS_SHOWN:
            yield f"By label: {len(table.rows)} labels, on the page."
        else:
            yield to_text(table, shutil.get_terminal_size().columns)
