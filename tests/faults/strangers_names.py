"""Names that would be markup, on every page that shows names: each stays a name, and the page the page that it is."""

import csv
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import Request, sync_playwright

import cohear
from cohear.app.cards import heading, said, summary, view_card
from cohear.app.excerpts import take_excerpt
from cohear.app.hearing import HeardClip, hear_changed, hear_clean
from cohear.experiments.packed_model import PackedModel, read_packed
from cohear.reports.comparison_report import write_comparison
from cohear.reports.run_folders import read_runs
from cohear.reports.run_report import write_run_report
from cohear.reports.table1_report import PAGE, write_table1_report
from faults.markup import markdown_problem, page_problem
from faults.strangers_scene import OPTIONS, Command, in_scene
from faults.tally import Tally
from faults.watched import watch
from reports.conftest import write_grid, write_run

TREE = "Names of strangers add no element, attribute or picture to any page, and are shown as they are"
CARD = "Names of strangers are no markup on a page of Markdown: the model card, Table 1"
BROWSER = "No name on a page runs anything in a browser, or makes it load anything"

RAN = "window.ran=1"
LABELS = (
    f"<script>{RAN}</script>",
    f'"><img src=x onerror={RAN}>',
    f"' onmouseover='{RAN}' autofocus onfocus='{RAN}",
    f"javascript:{RAN}",
    "{{7*7}}${7*7}<%= 7*7 %>{% raw %}{# #}",
    f"[x](javascript:{RAN}) ![x](http://127.0.0.1:9/x.png)",
    f"</style></title></textarea></script><svg onload={RAN}>",
    f"--><script>{RAN}</script><!-- ]]><script>{RAN}</script>",
    "\u202egnp.exe\u2066",
    f"# heading <b onclick={RAN}>",
    "| cell | `code` **bold** <i>",
    "&ltscript&gt&#60b&#62",  # a semicolon would make two labels of it
    r"$\frac{1}{0}$ and $x^2$ \input{x} %",
    "- item <details open ontoggle=window.ran=1>",
    f"<a href=javascript:{RAN}>http://127.0.0.1:9/ www.example.org",
)
"""Labels that a table can hold."""
CONTROLS = (f"two\n\n# lines <b onclick={RAN}>", "a\x1b[2Jb\x07c\x08", "a\0b\ufffe")
"""What data may not be called; a file that somebody else made can say it all the same."""
_CLASSES = len(LABELS)


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Make every page with harmless and with hostile names, and compare."""
    tree, card = Tally(TREE, 10), Tally(CARD, 2)
    pages: dict[str, list[Page]] = {}
    for kind, names in (("harmless", [f"label {number}" for number in range(_CLASSES)]), ("hostile", list(LABELS))):
        folder = scratch / kind
        folder.mkdir()
        more = CONTROLS if kind == "hostile" else ("label a", "label b", "label c")
        pages[kind] = [*_pages_of_commands(scene, folder, names, quick), *_pages_made_here(scene, folder, names, more)]
    for harmless, hostile in zip(*pages.values(), strict=True):
        if hostile.file.suffix == ".md":
            card.judge(hostile.name, _problem(harmless, hostile, markdown_problem))
        else:
            judge = partial(page_problem, shown=hostile.shown)
            tree.judge(hostile.name, _problem(harmless, hostile, judge))
    yield tree
    yield card
    yield _in_browser([page.file for page in pages["hostile"] if page.file.suffix == ".html"])


@dataclass(frozen=True)
class Page:
    """A page that was made, or why it was not."""

    name: str
    file: Path
    shown: tuple[str, ...]
    """Names that must be on it."""
    failure: str = ""


def _pages_of_commands(scene: Path, folder: Path, names: Sequence[str], quick: bool) -> Iterator[Page]:
    """Make the pages of commands, from the data to the comparison."""
    hostile = names[0] == LABELS[0]
    plain = [re.sub(r"[/\0]", "", name)[:80] for name in names]
    table = folder / (f"{plain[1]}.csv" if hostile else "table.csv")
    classes = folder / (plain[0] if hostile else "classes")
    _write_data(scene, table, classes, names, plain)
    run, other, every = ((f"{plain[k]}{k}" if hostile else f"run{k}") for k in (1, 2, 3))
    options = (*OPTIONS, "--validation", "0.3", "--set", "data.n_folds=2", "--background", names[0])
    judged = ("--corruptions",) * (not quick)
    name, shown = str(table.name), tuple(names)
    steps: tuple[tuple[Command, str, tuple[str, ...]], ...] = (
        (("check", name, "--html", "check.html"), "check.html", ()),
        (("check", classes.name, "--html", "classes.html"), "classes.html", ()),
        (("train", name, *options, "--out", run), "", ()),
        (("train", name, *options, "--seed", "1", "--out", other), "", ()),
        (("train", name, *options, "--fold", "all", "--out", every), "", ()),
        (("report", run), f"{run}/report.html", shown),
        (("report", every), f"{every}/report.html", ()),
        (("compare", run, other), "comparison.html", ()),
        (("evaluate", run, name, *judged), "evaluation.html", shown),
        (("evaluate", run, other, name, "--out", "robustness.html"), "robustness.html", ()),
        (("pack", run, "model.cohear", "--card", "card.md"), "card.md", ()),
    )
    broken = ""
    for command, page, its in steps:
        done = in_scene(folder, command)
        failure = "" if done.status == 0 else f"{' '.join(command)[:80]}: {done.traceback or done.said[-300:]}"
        if page:
            yield Page(page.rpartition("/")[2], folder / page, its, failure and (broken or failure))
        broken = broken or failure


def _pages_made_here(scene: Path, folder: Path, names: Sequence[str], more: Sequence[str]) -> Iterator[Page]:
    """Make the pages of names that are in a run's files, or in a packed model, and in no data."""
    three = (names[0], names[6], names[1] + more[0])
    names = [*names, *more]
    model = read_packed(scene / "model.cohear")
    about = model.description.model_copy(update={"classes": three, "background": None})
    changed = about.model_copy(update={"calibration": type(about.calibration)()})
    packed = folder / "named.cohear"
    packed.write_bytes(PackedModel(changed, model.weights, "").to_bytes())
    cards = folder / "cards.html"
    failed = watch(_write_cards, packed, cards, names)
    yield Page("cards of the page", cards, three[:2], failed.traceback or "")
    for name, write in (("table1.md", _write_table1), ("runs.html", _write_runs)):
        failed = watch(write, folder / Path(name).stem, names, folder / name)
        yield Page(name, folder / name, (names[0],), failed.traceback or "")
    yield Page("run.html", folder / "run.html", (names[0],), failed.traceback or "")


