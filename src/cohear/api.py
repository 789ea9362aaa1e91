"""What `import cohear` offers: train a classifier, read a run, load a classifier.

run = cohear.train("my_sounds/", method="consistency", transform="combination", out="runs/mine", epochs=40)
run.metrics["accuracy"], run.classifier, run.report
"""

import inspect
import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from cohear.errors import UserError, nearest
from cohear.inference.classifier import Classifier, load
from cohear.judging.shown_clips import SoundsGoneError, find_plan, show_test_clips
from cohear.reports.run_report import has_sounds, write_run_report
from cohear.runs.config import FIELDS, setting_of
from cohear.runs.execution import execute, plan_run
from cohear.runs.identity import locked
from cohear.runs.plan import Plan
from cohear.runs.presets import configure, default_preset
from cohear.runs.run import Run as RunFolder
from cohear.runtime.machine import process_rank

_log = logging.getLogger(__name__)


class Run(RunFolder):
    """A finished run: `metrics`, `predictions`, `history`, `record`, `report`, and the `classifier` that it is.

    Args:
        folder: of the run.
    """

    @cached_property
    def classifier(self) -> Classifier:
        """What it has learned."""
        return load(self.folder)


def train(
    data: str | Path,
    *,
    preset: str | None = None,
    epochs: int | None = None,
    out: str | Path | None = None,
    crossval: str | Path | None = None,
    resume: bool = False,
    track: str = "every",
    settings: Mapping[str, Any] | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
    **options: Any,
) -> Run:
    """Train a classifier on labeled sounds and judge it on the fold left out, as `cohear train` does.

    Args:
        data: a folder with one sub-folder per class, a table, or a folder laid out like ESC-50.
        preset: `paper`, `quarter`, `small` or `probe`; None: `probe` with an encoder, else `paper` on a GPU and `small`
            on a CPU.
        epochs: of the training, with every schedule scaled to them; None: the preset's.
        out: the run folder; None: one below `runs/` whose name says what the run is.
        crossval: of a run on every clip (`fold="all"`): where `cohear crossval` left its runs.
        resume: whether an unfinished run may go on.
        track: how often clips are measured: `every` epoch, a number of epochs, or at the `end`.
        settings: any setting by its dotted name, as `{"network.width": 0.5}`.
        on_progress: called with the share of the training that is done, 0 to 1.
        **options: as of the command line: `method`, `transform`, `fold`, `seed`, `validation`, `balance`, `patience`,
            `background`, `encoder`, `init`, `sounds`, `esc10`, `skip_bad`, `drop_small`, `on_nonfinite`.

    Returns:
        The finished run; one that was finished before is returned as it is.

    Raises:
        UserError: where data, options, folder, disk or memory do not allow it.
    """
    names = {option[2:].replace("-", "_"): name for name in FIELDS if (option := setting_of(name).option)}
    for option in options:
        if option not in names:
            known = [*inspect.signature(train).parameters][1:-1] + list(names)
            raise UserError(
                f"train has no option '{option}'{nearest(option, known)}; its options are {', '.join(known)}, and "
                "settings={'network.width': 0.5} takes any setting"
            )
    chosen = {names[option]: value for option, value in options.items() if value is not None}
    config = configure(chosen, preset or default_preset({**chosen, **(settings or {})})[0], epochs, settings)
    plan = plan_run(
        Path(data), config, {*chosen, *(settings or {})}, track=track, resume=resume,
        out=None if out is None else Path(out), crossval=None if crossval is None else Path(crossval),
    )  # fmt: skip
    for warning in plan.warnings:
        _log.warning("%s", warning)
    run, was_made = execute(plan, resume=resume, on_step=lambda done, total: on_progress(done / total))
    if process_rank() == 0 and (was_made or not run.report.exists()):
        write_report(run, plan)
    return Run(run.folder)


def write_report(run: RunFolder, plan: Plan | None = None) -> None:
    """Write a run's `report.html`; without sounds where these or the weights are gone and no page has them.

    Args:
        run: finished.
        plan: of the run; None: made anew where its sounds are still there.

    Raises:
        UserError: where a file of the run is damaged, only the page that is there has the sounds, or another process
            is at work there.
    """
    with locked(run.folder):
        samples = ()
        try:
            if run.is_tested:
                samples = show_test_clips(run, plan or find_plan(run))
        except SoundsGoneError as error:
            reason = str(error).rstrip(".")
            if has_sounds(run):
                raise UserError(
                    f"the report of '{run.folder}' is left as it is, since the sounds that it shows cannot be made "
                    f"again ({reason}); {error.remedy}"
                ) from error
            _log.info("the report of %s shows no sounds: %s", run.folder.name, reason)
        write_run_report(run, samples)
