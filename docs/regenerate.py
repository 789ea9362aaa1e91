"""Write anew what the documentation shows of results: `python docs/regenerate.py`.

From `results/esc10-small`, `results/esc50-small`: tables in results.md, and Figure 1 on ESC-10. From
`results/minutes.json`: what accuracy so many minutes buy, table and picture in recipe.md. From `results/esc50-probe`
and `results/few-labels*.json`: those in encoders.md. From `results/faults.json`: the promises in reliability.md, and
how they were kept. From `results/esc10-robustness`: what `cohear evaluate` printed, in robustness.md, and its picture.
From `results/table1`, the paper's own experiment, and `results/table1-small`, its rehearsal, each as far as it is
there: a page with Figure 1, and a section of results.md.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # for `reproduction`, which is no part of the package

from cohear.metrics.accuracy import standard_error  # noqa: E402
from cohear.reports.comparison import comparison_tables  # noqa: E402
from cohear.reports.experiments import group_runs  # noqa: E402
from cohear.reports.pages import to_markdown  # noqa: E402
from cohear.reports.plots import Line, Robustness, corruption_panels, figure_1, svg  # noqa: E402
from cohear.runs.finding import find_finished  # noqa: E402
from cohear.runs.run import Run  # noqa: E402
from reproduction import minutes  # noqa: E402
from reproduction.few_labels import table as few_labels_table  # noqa: E402
from reproduction.grid import MODELS, N_FOLDS, Grid, choose  # noqa: E402
from reproduction.page import page, pictures, summary  # noqa: E402

DOCS = ROOT / "docs"
ROBUSTNESS = ROOT / "results" / "esc10-robustness"
MINUTES = ROOT / "results" / "minutes.json"
EARLIER = 5.5, 76.75
"""Minutes and accuracy of the first recipe of `small` on ESC-10; its runs are gone, docs/log.md tells of them."""
END = "<!-- end of generated part -->"
TABLE1, REHEARSAL = "table1", "table1-rehearsal"
"""Names of the pages and of the pictures beside them."""

HOW_TABLE1 = """\
The paper's own experiment is made by

```
git clone https://github.com/karolpiczak/ESC-50
cohear reproduce table1 --data ESC-50 --preset paper --budget 9m --out results/table1 \\
    --set training.precision=bf16
```

given again and again until nothing is missing: each time it works for nine minutes, saves, and next time goes on, on
another machine too. It is meant for a GPU ([performance.md](performance.md)); bf16 against float32 is one of the
controls (`cohear reproduce controls`).
Without `--budget` it runs to the end; `--list` estimates how long that takes. Then `python docs/regenerate.py` writes
this page anew. A rehearsal at small size: [table1-rehearsal.md](table1-rehearsal.md)."""
REHEARSED = """\
The same table at a size that two processor cores can train, which shows what the page says and that everything in it
works. It is made by"""
NOT_REHEARSED = """\
This page is for the same table at a size that two processor cores can train. None of its runs is finished yet, so that
it shows nothing but its own form. They are made by"""
HOW_REHEARSAL = """\
```
cohear reproduce table1 --data ESC-50 --preset quarter --epochs 12 --folds 1 --jobs 2 --out results/table1-small \\
    --set network.width=0.125 --set training.batch_size=48 --set training.precision=float32 --set views.kept=false
```

The paper's own experiment: [table1.md](table1.md)."""


def finished(name: str) -> list[Run]:
    """Read the committed runs below a folder of `results`; none where there is nothing."""
    folder = ROOT / "results" / name
    return find_finished([folder])[0] if any(folder.glob("*/metrics.json")) else []


def tables(name: str, n: int | None = None) -> str:
    """Return the tables of the runs below a folder of `results` as Markdown, or the first of them."""
    return "\n\n".join(map(to_markdown, comparison_tables(finished(name))[:n]))


def probe_tables() -> str:
    """Return what is known of layers on YAMNet as Markdown: all labels of ESC-50, and few."""
    methods, pairs, *_ = comparison_tables(finished("esc50-probe"))
    parts = [to_markdown(its) for its in (replace(methods, title="All labels", notes=methods.notes[:2]), pairs)]
    for name, title in (("few-labels", "Few labels"), ("few-labels-small", "Few labels, the network `small`")):
        few = ROOT / "results" / f"{name}.json"
        if few.exists():
            parts += [f"**{title}**", few_labels_table(json.loads(few.read_text()))]
    return "\n\n".join(parts)


