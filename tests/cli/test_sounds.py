"""Where a table's sounds lie can be said, and a run remembers it."""

import json
import shutil

import pytest

from tiny import OPTIONS


@pytest.fixture(scope="module")
def apart(tmp_path_factory, tones):
    """A table in one folder, its sounds in another."""
    folder = tmp_path_factory.mktemp("apart")
    (folder / "tables").mkdir()
    shutil.copytree(tones.parent, folder / "sounds")
    shutil.move(folder / "sounds" / tones.name, folder / "tables" / tones.name)
    return folder


def test_a_table_that_names_what_lies_elsewhere_is_refused_before_anything_is_decoded(cohear, apart, tmp_path):
    table = apart / "tables" / "absolute.csv"
    rows = (apart / "tables" / "tones.csv").read_text().splitlines()
    table.write_text("\n".join([rows[0], *(f"{apart}/sounds/{row}" for row in rows[1:])]))
    for command in (
        ("train", table, "--out", tmp_path / "run"),
        ("crossval", table, "--out", tmp_path),
        ("check", table),
    ):
        assert cohear(*command, *OPTIONS).refuses("line 2", "lies outside", "--sounds DIR")
    assert not (tmp_path / "run").exists()
    assert cohear("check", table, *OPTIONS, "--sounds", apart / "sounds").status == 0
    assert cohear("check", table, *OPTIONS, "--sounds", apart / "none").refuses("none is no folder")
    assert cohear("check", apart / "sounds", *OPTIONS, "--sounds", apart).refuses("brings its sounds")


@pytest.mark.slow
def test_a_run_finds_its_sounds_again_and_is_the_same_run_as_where_they_lie_beside(cohear, apart, trained, tmp_path):
    table, run = apart / "tables" / "tones.csv", tmp_path / "run"
    said = cohear("train", table, *OPTIONS, "--track", "end", "--sounds", apart / "sounds", "--out", run)
    assert said.status == 0
    record, beside = (json.loads((folder / "config.json").read_text()) for folder in (run, trained))
    assert record["config"]["data"]["sounds"] == str(apart / "sounds")
    assert record["identity"] == beside["identity"]
    assert (run / "predictions.csv").read_bytes() == (trained / "predictions.csv").read_bytes()
    page = tmp_path / "page.html"
    assert cohear("evaluate", run, table, "--out", page).status == 0
    assert cohear("evaluate", trained, table, "--out", page).status == 2
    assert cohear("evaluate", trained, table, "--sounds", apart / "sounds", "--out", page).status == 0
    assert cohear("report", run).status == 0
