"""Inputs that once broke a reader, and files that somebody thought out, are read or refused in one sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.fuzz import known_inputs
from faults.fuzz.inputs import Input
from faults.fuzz.nasties import nasties
from faults.fuzz.reading import ReadingChild

pytestmark = pytest.mark.slow
KNOWN = known_inputs()


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path_factory.mktemp("child")) as child:
        yield child


@pytest.mark.parametrize(("name", "reader", "given"), KNOWN, ids=[name for name, *_ in KNOWN])
def test_known_inputs_break_no_reader(child: ReadingChild, name: str, reader: str, given: Input):
    outcome = child.read(reader, given)
    assert outcome.problem is None
    if name.startswith("seeds/") and name != "seeds/tables/quoted.csv":
        assert outcome.said is None


def test_files_that_somebody_thought_out_are_read_or_refused(child: ReadingChild, tmp_path: Path):
    wrong = {nasty.name: nasty.problem(child.read_place(nasty.reader, nasty.path)) for nasty in nasties(tmp_path)}
    assert len(wrong) >= 80
    assert {name: problem for name, problem in wrong.items() if problem} == {}