def probe_picture() -> bytes:
    """Draw accuracy and divergence of layers on YAMNet by method: means over folds with their standard errors."""
    experiments = group_runs(finished("esc50-probe"))[::-1]
    figure = Figure(figsize=(8, 2.2), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, 2, sharey=True))
    for axes, key, scale, name in zip(
        panels, ("accuracy", "jsd"), (100, 1), ("test accuracy, %", "divergence of answers (JSD), nats"), strict=True
    ):
        for place, experiment in enumerate(experiments):
            by_fold: dict[int, list[float]] = {}
            for run in experiment.runs:
                by_fold.setdefault(run.fold, []).append(scale * run.metrics[key])
            means = np.array([np.mean(values) for values in by_fold.values()])
            is_ours = experiment.method == "consistency"
            color = "#d55e00" if is_ours else "#555555"
            axes.errorbar(means.mean(), place, xerr=standard_error(means.tolist()), fmt="o", color=color, capsize=3)
        axes.set_xlabel(name)
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(experiments)), [experiment.label for experiment in experiments])
    panels[0].margins(y=0.15)
    return svg(figure)


def minutes_part() -> str:
    """Return minutes and accuracies as Markdown."""
    return minutes.table(json.loads(MINUTES.read_text()))


def minutes_picture() -> bytes:
    """Draw accuracy against minutes of a core, a line per recipe and data set."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    lines: dict[tuple[str, str], list[tuple[int, float, float, float]]] = {}
    for dataset, preset, epochs, used, accuracy, error, _ in minutes.points(json.loads(MINUTES.read_text())):
        lines.setdefault((dataset, preset), []).append((epochs, used, accuracy, error))
    for (dataset, preset), its in lines.items():
        epochs, used, accuracies, errors = zip(*its, strict=True)
        color, label = ("#d55e00" if preset == "small" else "#0072b2"), f"{dataset}, {preset}"
        style = "-o" if dataset == "ESC-10" else "--s"
        axes.errorbar(used, accuracies, yerr=errors, fmt=style, color=color, capsize=3, label=label)
        if len(its) > 1:
            for n, x, y in zip(epochs, used, accuracies, strict=True):
                axes.annotate(f"{n} epochs", (x, y), (5, -11), textcoords="offset points", fontsize=8)
    axes.plot(*EARLIER, "x", color="#555555", label="ESC-10, small as it was at first")
    axes.set_xscale("log")
    axes.set_xlim(1, 100)
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_xlabel("minutes of one processor core, one fold")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return svg(figure)


def table1_runs() -> tuple[Grid, Grid]:
    """Choose the runs of the paper's own experiment and of the rehearsal."""
    papers, rehearsal = (choose(finished(name)) for name in ("table1", "table1-small"))
    return papers, rehearsal


def table1_section(papers: Grid, rehearsal: Grid) -> str:
    """Return what the results show: the paper's own experiment as far as it is there, and until then the rehearsal."""
    parts = [
        "The paper's own experiment, with paired tests, Figure 1 and a verdict on each claim of the paper (it holds, "
        "it does not, or it cannot be told): [table1.md](table1.md).",
        summary(papers) if papers.runs else f"{summary_line(papers)}, and so none of its claims has been tested.",
    ]
    if rehearsal.runs:
        parts += [
            "Its rehearsal at small size, whose numbers say nothing of the paper: "
            "[table1-rehearsal.md](table1-rehearsal.md).",
            summary(rehearsal),
        ]
    return "\n\n".join(parts)


def robustness_text() -> str:
    """Return what `cohear evaluate --corruptions` printed of the runs in `results/esc10-robustness`."""
    return f"```text\n{(ROBUSTNESS / 'evaluation.txt').read_text().strip()}\n```"


def robustness_picture() -> bytes:
    """Draw the accuracies under corruptions, means over folds with their standard errors."""
    runs = json.loads((ROBUSTNESS / "evaluation.json").read_text())["runs"]
    models = []
    for line in (Line("Combination-BDA", "#0072b2", "-."), Line("Combination-CL", "#d55e00", "-")):
        of_model = [run for run in runs if run["model"] == line.label]
        errors = np.array([[its["error_rates"] for its in run["corruptions"]] for run in of_model])
        clean = np.mean([run["as_trained"]["accuracy"] for run in of_model])
        spread = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        models.append(Robustness(line, float(clean), 1 - errors.mean(axis=0), spread))
    return corruption_panels(models)