def _write_cards(packed: Path, file: Path, names: Sequence[str]) -> None:
    """Write what the page of `cohear listen` is made of."""
    classifier = cohear.load(packed)
    noise = 0.1 * np.random.default_rng(0).standard_normal(classifier.n_samples).astype(np.float32)
    excerpt = take_excerpt(classifier, noise, names[1], names[2])
    views = {"clean": hear_clean(classifier, excerpt)}
    views |= {change: hear_changed(classifier, excerpt, change, 1.0) for change in ("pitch", "room", "masks")}
    heard = HeardClip(excerpt, views)
    parts = [heading(classifier, names[0]), said(names[2], names[1]), said(names[6], is_error=True)]
    parts += [summary(classifier, heard), *(view_card(classifier, heard, view) for view in views)]
    file.write_text("".join(parts), "utf-8")


def _write_table1(folder: Path, names: Sequence[str], file: Path) -> None:
    """Write the page of Table 1 of runs whose files hold names in place of words of ours."""
    wrong = {"none": 9, "standard": 8, "bda": 7, "consistency": 6}
    strange = {"preset": names[0], "precision": names[10], "warnings": list(names), "data_notes": list(names)}
    write_table1_report(write_grid(folder, wrong, **strange), file.parent)
    (file.parent / PAGE).replace(file)


def _write_runs(folder: Path, names: Sequence[str], file: Path) -> None:
    """Write the comparison of runs in whose files everything that is text is a name."""
    for number, method in enumerate(("bda", "consistency")):
        its = {"dataset": names[0], "preset": names[1], "model": f"{names[2]} {number}", "precision": names[6]}
        classes = (*names[:2], *names[-3:])
        write_run(folder / f"{number}", method, classes=classes, **its, warnings=list(names))
        write_run_report(folder / f"{number}")
    write_comparison(read_runs([folder]), file)
    (folder / "0" / "report.html").replace(file.with_name("run.html"))


def _write_data(scene: Path, table: Path, classes: Path, names: Sequence[str], plain: Sequence[str]) -> None:
    """Write the same sounds as a table and as folders: labels, groups, files and folders are names."""
    sounds = sorted((scene / "sounds").rglob("*.wav"))
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, name in enumerate(names):
            for take in range(6):
                place = classes / f"{number} {plain[number]}" / f"{take} {plain[number]}.wav"
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(sounds[(6 * number + take) % len(sounds)], place)
                writer.writerow([place.relative_to(table.parent), name, f"{name} {take}"])


def _problem(harmless: Page, hostile: Page, judge: Callable[[Path, Path], str | None]) -> str | None:
    if failure := harmless.failure or hostile.failure:
        return f"it could not be made: {failure}"
    return judge(harmless.file, hostile.file)


def _in_browser(files: Sequence[Path]) -> Tally:
    tally = Tally(BROWSER, len(files))
    executable = next(filter(None, map(shutil.which, (os.environ.get("COHEAR_BROWSER", ""), "chromium"))), None)
    if executable is None:
        tally.figures = "no Chromium; make browser installs it"
        return tally
    seen = watch(_open_all, executable, [str(file) for file in files if file.exists()])
    found = {name: its for line in seen.said.splitlines() if line.startswith("[") for name, its in [json.loads(line)]}
    for file in files:
        tally.judge(file.name, found.get(str(file), f"it was not opened: {seen.said[-300:]}"))
    return tally


def _open_all(executable: str, files: Sequence[str]) -> None:
    """Open pages, hover over everything, and print what happened."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for file in files:
            page = browser.new_page()
            problems: list[str] = []
            _report_to(problems, page, Path(file).as_uri())
            page.goto(Path(file).as_uri())
            page.wait_for_timeout(200)
            page.evaluate("() => document.querySelectorAll('details').forEach(its => its.open = true)")
            events = "['mouseover', 'click', 'focus', 'pointerenter']"
            page.evaluate(
                f"() => document.querySelectorAll('body *').forEach(its => {events}.forEach("
                "name => its.dispatchEvent(new Event(name, {bubbles: true}))))"
            )
            if page.evaluate("() => window.ran !== undefined"):
                problems.append("a script ran")
            print(json.dumps([file, problems[0] if problems else None]))
            page.close()
        browser.close()


def _report_to(problems: list[str], page: BrowserPage, address: str) -> None:
    """Note what a page does that it should not."""

    def note(request: Request) -> None:
        if request.url != address and not request.url.startswith("data:"):
            problems.append(f"it asked for {request.url}")

    page.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
    page.on("request", note)
