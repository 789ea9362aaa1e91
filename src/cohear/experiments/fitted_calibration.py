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
) -> float | None:
    """Count how often something is heard in an hour of test clips of background.

    Args:
        test: answers to test clips.
        calibration: whose thresholds count.
        background: the label of 'none of these'; where several labels may be true, clips without any are background.
        clip_s: seconds of a clip.

    Returns:
        None where there are no thresholds or no such clips.
    """
    truth = truth_table(test.labels, len(test.classes))
    of_background = [name == background for name in test.classes]
    is_background = truth[:, of_background].any(axis=1) | ~truth.any(axis=1)
    if not calibration.is_fitted or not is_background.any():
        return None
    said = test.log_probabilities[is_background]
    shown = probabilities(
        bernoulli_logits(said) if test.is_multi_label else said,
        calibration.temperature,
        multi_label=test.is_multi_label,
    )
    heard = detections(test.classes, shown, calibration.thresholds, multi_label=test.is_multi_label)
    heard[:, of_background] = False
    return false_alarms_per_hour(int(heard.any(axis=1).sum()), len(heard), clip_s)
