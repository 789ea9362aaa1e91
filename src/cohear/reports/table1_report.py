"""The page on the paper's Table 1: the table, the tests, Figure 1, and a sentence for each claim of the paper."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cohear.experiments.identity import NUMERICS
from cohear.experiments.paper import FIGURE_1
from cohear.reports import plots
from cohear.reports.claims import caveat, findings, rules, verdict_words
from cohear.reports.curve_claims import FIGURE_FOLD
from cohear.reports.grouping import Experiment
from cohear.reports.method_table import count_text
from cohear.reports.paired_table import paired_table_of
from cohear.reports.run_folders import RunSummary
from cohear.reports.table1_choice import choose_table1_runs
from cohear.reports.table1_runs import MODELS, N_FOLDS, Table1Runs
from cohear.reports.table1_table import changed_table, compact, missing_changed, narrow, partial_sentences, table1
from cohear.reports.tables import no_markdown, to_markdown, to_text
from cohear.runtime.files import explain_disk_errors, write_bytes, write_text

PAGE = "table1.md"
_FIGURE = "figure1"
_PARTS: tuple[plots.Part, ...] = ("train", "test")
_TITLE = "# Table 1 of the paper"


def write_table1_report(runs: Sequence[RunSummary], out: Path) -> Path:
    """Write the page and its pictures.

    Args:
        runs: finished runs of Table 1, of its ablations and controls, of any number of folds and seeds; may be
            empty. Where they are of several configurations, one is shown and the others are named.
        out: a folder, made where it is missing; `table1.md` is written into it, and `figure1-train.svg` and
            `figure1-test.svg` where a model of Figure 1 was measured after each epoch.

    Returns:
        The page.

    Raises:
        UserError: if two runs are the same, predictions cannot be read, or the page cannot be written.
    """
    chosen = choose_table1_runs(runs)
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(chosen, _FIGURE).items():
        write_bytes(out / name, picture)
    write_text(out / PAGE, page(chosen, _TITLE, _FIGURE))
    return out / PAGE


def table1_text(runs: Sequence[RunSummary], width: int = 80) -> str:
    """Return the table and a line for each claim, for a terminal of `width` characters.

    Raises:
        UserError: as `write_table1_report`.
    """
    chosen = choose_table1_runs(runs)

    def fill(text: str, indent: str = "") -> str:
        return textwrap.fill(text, width, subsequent_indent=indent, break_on_hyphens=False)

    parts = [fill(sentence.replace("**", "")) for sentence in _what_this_is(chosen)]
    parts += [to_text(narrow(table1(chosen), width), width), "Claims of the paper", fill(caveat())]
    claims = [f"- {f.claim}: {verdict_words(f, chosen.is_rehearsal)}." for f in findings(chosen)]
    return "\n\n".join([*parts, "\n".join(fill(claim, "  ") for claim in claims)])


def page(runs: Table1Runs, title: str, figure_name: str, more: str = "") -> str:
    """Return the page as Markdown.

    Args:
        runs: of one configuration.
        title: its heading.
        figure_name: of `pictures`, which lie beside the page.
        more: paragraphs after the sentences on what the runs are, Markdown.
    """
    tests = paired_table_of(list(runs.experiments.values()), runs.compare)
    changed = changed_table(runs)
    shown = [to_markdown(table) if table else "" for table in (table1(runs), changed)]
    shown += [missing_changed(runs), to_markdown(tests) if tests else ""]
    parts = [title, *_what_this_is(runs), more, *shown, *_figure_1(runs, figure_name)]
    parts += ["## Claims of the paper", caveat(), "\n".join(_claims(runs)), "## How a verdict comes about", rules()]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(runs: Table1Runs) -> str:
    """Return what the runs are, and the compact table, as Markdown."""
    table = replace(compact(table1(runs)), notes=tuple(partial_sentences(runs)))
    return "\n\n".join([*_what_this_is(runs), to_markdown(table)])


def pictures(runs: Table1Runs, name: str) -> dict[str, bytes]:
    """Draw Figure 1 for the fold that the paper draws, (a) and (b), by file name; none where nothing was measured."""
    experiments = _followed(runs)
    if not experiments:
        return {}
    return {f"{name}-{part}.svg": plots.figure_1(experiments, part) for part in _PARTS}


def _followed(runs: Table1Runs) -> list[Experiment]:
    found = []
    for model in FIGURE_1:
        experiment = runs.grid.get(model.name)
        measured = tuple(
            run
            for run in (experiment.runs if experiment else ())
            if run.fold == FIGURE_FOLD and plots.is_tracked(run, "test_jsd")
        )
        if experiment and measured:
            found.append(replace(experiment, label=model.name, runs=measured))
    return found


def _figure_1(runs: Table1Runs, name: str) -> Iterable[str]:
    yield "## Figure 1"
    experiments = _followed(runs)
    if not experiments:
        yield f"No run of its models on fold {FIGURE_FOLD} was measured after each epoch yet."
        return
    seeds = count_text([len(e.seeds) for e in experiments], "seed")
    yield f"Divergence of the training clips and of the test clips of fold {FIGURE_FOLD} after each epoch, {seeds}."
    for part, words in (("train", "training"), ("test", "test")):
        yield f"![Divergence of the {words} clips by epoch]({name}-{part}.svg)"


def _claims(runs: Table1Runs) -> Iterable[str]:
    for finding in findings(runs):
        words = verdict_words(finding, runs.is_rehearsal)
        yield f"- **{finding.claim}: {words}.** {finding.evidence}"


def _what_this_is(runs: Table1Runs) -> Iterable[str]:
    """Say how much is there, and first of all whether it is the paper's experiment."""
    members = runs.grid_runs
    if runs.is_rehearsal:
        presets = " and ".join(sorted({f"preset {run.preset}, {count_text([run.epochs], 'epoch')}" for run in members}))
        deviations = no_markdown(", ".join(runs.deviations))
        yield (
            f"**These runs are not the paper's: {no_markdown(presets)}.** What differs: {deviations}. What follows "
            "is a rehearsal; nothing in it confirms or refutes the paper."
        )
    n_seeds = max(len(runs.seeds), 1)
    times = f" x {n_seeds} seeds" if n_seeds > 1 else ""
    yield (
        f"{len(members)} of {len(MODELS) * N_FOLDS * n_seeds} runs are there ({len(MODELS)} models x {N_FOLDS} folds"
        f"{times})."
    )
    if not runs.is_current:
        yield _of_another_version(runs)
    elif members and len(members) < len(MODELS) * N_FOLDS * n_seeds:
        yield (
            "`cohear reproduce table1` with the same options, for all models and folds, makes those that are missing "
            "and keeps what is finished."
        )
    if members and not runs.is_rehearsal:
        precisions = " and ".join(sorted({run.precision for run in members}))
        yield f"They were made with the paper's settings as we read it, in {no_markdown(precisions)}."
    if runs.left_out:
        yield f"Left out, since they do not belong to this table: {no_markdown('; '.join(runs.left_out))}."


def _of_another_version(runs: Table1Runs) -> str:
    """Say what it means that this version would compute the runs otherwise, or may."""
    if runs.numerics is None:
        return (
            f"It is not recorded by which numerics they were made; those of this version are {NUMERICS}. Where they "
            "were others, `cohear reproduce table1` makes all runs anew."
        )
    return (
        f"They were made by another version (numerics {runs.numerics}; those of this version are {NUMERICS}), which "
        "gives other numbers for the same settings: `cohear reproduce table1` would keep none of them and make all "
        "runs anew."
    )
