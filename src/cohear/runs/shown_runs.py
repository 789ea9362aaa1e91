"""What a finished run makes of a few of its test clips, for its report."""

from pathlib import Path

import numpy as np

from cohear.errors import UserError
from cohear.evaluation.measure import NotFiniteError
from cohear.evaluation.shown_clips import ShownClip, show_clips
from cohear.runs.build import build_view_maker, shown_recipe
from cohear.runs.config import change
from cohear.runs.plan import Plan, list_clips
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network


class SoundsGoneError(UserError):
    """What a run's clips are shown with is not, or no longer, there: its sounds, its rooms or its weights.

    Args:
        reason: what is gone.
        remedy: what to do.
    """

    def __init__(
        self, reason: str, remedy: str = "give the command where training was started, with the sounds in their place"
    ) -> None:
        super().__init__(reason)
        self.remedy = remedy


def find_plan(run: Run) -> Plan:
    """Make the plan of a finished run anew.

    Raises:
        SoundsGoneError: where its sounds or rooms are no longer what they were.
    """
    record = run.record
    config = record.config
    listed = change(config, {"training.initial_run": None})  # its weights are in the run's own
    try:
        data = list_clips(Path(record.data_path), listed, chosen={"fold", "data.sample_rate"}).decode()
        plan = Plan(config, data, record.track, record.model, run.folder)
        if data.store.fingerprint != record.data_fingerprint:
            raise UserError(f"'{record.data_path}' no longer holds what the run was trained on")
        if not plan.record.contents.items() <= record.contents.items():
            raise UserError(f"what '{config.views.transform}' rests on is no longer what it was")
    except UserError as error:
        raise SoundsGoneError(str(error)) from error
    return plan


def show_test_clips(run: Run, plan: Plan, n_clips: int = 4) -> tuple[ShownClip, ...]:
    """Show what a finished run makes of a few test clips, from the least consistent to the most.

    Silent clips are shown only where there are no others.

    Args:
        run: finished, on a fold.
        plan: of the run.
        n_clips: that are shown.

    Raises:
        SoundsGoneError: where the run's weights are not there.
        UserError: where a file of the run is missing or damaged, or its answers are not finite.
    """
    if not run.weights_path.exists():
        raise SoundsGoneError("its weights are missing", "copy them into its folder")
    network, predictions, store = load_network(run), run.predictions, plan.data.store
    divergence = dict(zip(predictions.paths, predictions.jsd.tolist(), strict=True))
    heard = [row for row in plan.split.test if store.rows.read(np.array([row])).any()]
    ranked = sorted(heard or plan.split.test, key=lambda row: -divergence.get(store.clips[row].id, 0.0))
    chosen = [ranked[round(i)] for i in np.linspace(0, len(ranked) - 1, min(n_clips, len(ranked)))]
    view_maker = build_view_maker(plan.config, shown_recipe(plan.config))
    try:
        return show_clips(network, store, np.array(chosen), view_maker, plan.data.task, run.calibration.temperature)
    except NotFiniteError as error:
        raise UserError(f"no clips of '{run.folder}' can be shown: {error}") from error
