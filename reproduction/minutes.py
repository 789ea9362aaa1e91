"""What accuracy so many minutes buy: `python -m reproduction.minutes ESC-50 --encoder yamnet.onnx --esc10`.

The recipe of `small` is trained for few epochs and for many, on each fold, with every schedule scaled; and a linear
layer on an encoder, where one is given. Minutes are of one processor core, as the system counts them, so that other
work beside it costs them little of their meaning: from decoded sounds to the answers to the test clips, with nothing
kept from before. Given again, the command goes on with what is missing.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohear.metrics.accuracy import standard_error
from cohear.runs.config import change
from cohear.runs.plan import Prepared, list_clips
from cohear.runs.presets import configure, scale_schedules
from reproduction.measuring import measure_missing, trained

EPOCHS = (8, 24, 72)
"""Of `small`; it has 72."""
CASE = ("dataset", "preset", "epochs", "fold")


def measure(data: Prepared, epochs: int, fold: int, deadline_s: float | None) -> dict[str, Any] | None:
    """Train on a fold by one thread, and return what it took and gave; None where it is too late to begin."""
    if deadline_s is not None and time.time() > deadline_s:
        return None
    config = scale_schedules(change(data.listing.config, {"fold": fold}), epochs)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["COHEAR_CACHE"] = cache
        with trained(config, data) as (run, core_minutes):
            return {
                "dataset": run.record.dataset,
                "preset": config.preset,
                "epochs": epochs,
                "fold": fold,
                "accuracy": run.metrics["accuracy"],
                "core_minutes": core_minutes,
                "processor": run.environment["processor"],
            }


def points(found: Sequence[dict[str, Any]]) -> list[tuple[str, str, int, float, float, float, int]]:
    """Return dataset, preset, epochs, core minutes, accuracy, its standard error (%), and folds of each point."""
    of_point: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for its in found:
        of_point.setdefault((its["dataset"], its["preset"], its["epochs"]), []).append(its)
    return [
        (
            *point,
            float(np.mean([its["core_minutes"] for its in folds])),
            100 * float(np.mean(accuracies := [its["accuracy"] for its in folds])),
            100 * (standard_error(accuracies) or np.nan),
            len(folds),
        )
        for point, folds in sorted(of_point.items())
    ]


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return minutes and accuracies as Markdown."""
    lines = ["| data | recipe | epochs | minutes of a core | accuracy, % | folds |", "|---|---|---:|---:|---:|---:|"]
    lines += [
        f"| {dataset} | `{preset}` | {epochs} | {minutes:.1f} | {accuracy:.1f} ± {error:.1f} | {n_folds} |"
        for dataset, preset, epochs, minutes, accuracy, error, n_folds in points(found)
    ]
    return "\n".join(lines).replace(" ± nan", "")


def main() -> None:
    """Measure, keep the numbers, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.minutes", description=__doc__)
    parser.add_argument("data", type=Path, help="ESC-50")
    parser.add_argument("--encoder", type=Path, help="an ONNX file, for a layer on it beside the network from nothing")
    parser.add_argument("--esc10", action="store_true", help="its ten classes of ESC-10 alone")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, metavar="N", help="of `small`")
    parser.add_argument("--out", type=Path, default=Path("results/minutes.json"), help="where the numbers go")
    parser.add_argument("--minutes", type=float, help="after which nothing more is begun")
    options = parser.parse_args()
    deadline_s = None if options.minutes is None else time.time() + 60 * options.minutes

    def prepare(chosen: dict[str, Any], preset: str) -> Prepared:
        chosen = {**chosen, "data.esc10": options.esc10}
        return list_clips(options.data, configure(chosen, preset), chosen).decode()

    prepared = [(prepare({}, "small"), epochs) for epochs in sorted(options.epochs)]
    if options.encoder is not None:
        probe = prepare({"encoder.file": str(options.encoder)}, "probe")
        prepared.insert(0, (probe, probe.listing.config.training.epochs))
    cases = {
        (data.listing.dataset.name, data.listing.config.preset, epochs, fold): (data, epochs, fold, deadline_s)
        for data, epochs in prepared
        for fold in data.folds
    }
    print(table(measure_missing(measure, cases, CASE, options.out)))


if __name__ == "__main__":
    main()
