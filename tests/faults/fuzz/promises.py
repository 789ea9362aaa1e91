"""Ten thousand inputs to each reader, and what became of them."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from faults.fuzz.audio_inputs import audio_inputs
from faults.fuzz.checkpoint_inputs import checkpoint_inputs
from faults.fuzz.child import ReadingChild
from faults.fuzz.configuration_inputs import configuration_inputs
from faults.fuzz.inputs import CORPUS, REGRESSIONS, Input, files
from faults.fuzz.nasties import nasties
from faults.fuzz.packed_inputs import packed_inputs
from faults.fuzz.table_inputs import table_inputs
from faults.fuzz.ways_out import KINDS, OUTSIDE, ways_out
from faults.tally import Tally

N_INPUTS, N_QUICK = 10_000, 300
_SEED = 20210603
_CALLED = {
    "audio": (audio_inputs, "sound file"),
    "tables": (table_inputs, "table"),
    "configuration": (configuration_inputs, "configuration"),
    "packed": (packed_inputs, "packed model"),
    "checkpoints": (checkpoint_inputs, "checkpoint"),
}
_FINDINGS = Path(tempfile.gettempdir()) / "cohear-fuzz-findings"


def tallies(scratch: Path, quick: bool) -> Iterator[Tally]:
    """Put every reader to the test; inputs that break one are kept in a folder that the tally names."""
    n_inputs = N_QUICK if quick else N_INPUTS
    past = Tally("At least a third of the inputs get past the first check of their format", len(_CALLED))
    no_torch = Tally("No reader imports torch", len(_CALLED))
    for reader, (inputs, called) in _CALLED.items():
        with ReadingChild(scratch) as child:
            tally, share = _tried(child, reader, called, inputs(), n_inputs)
            no_torch.judge(reader, "torch is imported" if child.torch_seen else None)
        past.judge(reader, None if share >= 1 / 3 else f"{share:.0%}")
        yield tally
    yield past
    yield no_torch
    yield _known(scratch)
    yield _thought_out(scratch)
    yield _contained(scratch)


def _tried(
    child: ReadingChild, reader: str, called: str, inputs: SearchStrategy[Input], n_inputs: int
) -> tuple[Tally, float]:
    """Feed a reader with drawn inputs; return what became of them, and the share that got past the first check."""
    tally = Tally(f"A broken or hostile {called} is read, or refused in one sentence", n_inputs)
    n_passed, n_refused, began = 0, 0, time.monotonic()

    def judge(drawn: Input) -> None:
        nonlocal n_passed, n_refused
        outcome = child.read(reader, drawn)
        n_passed += outcome.passes
        n_refused += outcome.refused
        tally.judge(kept(reader, drawn) if outcome.problem else drawn.name, outcome.problem)

    draw_inputs(inputs, n_inputs, judge)
    share = n_passed / max(1, tally.tried)
    tally.figures = (
        f"{share:.0%} past the first header check, {n_refused / max(1, tally.tried):.0%} refused, "
        f"{child.n_started - 1} processes lost, {time.monotonic() - began:.0f} s"
    )
    return tally, share


def draw_inputs(inputs: SearchStrategy[Input], n_inputs: int, judge: Callable[[Input], None]) -> None:
    """Draw so many inputs, the same each time."""

    @seed(_SEED)
    @settings(
        max_examples=n_inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def judge_each(drawn: Input) -> None:
        judge(drawn)

    judge_each()


def kept(reader: str, given: Input) -> str:
    """Write down an input that broke a reader, and say where."""
    digest = hashlib.blake2b(given.data, digest_size=4).hexdigest()
    path = _FINDINGS / reader / f"{digest}-{given.name.replace('/', '-')}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data)
    return str(path)


def known_inputs() -> list[tuple[str, str, Input]]:
    """Return the name, reader and bytes of the seeds and of every input that once broke a reader."""
    return [
        (f"{folder.name}/{reader}/{given.name}", reader, given)
        for folder in (CORPUS, REGRESSIONS)
        for reader in _CALLED
        for given in files(folder / reader)
    ]


def _known(scratch: Path) -> Tally:
    wanted = known_inputs()
    tally = Tally("An input that broke a reader once does so no more, and the seeds are read or refused", len(wanted))
    with ReadingChild(scratch) as child:
        for name, reader, given in wanted:
            tally.judge(name, child.read(reader, given).problem)
    return tally


def _thought_out(scratch: Path) -> Tally:
    tally = Tally(
        "Headers that lie about lengths, zip bombs, pipes, devices, folders, loops of links, playlists and files of a "
        "terabyte are read or refused as they should be",
        125,
    )
    folder = scratch / "nasties"
    folder.mkdir()
    with ReadingChild(scratch) as child:
        for nasty in nasties(folder):
            tally.judge(nasty.name, nasty.problem(child.read_place(nasty.reader, nasty.path)))
    return tally


def _contained(scratch: Path) -> Tally:
    tally = Tally(
        "A table that names what lies outside its folder, by its path or through a link, is refused, and nothing there "
        "is opened",
        len(KINDS) * len(OUTSIDE),
    )
    with ReadingChild(scratch) as child:
        for nasty in ways_out(scratch / "ways-out"):
            tally.judge(nasty.name, nasty.problem(child.read_place(nasty.reader, nasty.path)))
    return tally
