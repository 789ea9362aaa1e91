"""Broken and hostile input to the five readers, in a process of its own that may die of it."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from faults.fuzz.generators import GENERATORS
from faults.fuzz.inputs import REGRESSIONS, Input, corpus, files
from faults.fuzz.nasties import nasties
from faults.fuzz.reading import ReadingChild
from faults.fuzz.ways_out import KINDS, OUTSIDE, Nasty, ways_out
from faults.tally import Tally

N_INPUTS, N_QUICK = 10_000, 200
_SEED = 20210603
_CALLED = {"audio": "sound file", "configuration": "configuration", "packed": "packed model"}
_FINDINGS = Path(tempfile.gettempdir()) / "cohear-fuzz-findings"


def trials(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Put every reader to the test; inputs that break one are kept in a folder that the tally names."""
    with ReadingChild(scratch) as child:
        for reader, inputs in GENERATORS.items():
            yield _drawn(child, reader, inputs(), N_QUICK if quick else N_INPUTS)
        known = known_inputs()
        tally = Tally("An input that broke a reader once does so no more, and the seeds are read", len(known))
        for name, reader, its in known:
            outcome = child.read(reader, its)
            refused = outcome.said if name.startswith("seeds/") and name != "seeds/tables/quoted.csv" else None
            tally.judge(name, outcome.problem or refused)
        yield tally
        yield _laid_out(
            child,
            "Headers that lie about lengths, models too large, pipes, devices, folders, loops of links, playlists and "
            "files of a terabyte are read or refused as they should be",
            nasties(scratch / "nasties"),
            80,
        )
        yield _laid_out(
            child,
            "A table that names what lies outside its folder, by its path or through a link, is refused, and nothing "
            "there is opened",
            ways_out(scratch / "ways-out"),
            len(KINDS) * len(OUTSIDE),
        )


def _laid_out(child: ReadingChild, promise: str, places: Iterable[Nasty], n: int) -> Tally:
    tally = Tally(promise, n)
    for nasty in places:
        tally.judge(nasty.name, nasty.problem(child.read_place(nasty.reader, nasty.path)))
    return tally


def _drawn(child: ReadingChild, reader: str, inputs: SearchStrategy[Input], n_inputs: int) -> Tally:
    """Feed a reader with drawn inputs, the same each time."""
    called, n_read = _CALLED.get(reader, reader[:-1]), 0
    tally = Tally(f"A broken or hostile {called} is read, or refused in one sentence", n_inputs)

    @seed(_SEED)
    @settings(
        max_examples=n_inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def judge(drawn: Input) -> None:
        nonlocal n_read
        outcome = child.read(reader, drawn)
        n_read += outcome.said is None and outcome.problem is None
        tally.judge(_kept(reader, drawn) if outcome.problem else drawn.name, outcome.problem)

    judge()
    tally.figures = f"{n_read / max(1, tally.tried):.0%} could be read"
    return tally


def _kept(reader: str, given: Input) -> str:
    """Write down an input that broke a reader, and say where."""
    digest = hashlib.blake2b(given.data, digest_size=4).hexdigest()
    path = _FINDINGS / reader / f"{digest}-{given.name.replace('/', '-')}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data)
    return str(path)


def known_inputs() -> list[tuple[str, str, Input]]:
    """Return the name, reader and bytes of the seeds and of every input that once broke a reader."""
    known = [("regressions", reader, its) for reader in GENERATORS for its in files(REGRESSIONS / reader)]
    known += [("seeds", reader, its) for reader in GENERATORS for its in corpus(reader)]
    return [(f"{kind}/{reader}/{its.name}", reader, its) for kind, reader, its in known]
