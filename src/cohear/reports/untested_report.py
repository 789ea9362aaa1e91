"""The page of a run that was trained on every clip: what to expect of it, since nothing was left to test it on."""

from pathlib import Path

from cohear.evaluation.calibration import FEWEST_FOR_TEMPERATURE, read_calibration
from cohear.reports.grouping import flatten
from cohear.reports.pages import write_page
from cohear.reports.run_folders import TrainedRun
from cohear.reports.run_report import REPORT, curves, how_trained


def write_untested_report(run: TrainedRun) -> Path:
    """Write the page of a finished run that was trained on every clip into its folder.

    Raises:
        UserError: if the page cannot be written.
    """
    calibration = read_calibration(run.folder)
    return write_page(
        run.folder / REPORT,
        "untested.html",
        run=run,
        title=f"{run.model} on all of {run.dataset}, seed {run.seed}",
        trained=f"{how_trained(run)}, on all {run.measured['n_train_clips']} clips.",
        expected=run.measured.get("expected"),
        data_notes=[note.rstrip(".") for note in run.data_notes],
        curves=curves(run),
        calibration=calibration,
        fewest_for_temperature=FEWEST_FOR_TEMPERATURE,
        untold=[label for label in run.facts.get("classes", []) if label not in calibration.thresholds],
        settings=flatten(run.config),
        facts=flatten({name: value for name, value in run.facts.items() if name != "classes"}),
        environment=flatten(run.environment),
    )
