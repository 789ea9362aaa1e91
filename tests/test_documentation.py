"""Commands in the documentation exist, its Python runs, its sounds are those of its commands; doctests run."""

import doctest
import importlib
import pkgutil
import re
import runpy
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

import cohear
from cohear import transforms
from cohear.cli import run
from cohear.data.audio_files import decode
from cohear.experiments.presets import preset, setting_values
from cohear.transforms import Transform

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRANSFORMS = ROOT / "docs" / "transforms"
MEDIA = sorted(path for path in (TRANSFORMS / "media").rglob("*") if path.is_file())
MODULES = [
    module.name
    for module in pkgutil.walk_packages(cohear.__path__, "cohear.")
    if not module.name.endswith(("__main__", "media_files"))
]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for its_language, block in found if its_language == language]


def commands() -> list[str]:
    texts = [block.replace("\\\n", "") for page in PAGES for block in blocks(page.read_text(), "")]
    found = [line for text in texts for line in text.splitlines()]
    found += [code for page in PAGES for code in re.findall(r"`(cohear [a-z][^`]*)`", page.read_text())]
    return sorted({line.split("#")[0].strip() for line in found if line.startswith("cohear ")})


@pytest.mark.parametrize("command", commands())
def test_every_command_in_the_documentation_is_understood(command, capsys):
    words = shlex.split(command)[1:]
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    assert run([words[0], "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in options)


@pytest.mark.slow
def test_the_readme_shows_python_that_runs():
    (code,) = blocks((ROOT / "README.md").read_text(), "python")
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("page", sorted(TRANSFORMS.glob("*.md")), ids=lambda page: page.stem)
def test_pages_on_transforms_show_python_that_runs(page, monkeypatch):
    monkeypatch.chdir(TRANSFORMS)
    found = blocks(page.read_text(), "python")
    assert found
    for code in found:
        exec(compile(code, page.name, "exec"), {})


COMMANDS = runpy.run_path(str(ROOT / "docs" / "regenerate_transforms.py"))["commands"]()


@pytest.mark.slow
@pytest.mark.parametrize(("page", "words"), COMMANDS.items(), ids=list(COMMANDS))
def test_commands_on_the_pages_make_the_sounds_beside_them(page, words, monkeypatch, tmp_path):
    monkeypatch.chdir(TRANSFORMS)
    command, before, after, *options = words
    assert Path(after).stem == page
    assert run([command, before, str(tmp_path / "again.ogg"), *options]) == 0
    again, shown = decode(tmp_path / "again.ogg").waveform, decode(after).waveform
    # Other processors round differently, and a lossy format more so; a missing step would be far off.
    assert np.sqrt(np.mean((again - shown) ** 2) / np.mean(again**2)) < 0.05


@pytest.mark.parametrize("path", MEDIA, ids=lambda path: path.name)
def test_sounds_and_pictures_of_transforms_are_small_and_shown(path):
    assert path.stat().st_size < {".ogg": 40e3, ".png": 80e3}[path.suffix]
    target = path.relative_to(TRANSFORMS).as_posix()
    assert any(f"]({target})" in page.read_text() for page in TRANSFORMS.glob("*.md"))


def test_every_transform_has_a_page():
    index = (TRANSFORMS / "README.md").read_text()
    pages = {page.name for page in TRANSFORMS.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", index)) == pages
    shown = "".join(page.read_text() for page in TRANSFORMS.glob("*.md"))
    kinds = [kind for kind in vars(transforms).values() if isinstance(kind, type) and issubclass(kind, Transform)]
    assert [kind.__name__ for kind in kinds if kind is not Transform and f"{kind.__name__}(" not in shown] == []


def test_the_tree_in_the_readme_is_the_real_one():
    (tree,) = [block for block in blocks((ROOT / "README.md").read_text(), "") if block.startswith("src/cohear/")]
    shown = set(re.findall(r"^[├└]── (\S+?)/? ", tree, re.MULTILINE))
    real = {path.name for path in (ROOT / "src" / "cohear").iterdir() if not path.name.startswith(("__", "py.typed"))}
    assert shown == real


def test_no_file_of_the_package_is_ignored_since_a_wheel_would_lack_it():
    command = ["git", "ls-files", "--cached", "--others", "--ignored", "--exclude-standard", "src"]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [path for path in ignored if "__pycache__" not in path] == []


def test_the_results_in_the_documentation_are_those_of_the_committed_runs():
    code = runpy.run_path(str(ROOT / "docs" / "regenerate.py"))
    texts = code["texts"]()
    assert {path.name for path in texts} == {
        "README.md",
        "robustness.md",
        "reliability.md",
        "table1.md",
        "table1-rehearsal.md",
    }
    for path, text in texts.items():
        assert path.read_text() == text, f"{path.name} is old: python docs/regenerate.py"


@pytest.mark.parametrize("part", ["none", "some"])
def test_the_documentation_can_be_made_from_a_part_of_the_runs(part, tmp_path, monkeypatch):
    code = runpy.run_path(str(ROOT / "docs" / "regenerate.py"))
    finished = code["finished"]
    runs = finished("esc10-small")[:3] if part == "some" else []
    monkeypatch.setitem(code["table1_runs"].__globals__, "finished", lambda name: runs)
    papers, rehearsal = code["table1_runs"]()
    section = code["table1_section"](papers, rehearsal)
    assert ("not the paper's" in section) == (part == "some")
    assert ("0 of its 65 runs" in section) == (part == "none")
    assert ("None of its runs is finished yet" in code["how_rehearsal"](rehearsal)) == (part == "none")
    assert set(code["pictures"](papers, "a")) == (set() if part == "none" else {"a-train.svg", "a-test.svg"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_settings_named_in_the_documentation_exist():
    known = setting_values(preset("paper"))
    for page in PAGES:
        for name in re.findall(r"--set ([a-z_0-9.]+)=", page.read_text()):
            assert name in known


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore")
def test_examples_in_docstrings_are_right(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0
