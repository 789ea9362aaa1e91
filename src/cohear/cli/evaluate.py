"""`cohear evaluate`: how far a finished run can be trusted, on sounds that it was not trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cohear.cli import options
from cohear.cli.progress import counting, progress_bar, say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.runs.judging import JudgedClips, JudgedFold
    from cohear.runs.run import Run


def _fold(text: str) -> "JudgedFold":
    if text.isascii() and text.isdigit():
        return int(text)
    if text in ("own", "all"):
        return text
    raise typer.BadParameter(f"{text} is not known; use own, all, or the number of a fold")


def evaluate(
    runs_and_data: Annotated[list[Path], typer.Argument(metavar="RUN... DATA")],
    fold: Annotated[Any, typer.Option(metavar="N|own|all", parser=_fold)] = None,
    corruptions: Annotated[bool, typer.Option("--corruptions")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE")] = Path("evaluation.html"),
    json_file: options.Json = None,
    sounds: Annotated[str | None, typer.Option(metavar="DIR")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad")] = False,
) -> None:
    """Judge finished runs: accuracy, calibration, consistency, robustness.

    Of one run: accuracy with its interval, by label, whether probabilities mean what they say (before and after the
    temperature that was fitted to validation clips), thresholds, and how alike it answers a clip in another pitch, in
    another room, or with parts hidden. Of several: one table, with standard errors over folds and paired tests.

    DATA may be what the run was trained on, of which its own test fold is judged, or other sounds with the same labels.

    cohear evaluate runs/mine my_sounds/ --corruptions

    cohear evaluate runs/mine other_pond/ --out other_pond.html --json other_pond.json

    cohear evaluate runs/bda runs/consistency my_sounds/ --corruptions

    Args:
        runs_and_data: Run folders, or folders that hold them; last, labeled sounds as `cohear train` takes them.
        fold: Judge on fold N of DATA, on the run's own test fold, or on all clips, also those it was trained on; else
            on its own where DATA is what it was trained on, or every clip that it was not trained on.
        corruptions: Judge on damaged clips too: eleven corruptions in five severities, a minute a fold.
        out: Where the page goes.
        json_file: Where all numbers go, as JSON.
        sounds: Where the sounds of a table lie.
        skip_bad: Leave out files that cannot be used.
    """
    if len(runs_and_data) < 2:
        raise UserError("DATA is missing; give runs and then the sounds to judge them on, as runs/mine my_sounds/")
    *runs, data = runs_and_data

    from cohear.cli.finish import check_file, finished_runs, print_tables
    from cohear.reports.evaluation_report import (
        evaluation_values,
        judged_experiments,
        write_evaluation,
        write_robustness,
    )
    from cohear.reports.evaluation_tables import accuracy_sentence, single_tables
    from cohear.runs.judging import judge_runs
    from cohear.runtime.files import write_json

    check_file(out, ".html")
    check_file(json_file, ".json")
    chosen = _choose(finished_runs(runs, tested=len(runs) > 1), data, fold, sounds, skip_bad)
    with progress_bar("judging") as update:
        judged = judge_runs(chosen, corruptions=corruptions, on_progress=update)
    if len(judged) == 1:
        tables = single_tables(judged[0])
        write_evaluation(judged[0], out)
    else:
        tables = write_robustness(judged_experiments(judged), out)
    if json_file:
        write_json(json_file, evaluation_values(judged))
    if len(judged) == 1:
        print(f"{accuracy_sentence(judged[0])}\n")
    print_tables(tables)
    say(f"report: {out}")


def _choose(
    runs: "Sequence[Run]", data: Path, fold: "JudgedFold | None", sounds: str | None, skip_bad: bool
) -> "list[tuple[Run, JudgedClips]]":
    """Choose each run's clips, and say once what is to be known of them."""
    from cohear.runs.judging import choose_clips

    with progress_bar("decoding") as update:
        how = {"sounds": sounds, "skip_bad": skip_bad, "on_progress": counting(update, "files")}
        chosen = [(run, choose_clips(run, data, fold, **how)) for run in runs]
    for note in dict.fromkeys(note for _, clips in chosen for note in clips.notes):
        say(note)
    for description in dict.fromkeys(clips.description for _, clips in chosen):
        say(f"judging on {description}")
    for warning in dict.fromkeys(warning for _, clips in chosen for warning in clips.warnings):
        say(f"WARNING: {warning}")
    return chosen
