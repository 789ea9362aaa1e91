"""Commands, settings and links in the documentation exist; its Python runs; its sounds and numbers are of today."""

import doctest
import importlib
import pkgutil
import re
import runpy
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import cohear
from cohear.cli import run
from cohear.data.audio_decoding import decode
from cohear.runs.config import FIELDS, Config, change, parse_override
from cohear.transforms import TRANSFORMS, parse_recipe

ROOT = Path(__file__).parent.parent
DOCS, PAGES_OF_TRANSFORMS = ROOT / "docs", sorted((ROOT / "docs" / "transforms").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
MODULES = [module.name for module in pkgutil.walk_packages(cohear.__path__, "cohear.")]
SHOWN = runpy.run_path(str(DOCS / "regenerate_transforms.py"))["commands"]()


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for its_language, block in found if its_language == language]


def commands() -> dict[str, list[list[str]]]:
    """Return the words after each command, by its name."""
    lines = "\n".join(blocks(TEXT, "")).replace("\\\n", "").splitlines()
    found: dict[str, list[list[str]]] = {}
    for line in [*lines, *re.findall(r"`(cohear [a-z][^`]*)`", TEXT)]:
        if line.startswith("cohear "):
            name, *words = shlex.split(line, comments=True)[1:]
            found.setdefault(name, []).append(words)
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_in_the_documentation_is_understood(name, capsys):
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    for words in commands()[name]:
        assert [word for word in words if word.startswith("--") and word not in shown] == []
        for option, value in pairwise(words):
            if option == "--transform" and "(" in value:
                parse_recipe(value)


def test_settings_named_in_the_documentation_exist():
    for setting in re.findall(r"--set ([a-z_]+\.[a-z_]+=[^\s`]+)", TEXT):
        change(Config(), dict([parse_override(setting)]))
    sections = "|".join({name.partition(".")[0] for name in FIELDS if "." in name})
    named = set(re.findall(rf"`((?:{sections})\.(?!py`)[a-z_]+)(?:=[^`]*)?`", TEXT))
    assert len(named) > 15
    assert named <= FIELDS.keys()


def test_the_readme_is_short_and_its_training_loop_runs():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.split()) < 900
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool1d(64), torch.nn.Linear(64, 10))
    names = {"torch": torch, "network": network, "waveforms": torch.randn(8, 4000), "labels": torch.arange(8)}
    exec(blocks(readme, "python")[1], names)
    assert network[1].weight.grad is not None


@pytest.mark.parametrize(
    "page", [DOCS / "networks.md", DOCS / "extending.md", *PAGES_OF_TRANSFORMS], ids=lambda page: page.stem
)
def test_pages_show_python_that_runs(page, monkeypatch):
    monkeypatch.chdir(DOCS / "transforms")
    codes = blocks(page.read_text(), "python")
    assert codes
    for code in codes:
        exec(compile(code, page.name, "exec"), {"__name__": page.stem})


@pytest.mark.slow
@pytest.mark.parametrize(("page", "words"), SHOWN.items(), ids=list(SHOWN))
def test_commands_on_the_pages_make_the_sounds_beside_them(page, words, monkeypatch, tmp_path):
    monkeypatch.chdir(DOCS / "transforms")
    command, before, after, *options = words
    assert Path(after).stem == page
    assert run([command, before, str(tmp_path / "again.ogg"), *options]) == 0
    again, shown = decode(tmp_path / "again.ogg").waveform, decode(after).waveform
    # Other processors round differently, and a lossy format more so; a missing step would be far off.
    assert np.sqrt(np.mean((again - shown) ** 2) / np.mean(again**2)) < 0.05


def test_every_transform_has_a_page_and_every_page_is_in_the_index():
    shown = "".join(page.read_text() for page in PAGES_OF_TRANSFORMS)
    ours = [kind for kind in TRANSFORMS.values() if kind.__module__.startswith("cohear.")]
    assert [kind.__name__ for kind in ours if f"{kind.__name__}(" not in shown] == []
    assert all(f"]({page.name})" in shown for page in PAGES_OF_TRANSFORMS if page.stem != "README")


def test_no_file_of_the_package_is_ignored_since_a_wheel_would_lack_it():
    command = ["git", "ls-files", "--cached", "--others", "--ignored", "--exclude-standard", "src"]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [path for path in ignored if "__pycache__" not in path] == []


def test_the_results_in_the_documentation_are_those_of_the_committed_runs():
    texts = runpy.run_path(str(DOCS / "regenerate.py"))["texts"]()
    assert len(texts) == 7
    assert [path.name for path, text in texts.items() if path.read_text() != text] == [], "python docs/regenerate.py"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r'(?:\]\(|src=")([^)"]+)', page.read_text()):
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert target.startswith("http") or there.exists(), target
        if heading and not target.startswith("http"):
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", its.lower()).replace(" ", "-") for its in headings}, target


@pytest.mark.slow
@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith(("__main__", "media_files"))])
@pytest.mark.filterwarnings("ignore")
def test_examples_in_docstrings_are_right(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0
