"""With how few labels does consistency help, a linear layer on an encoder and a network from nothing?

    python -m reproduction.few_labels ESC-50 yamnet.onnx
    python -m reproduction.few_labels ESC-50 --methods consistency --draws 1

Of the training clips of a fold so many of each class are drawn, the same for every method and network; the test fold is
whole. With fewer clips training has more epochs, up to 160, so that it does not end before it has begun. Given again, a
command goes on with what is missing.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from cohear import keys
from cohear.evaluation.measure import FixedViews, answer, clip_facts, score
from cohear.metrics.accuracy import standard_error
from cohear.runs.build import (
    COMMON_RECIPE,
    build_network,
    build_schedule,
    build_view_maker,
    open_fixed_views,
    open_training_pool,
    waveform_reader,
)
from cohear.runs.config import Config, change
from cohear.runs.embedding import embed
from cohear.runs.plan import Plan, Prepared, list_clips
from cohear.runs.presets import configure, scale_schedules
from cohear.runtime.devices import make_fabric
from cohear.training.inputs import TrainingClips, Watch
from cohear.training.trainer import train
from reproduction.measuring import measure_missing

METHODS: dict[str, dict[str, Any]] = {
    "none": {"method": "none", "views.transform": "none"},
    "standard (one)": {"method": "standard", "views.standard_reads": "one"},
    "standard": {"method": "standard"},
    "bda": {"method": "bda"},
    "consistency": {"method": "consistency"},
}
PAIRS = (("consistency", "bda"), ("bda", "standard"), ("standard", "none"), ("consistency", "none"))
PER_CLASS = (1, 2, 5, 10)
N_DRAWS = 5
_MOST_EPOCHS = 160

Case = tuple[str, int, int, int]
"""A method, clips per class, a fold, and which draw of them."""
CASE = ("method", "n", "fold", "draw")


def configs(base: Config, fold: int, n_per_class: int) -> dict[str, Config]:
    """Return the configuration of each method on a fold, for so many clips of each class."""
    epochs = min(_MOST_EPOCHS, base.training.epochs * 32 // n_per_class)
    scaled = scale_schedules(base, epochs)
    return {name: change(scaled, {**changes, "fold": fold}) for name, changes in METHODS.items()}


def drawn(plan: Plan, n_per_class: int, draw: int) -> Int64[np.ndarray, " row"]:
    """Draw so many training clips of each class."""
    rows, targets = plan.split.train, plan.data.targets
    order = rows[keys.permutation(keys.fold_in(keys.key(draw, "few labels"), int(plan.config.fold)), len(rows))]
    chosen = [order[targets[order] == label][:n_per_class] for label in range(len(plan.data.store.classes))]
    return np.sort(np.concatenate(chosen))


def measure(plan: Plan, rows: Int64[np.ndarray, " row"], folder: Path) -> dict[str, float]:
    """Train on some clips, and judge on the test fold."""
    config, store = plan.config, plan.data.store
    fabric, view_maker = make_fabric("float32"), build_view_maker(config)
    read, targets = waveform_reader(store, fabric.device), plan.data.targets
    clips = TrainingClips(
        lambda batch: read(rows[batch]),
        targets[rows],
        store.clip_keys[rows],
        clip_facts(store, rows),
        [store.clips[row].id for row in rows],
        len(store.classes),
        pool=open_training_pool(config, store, view_maker),
    )
    network = build_network(config, len(store.classes))
    schedule = build_schedule(config, plan.data.task, targets[rows], len(store.classes))
    watch = Watch(lambda _network, _epoch, _should_stop: {})
    train(network, view_maker, clips, schedule, folder, fabric, watch, identity="few labels")
    common = build_view_maker(config, COMMON_RECIPE)
    pool = open_fixed_views(config, store, common, COMMON_RECIPE)
    answers = answer(network, FixedViews(store, plan.split.test, common, read, pool=pool), plan.data.task)
    assert answers is not None
    return vars(score(answers, targets[plan.split.test], plan.data.task))


def measure_case(data: Prepared, case: Case, deadline_s: float | None) -> dict[str, Any] | None:
    """Measure a method, with so many clips of a draw, on a fold; None where it is too late to begin."""
    if deadline_s is not None and time.time() > deadline_s:
        return None
    name, n_per_class, fold, draw = case
    plan = Plan(configs(data.listing.config, fold, n_per_class)[name], data, "end")
    with tempfile.TemporaryDirectory() as folder:
        scores = measure(plan, drawn(plan, n_per_class, draw), Path(folder))
    return {"method": name, "n": n_per_class, "fold": fold, "draw": draw, **scores}


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return accuracies and differences, means over folds of means over draws with standard errors, as Markdown."""
    return "\n".join(_lines(found))


