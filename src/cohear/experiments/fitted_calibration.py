"""From the answers to validation clips to a calibration, and what its thresholds let through where nothing is."""

from cohear.evaluation.calibration import Calibration, calibrate, probabilities, truth_table
from cohear.experiments.config import Config
from cohear.experiments.predictions import Predictions
from cohear.metrics.multi_label import bernoulli_logits
from cohear.metrics.thresholds import detections, false_alarms_per_hour


def fit_calibration(validation: Predictions, config: Config) -> Calibration:
    """Fit temperature and thresholds to the kept answers, so that anyone can fit them again.

    Args:
        validation: never of test clips.
        config: of the run.
    """
    return calibrate(
        validation.classes,
        validation.log_probabilities,
        validation.labels,
        multi_label=validation.is_multi_label,
        precision=config.training.threshold_precision,
        background=config.data.background,
    )


def count_false_alarms(
    test: Predictions, calibration: Calibration, background: str | None, clip_s: float
) -> dict[str, float | None]:
    """Count how often something is heard in test clips of background.

    Args:
        test: answers to test clips.
        calibration: whose thresholds count.
        background: the label of 'none of these'; where several labels may be true, clips without any are background.
        clip_s: seconds of a clip.

    Returns:
        `false_alarms_per_hour`, None where there are no thresholds or no such clips, and `n_background_clips`.
    """
    truth = truth_table(test.labels, len(test.classes))
    of_background = [name == background for name in test.classes]
    is_background = truth[:, of_background].any(axis=1) | ~truth.any(axis=1)
    n_clips = int(is_background.sum())
    if not calibration.is_fitted or not n_clips:
        return {"false_alarms_per_hour": None, "n_background_clips": n_clips}
    said = test.log_probabilities[is_background]
    shown = probabilities(
        bernoulli_logits(said) if test.is_multi_label else said,
        calibration.temperature,
        multi_label=test.is_multi_label,
    )
    heard = detections(test.classes, shown, calibration.thresholds, multi_label=test.is_multi_label)
    heard[:, of_background] = False
    rate = false_alarms_per_hour(int(heard.any(axis=1).sum()), n_clips, clip_s)
    return {"false_alarms_per_hour": rate, "n_background_clips": n_clips}
