"""What a finished run makes of a few of its test clips, for its report."""

from pathlib import Path

import numpy as np

from cohear.errors import UserError
from cohear.evaluation.answering import NotFiniteError
from cohear.evaluation.calibration import read_calibration
from cohear.evaluation.shown_clips import ShownClip, show_clips
from cohear.experiments.build import build_view_maker, prepare_data, shown_transform
from cohear.experiments.predictions import read_predictions
from cohear.experiments.room_banks import room_bank_hash
from cohear.experiments.trained_network import load_network, weights_path


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


def show_test_clips(folder: Path, n_clips: int = 4) -> tuple[ShownClip, ...]:
    """Show what a finished run makes of a few test clips, from the least consistent to the most.

    Silent clips are shown only where there are no others.

    Raises:
        SoundsGoneError: where the run's sounds are no longer what they were, or its weights are not there.
        UserError: where a file of the run is missing or damaged, or its answers are not finite.
    """
    if not weights_path(folder).exists():
        raise SoundsGoneError("its weights are missing", "copy them into its folder")
    record, network = load_network(folder)
    predictions = read_predictions(folder)
    divergence = dict(zip(predictions.paths, predictions.jsd.tolist(), strict=True))
    try:
        data = prepare_data(Path(record.data_path), record.config)
        rooms = room_bank_hash(record.config)
    except UserError as error:
        raise SoundsGoneError(str(error)) from error
    if data.store.fingerprint != record.data_fingerprint:
        raise SoundsGoneError(f"'{record.data_path}' no longer holds what the run was trained on")
    if rooms != record.rooms:
        raise SoundsGoneError(f"'{record.config.views.room_bank}' no longer holds the rooms the run was trained with")
    test = data.split(record.config).test
    heard = [row for row in test if data.store.rows.read(np.array([row])).any()]
    ranked = sorted(heard or test, key=lambda row: -divergence.get(data.store.clips[row].id, 0.0))
    chosen = [ranked[round(i)] for i in np.linspace(0, len(ranked) - 1, min(n_clips, len(ranked)))]
    view_maker = build_view_maker(record.config, shown_transform(record.config))
    temperature = read_calibration(folder).temperature
    try:
        return show_clips(network, data.store, np.array(chosen), view_maker, temperature)
    except NotFiniteError as error:
        raise UserError(f"no clips of '{folder}' can be shown: {error}") from error