def _lines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    sizes = sorted({its["n"] for its in found})
    yield f"| clips per class | {' | '.join(map(str, sizes))} |"
    yield "|---|" + "---:|" * len(sizes)
    there = {its["method"] for its in found}
    for name in filter(there.__contains__, METHODS):
        yield f"| {name} | {' | '.join(_mean(_values(found, name, n, 'accuracy')) for n in sizes)} |"
    for one, other in (pair for pair in PAIRS if there.issuperset(pair)):
        both = [tuple(_values(found, name, n, "accuracy") for name in (one, other)) for n in sizes]
        gains = [{case: ours[case] - theirs[case] for case in ours.keys() & theirs.keys()} for ours, theirs in both]
        yield f"| {one} − {other} | {' | '.join(_mean(gain, sign='+') for gain in gains)} |"  # noqa: RUF001
    for name in filter(there.__contains__, ("bda", "consistency")):
        cells = [f"{np.mean(_by_fold(_values(found, name, n, 'jsd'))) / 100:.3f}" for n in sizes]
        yield f"| JSD, nats: {name} | {' | '.join(cells)} |"
    n_folds = [len({its["fold"] for its in found if its["n"] == n}) for n in sizes]
    if len(set(n_folds)) > 1:
        yield f"| folds | {' | '.join(map(str, n_folds))} |"


def _values(found: Sequence[dict[str, Any]], method: str, n: int, what: str) -> dict[tuple[int, int], float]:
    """Return what was measured of each fold and draw, times 100."""
    return {(its["fold"], its["draw"]): 100 * its[what] for its in found if (its["method"], its["n"]) == (method, n)}


def _by_fold(values: Mapping[tuple[int, int], float]) -> list[float]:
    """Return means over draws of each fold."""
    folds = sorted({fold for fold, _ in values})
    return [float(np.mean([value for (its, _), value in values.items() if its == fold])) for fold in folds]


def _mean(values: Mapping[tuple[int, int], float], sign: str = "") -> str:
    means = _by_fold(values)
    error = standard_error(means)
    return f"{np.mean(means):{sign}.1f}" + (f" ± {error:.1f}" if error is not None else "")


def main() -> None:
    """Measure, keep the numbers, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.few_labels", description=__doc__)
    parser.add_argument("data", type=Path, help="ESC-50")
    parser.add_argument("encoder", type=Path, nargs="?", help="an ONNX file; without one the preset `small`")
    parser.add_argument("--out", type=Path, help="where the numbers go; results/few-labels.json, or -small.json")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS], help="of which; all unless given")
    parser.add_argument("--draws", type=int, default=N_DRAWS, metavar="N", help="of clips, for each number and fold")
    parser.add_argument("--minutes", type=float, help="after which nothing more is begun")
    options = parser.parse_args()
    deadline_s = None if options.minutes is None else time.time() + 60 * options.minutes
    out = options.out or Path(f"results/few-labels{'' if options.encoder else '-small'}.json")
    chosen = {} if options.encoder is None else {"encoder.file": str(options.encoder)}
    preset = "small" if options.encoder is None else "probe"
    data = list_clips(options.data, configure(chosen, preset), chosen).decode()
    if options.encoder is not None:
        of_folds = (configs(data.listing.config, fold, 1).values() for fold in data.folds)
        embed([Plan(its, data, "end") for of_fold in of_folds for its in of_fold])
    cases = {
        (name, n, fold, draw): (data, (name, n, fold, draw), deadline_s)
        for draw in range(options.draws)
        for n in PER_CLASS
        for fold in data.folds
        for name in options.methods
    }
    print(table(measure_missing(measure_case, cases, CASE, out)))


if __name__ == "__main__":
    main()