def promises() -> str:
    """Return what the last `make faults` found, a line per promise."""
    found = json.loads((ROOT / "results" / "faults.json").read_text("utf-8"))
    tallies = [tally for part in found["parts"].values() for tally in part]
    n_lost = sum(bool(tally["lost"]) or tally["tried"] < tally["wanted"] for tally in tallies)
    lines = [
        f"`make faults{'-quick' if found['quick'] else ''}` on {found['n_cores']} cores, Python {found['python']}, "
        f"torch {found['torch']}: {found['minutes']} minutes, {len(tallies)} promises, {len(tallies) - n_lost} held.",
        "",
        "| promise | tried | survived | lost | measured |",
        "|---|---|---|---|---|",
    ]
    for tally in tallies:
        tried, n_broken = tally["tried"], len(tally["lost"])
        lines.append(f"| {tally['promise']} | {tried} | {tried - n_broken} | {n_broken} | {tally['figures']} |")
    return "\n".join(lines)


def how_rehearsal(rehearsal: Grid) -> str:
    """Return what the rehearsal is for, as far as it is there, and how it is made."""
    return (REHEARSED if rehearsal.runs else NOT_REHEARSED) + "\n\n" + HOW_REHEARSAL


def summary_line(papers: Grid) -> str:
    """Return how many runs there are."""
    return f"{len(papers.runs)} of its {len(MODELS) * N_FOLDS} runs have been made"


def with_part(markdown: str, name: str, text: str) -> str:
    """Return Markdown with the generated part of that name replaced."""
    mark = f"<!-- {name}: generated by docs/regenerate.py -->"
    pattern = re.compile(f"{re.escape(mark)}.*?{re.escape(END)}", re.DOTALL)
    replaced, n = pattern.subn(lambda _: f"{mark}\n\n{text}\n\n{END}", markdown)
    assert n == 1, f"there are {n} parts '{mark}'"
    return replaced


def texts() -> dict[Path, str]:
    """Return every file of text that shows results, as the committed runs have it."""
    papers, rehearsal = table1_runs()
    results = with_part((DOCS / "results.md").read_text(), "ESC-10", tables("esc10-small"))
    results = with_part(results, "ESC-50 small", tables("esc50-small", 1))
    return {
        DOCS / "encoders.md": with_part((DOCS / "encoders.md").read_text(), "ESC-50 probe", probe_tables()),
        DOCS / "recipe.md": with_part((DOCS / "recipe.md").read_text(), "minutes", minutes_part()),
        DOCS / "results.md": with_part(results, "Table 1", table1_section(papers, rehearsal)),
        DOCS / "robustness.md": with_part((DOCS / "robustness.md").read_text(), "ESC-10 robustness", robustness_text()),
        DOCS / "reliability.md": with_part((DOCS / "reliability.md").read_text(), "promises", promises()),
        DOCS / f"{TABLE1}.md": page(papers, "# Table 1 of the paper", f"{TABLE1}-figure1", HOW_TABLE1),
        DOCS / f"{REHEARSAL}.md": page(
            rehearsal, "# A rehearsal of Table 1", f"{REHEARSAL}-figure1", how_rehearsal(rehearsal)
        ),
    }


def drawings() -> dict[Path, bytes]:
    """Draw every picture of results."""
    papers, rehearsal = table1_runs()
    experiments = group_runs([run for run in finished("esc10-small") if run.record.track == "every"])
    esc10 = {DOCS / f"esc10-figure1-{part}.svg": figure_1(experiments, part) for part in ("train", "test")}
    own = pictures(papers, f"{TABLE1}-figure1") | pictures(rehearsal, f"{REHEARSAL}-figure1")
    esc10[DOCS / "esc10-robustness.svg"] = robustness_picture()
    esc10[DOCS / "esc50-probe.svg"] = probe_picture()
    esc10[DOCS / "accuracy-minutes.svg"] = minutes_picture()
    return esc10 | {DOCS / name: content for name, content in own.items()}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text)
    for path in DOCS.glob("*figure1*.svg"):
        path.unlink()
    for path, content in drawings().items():
        path.write_bytes(content)
