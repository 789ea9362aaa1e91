"""Names that would be markup, on every page that shows names: a browser sees names and nothing else."""

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults.strangers.scene import OPTIONS, Command, in_scene
from faults.strangers.watched import watch
from faults.tally import Tally

BROWSER = "No name of strangers on a page runs anything in a browser, adds a picture or loads anything, and it is shown"

RAN = "window.ran=1"
LABELS = (
    f"<script>{RAN}</script>",
    f'"><img src=x onerror={RAN}>',
    f"' onmouseover='{RAN}' autofocus onfocus='{RAN}",
    "{{7*7}}${7*7}<%= 7*7 %>{% raw %}{# #}",
    f"[x](javascript:{RAN}) ![x](http://127.0.0.1:9/x.png)",
    f"</style></title></textarea></script><svg onload={RAN}>",
    f"--><script>{RAN}</script><!-- ]]><script>{RAN}</script>",
    "\u202egnp.exe\u2066",
    "| cell | `code` **bold** <i>",
    "&ltscript&gt&#60b&#62",  # a semicolon would make two labels of it
    r"$\frac{1}{0}$ and $x^2$ \input{x} %",
    f"<a href=javascript:{RAN}>http://127.0.0.1:9/ www.example.org",
)
"""Labels that a table can hold."""


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Make every page with hostile names, from the check of data to the comparison, and open it."""
    folder = scratch / "names"
    folder.mkdir()
    plain = [re.sub(r"[/\0]", "", name)[:80] for name in LABELS]
    table, classes = folder / f"{plain[1]}.csv", folder / plain[0]
    _write_data(scene, table, classes, plain)
    run, other, every = (f"{plain[k]}{k}" for k in (1, 2, 3))
    options = (*OPTIONS, "--validation", "0.3", "--set", "data.n_folds=2", "--background", LABELS[0])
    steps: tuple[tuple[Command, str], ...] = (
        (("check", table.name, "--html", "check.html"), "check.html"),
        (("check", classes.name, "--html", "classes.html"), "classes.html"),
        (("train", table.name, *options, "--out", run), f"{run}/report.html"),
        (("train", table.name, *options, "--seed", "1", "--out", other), ""),
        (("train", table.name, *options, "--fold", "all", "--out", every), f"{every}/report.html"),
        (("compare", run, other), "comparison.html"),
        (("evaluate", run, table.name, *("--corruptions",) * (not quick)), "evaluation.html"),
    )
    tally, pages = Tally(BROWSER, sum(bool(page) for _, page in steps)), []
    for command, page in steps:
        done = in_scene(folder, command)
        if page and done.status:
            tally.judge(page, f"{' '.join(command)[:80]}: {done.traceback or done.said[-300:]}")
        elif page:
            pages.append(folder / page)
    executable = next(filter(None, map(shutil.which, (os.environ.get("COHEAR_BROWSER", ""), "chromium"))), None)
    if executable is None:
        tally.figures = "no Chromium; make browser installs it"
        yield tally
        return
    seen = watch(_open_all, executable, [str(file) for file in pages])
    found = {name: its for line in seen.said.splitlines() if line.startswith("[") for name, its in [json.loads(line)]}
    for file in pages:
        tally.judge(file.name, found.get(str(file), f"it was not opened: {seen.said[-300:]}"))
    yield tally


def _write_data(scene: Path, table: Path, classes: Path, plain: Sequence[str]) -> None:
    """Write the same sounds as a table and as folders: labels, groups, files and folders are names."""
    sounds = sorted((scene / "sounds").rglob("*.wav"))
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, name in enumerate(LABELS):
            for take in range(6):
                place = classes / f"{number} {plain[number]}" / f"{take} {plain[number]}.wav"
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(sounds[(6 * number + take) % len(sounds)], place)
                writer.writerow([place.relative_to(table.parent), name, f"{name} {take}"])


def _open_all(executable: str, files: Sequence[str]) -> None:
    """Open pages, hover over everything, and print what happened."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for file in files:
            page, problems, address = browser.new_page(), list[str](), Path(file).as_uri()

            def note(url: str, problems: list[str] = problems, address: str = address) -> None:
                if url != address and not url.startswith("data:"):
                    problems.append(f"it asked for {url}")

            page.on("dialog", lambda dialog, problems=problems: (problems.append("a dialog"), dialog.dismiss()))
            page.on("request", lambda request, note=note: note(request.url))
            page.goto(address, wait_until="load")
            page.evaluate("() => document.querySelectorAll('details').forEach(its => its.open = true)")
            events = "['mouseover', 'click', 'focus', 'pointerenter']"
            page.evaluate(
                f"() => document.querySelectorAll('body *').forEach(its => {events}.forEach("
                "name => its.dispatchEvent(new Event(name, {bubbles: true}))))"
            )
            if page.evaluate("() => new Promise(its => setTimeout(() => its(window.ran !== undefined), 200))"):
                problems.append("a script ran")
            if page.evaluate("() => document.querySelectorAll('script, iframe, [src]:not([src^=\"data:\"])').length"):
                problems.append("it has elements that no page of ours has")
            text = " ".join(page.text_content("body").split())
            if file.endswith(("check.html", "report.html")) and " ".join(LABELS[1].split()) not in text:
                problems.append("a name is not shown")
            print(json.dumps([file, problems[0] if problems else None]))
            page.close()
        browser.close()
