"""What is fitted to validation answers makes other answers of the same classifier truer."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax

from cohear.evaluation.calibration import Calibration, calibrate
from cohear.metrics.calibration import expected_calibration_error
from cohear.metrics.tasks import MULTI_LABEL, SINGLE_LABEL, Task

CLASSES = ("frog", "rain", "road", "none")


def _fit(
    task: Task, said: np.ndarray, targets: np.ndarray, precision: float, background: str | None = None
) -> Calibration:
    decisions, classes = task.decide(task.logits(said)), CLASSES[: said.shape[1]]
    return calibrate(task, classes, said, decisions, targets, precision=precision, background=background)


def _single(n: int, sureness: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities in half precision of a classifier that is surer than it is right."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, 4))
    labels = np.array([random.choice(4, p=np.exp(row)) for row in log_softmax(logits, axis=1)])
    return log_softmax(sureness * logits, axis=1).astype(np.float16), labels


def test_an_overconfident_classifier_is_cooled_and_its_thresholds_keep_their_promise_elsewhere():
    said, labels = _single(4000, 3.0, seed=0)
    fitted = _fit(SINGLE_LABEL, said, labels, 0.9, background="none")
    assert fitted.temperature == pytest.approx(3.0, rel=0.1)
    assert (fitted.n_clips, fitted.precision, set(fitted.thresholds)) == (4000, 0.9, set(CLASSES[:3]))
    other, other_labels = _single(4000, 3.0, seed=1)
    before, after = (SINGLE_LABEL.probabilities(other.astype(np.float64), t) for t in (1.0, fitted.temperature))
    right = other.argmax(1) == other_labels
    assert expected_calibration_error(after.max(1), right) < expected_calibration_error(before.max(1), right) / 2
    for k, label in enumerate(CLASSES[:3]):
        counted = (after.argmax(1) == k) & (after[:, k] >= fitted.thresholds[label].probability)
        assert (other_labels[counted] == k).mean() == pytest.approx(0.9, abs=0.04)


def test_several_labels_are_fitted_one_by_one():
    random = np.random.default_rng(0)
    logits = random.normal(-1, 2, (400, 2))
    truth = (random.uniform(size=(400, 2)) < expit(logits)).astype(np.int64)
    said = log_expit(0.5 * logits).astype(np.float16)
    fitted = _fit(MULTI_LABEL, said, truth, 0.8)
    assert fitted.temperature == pytest.approx(0.5, rel=0.15)
    for k, label in enumerate(CLASSES[:2]):
        shown = expit(0.5 * logits[:, k] / fitted.temperature)
        counted = shown >= fitted.thresholds[label].probability
        assert truth[counted, k].mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_answers_that_are_all_right_make_no_classifier_surer(task):
    logits = 2.0 * np.eye(4)[[0, 1, 2, 3, 0] * 6] - 1
    logits[0] = [0.0, -1.0, -1.0, -1.0]  # yes, by a hair
    said, targets = task.log_probabilities(logits).astype(np.float16), task.decide(logits)
    assert calibrate(task, CLASSES, said, targets, targets, precision=0.9).temperature == 1.0


def test_of_few_clips_no_temperature_is_fitted():
    said, labels = _single(30, 5.0, seed=2)
    whole, part = (_fit(SINGLE_LABEL, said[:n], labels[:n], 0.9) for n in (30, 29))
    assert whole.temperature > 1.5
    assert (part.temperature, part.n_clips) == (1.0, 29)
    assert part.thresholds


def test_what_several_runs_answer_to_the_same_clips_is_no_more_evidence_than_one_of_them():
    said, labels = _single(12, 5.0, seed=2)
    paths, decisions = [f"{clip}.wav" for clip in range(12)] * 3, said.argmax(axis=1)
    one = _fit(SINGLE_LABEL, said, labels, 0.9)
    three = calibrate(
        SINGLE_LABEL,
        CLASSES,
        *(np.concatenate([its] * 3) for its in (said, decisions, labels)),
        precision=0.9,
        clips=paths,
    )
    assert three == one
    assert "12 validation clips" in three.temperature_text
