"""What every result opens with, counted by hand, and one next step for each thing that can stand in the way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cohear.judging.verdict import join_answers, verdict
from cohear.metrics.accuracy import average_precision, by_chance
from judged import answers, judged_run

PUMPS = ("broken", "healthy")


def pumps(n_broken_found: int, *, n_false: int = 0, **how):
    """Judge answers to forty healthy and six broken pumps."""
    truth = np.eye(2, dtype=bool)[[0] * 6 + [1] * 40]
    logits = np.tile((0.0, 2.0), (46, 1))
    logits[:n_broken_found] = logits[6 : 6 + n_false] = (2.0, 0.0)
    judged = judged_run(logits, truth, classes=PUMPS, **how)
    return verdict(judged.answered, [judged.run])


def test_one_answer_for_all_does_not_look_good_however_common_it_is():
    found = pumps(0)
    assert (found.quality, found.guessing, found.is_real) == (0.5, 0.5, False)
    assert found.result == (
        "50% of each label's clips found, on average: 2 labels, 46 clips of 23 recordings. "
        "Always answering 'healthy' would give 50%; this is no better."
    )
    assert found.next_step == "All answers are 'healthy': --balance sampling."
    judged = judged_run(np.eye(4)[np.zeros(40, int)], answers(40, wrong=())[1])
    assert verdict(judged.answered, [judged.run]).next_step == "All answers are 'dog': train longer, --epochs 144."
    assert "record more" in pumps(0, settings={"training.balance": "sampling"}).next_step


def test_labels_count_alike():
    found = pumps(4, n_false=2)
    assert found.quality == pytest.approx((4 / 6 + 38 / 40) / 2)
    assert found.is_real
    assert "; this is better." in found.result


def test_few_answers_may_be_chance():
    logits, truth = answers(4, wrong=(0,))
    judged = judged_run(logits, truth)
    assert judged.answered.recordings == ["1-0", "1-0", "1-1", "1-1"]
    found = verdict(judged.answered, [judged.run])
    assert (found.quality, found.is_real) == (0.75, False)
    assert "of so few recordings this may be chance" in found.result
    assert found.next_step.startswith("`cohear crossval`")
    assert verdict(judged.answered, [judged.run], is_own=False).next_step.startswith("Record more clips")


def test_labels_within_one_recording_are_evidence_and_its_clips_of_one_label_are_one():
    logits, truth = answers(40, wrong=())
    judged = judged_run(logits, truth)
    two = judged_run(logits[truth[:, :2].any(axis=1)], truth[truth[:, :2].any(axis=1)])
    one_walk = replace(two.answered, recordings=["walk"] * 20)
    assert not verdict(one_walk, [two.run]).is_real  # two labels, each one block of ten: one of two orders
    five_walks = replace(judged.answered, recordings=[f"walk {clip // 8}" for clip in range(40)])
    assert verdict(five_walks, [judged.run]).is_real


def test_several_labels_are_ranked():
    truth = np.array([[True, True], [True, False], [False, False], [False, False]] * 5)
    judged = judged_run(np.where(truth, 1.0, -1.0), truth, classes=("dog", "rain"), multi_label=True)
    found = verdict(judged.answered, [judged.run])
    random = np.random.default_rng(0)
    draws = [average_precision(random.random((20, 2)), truth).mean() for _ in range(500)]
    assert found.guessing == pytest.approx(np.mean(draws), abs=0.1)  # here recordings of two clips are dealt out
    assert found.result.startswith("100% mean average precision: 2 labels, 20 clips of 10 recordings. Guessing would")
    nothing = replace(judged.answered, truth=np.zeros_like(truth))
    assert verdict(nothing, [judged.run]).result == "None of 20 clips has a label."


def test_one_label_has_nothing_to_be_compared_with():
    logits, truth = answers(8, wrong=(0,))
    one = truth[:, 0]
    judged = judged_run(logits[one], truth[one])
    found = verdict(judged.answered, [judged.run])
    assert found.result == "50% of 2 clips of 'dog' found."
    assert found.next_step.startswith("Judge it on clips of other labels too")


FIELDS = ("logits", "decisions", "truth", "clips", "recordings")
MANY = {"dog": 30, "rain": 30, "siren": 30, "bird": 30}


@pytest.mark.parametrize(
    ("wrong", "how", "step"),
    [
        ((0, 4), {"history": ({"train_accuracy": 0.84},)}, "Still learning when it ended (84% of its own"),
        ((0, 4), {"n_train_clips": {**MANY, "dog": 12}}, "12 clips of 'dog' to learn from are too few: record more."),
        ((0, 4), {"n_train_clips": MANY}, "'dog' is taken for 'rain' in 2 of 10 clips: listen to them"),
        ((0, 1), {"history": ({"train_accuracy": 1.0},)}, "`cohear crossval` tests it on every clip"),
    ],
)
def test_the_next_step_is_the_first_thing_that_stands_in_the_way(wrong, how, step):
    judged = judged_run(*answers(40, wrong=wrong), **how)
    assert verdict(judged.answered, [judged.run]).next_step.startswith(step)


def test_after_cross_validation_comes_the_classifier_to_keep():
    judged = [judged_run(*answers(40, wrong=(0,)), fold=fold) for fold in (1, 2)]
    found = verdict(judged[0].answered, [its.run for its in judged])
    assert found.next_step.startswith("`cohear train --fold all`")


def test_clips_that_were_trained_on_prove_nothing():
    logits, truth = answers(40, wrong=())
    judged = judged_run(logits, truth)
    assert verdict(judged.answered, [judged.run]).is_real
    some = replace(judged, clips=replace(judged.clips, n_trained=30))
    for answered, n_trained in ((some.answered, 30), (join_answers([some.answered, judged.answered]), 30)):
        found = verdict(answered, [judged.run])
        assert (found.quality, found.is_real) == (1.0, False)
        assert f"{n_trained} of these answers" in found.result
        assert "better" not in found.result
        assert "not trained on" in found.next_step


def test_the_best_of_many_that_guess_is_seldom_taken_for_better():
    truth, found = np.eye(2, dtype=bool)[np.arange(40) % 2], {1: 0, 17: 0}
    for seed in range(8):
        said = np.random.default_rng(seed).random((17, 40, 2))
        best = max(said, key=lambda logits: (logits.argmax(1) == truth.argmax(1)).mean())
        judged = judged_run(best, truth, classes=("dog", "rain"))
        alone = replace(judged.answered, recordings=judged.clips.paths)
        for n in found:
            found[n] += verdict(alone, [judged.run], among=n).is_real
    assert found[17] <= 1  # of 8 as good as none
    assert found[1] >= 2


@pytest.mark.parametrize("several", [False, True])
def test_the_best_of_many_can_be_better_where_it_is_right(several):
    truth = np.eye(4, dtype=bool)[np.arange(60) % 4]
    judged = judged_run(np.where(truth, 2.0, -2.0), truth, multi_label=several)
    assert verdict(judged.answered, [judged.run], among=17).is_real


def test_the_same_clips_under_other_seeds_are_no_other_clips():
    judged = [judged_run(*answers(40, wrong=(0, 4)), seed=seed, n_train_clips=MANY) for seed in (0, 1)]
    one = judged[0].answered
    both = join_answers([its.answered for its in judged])
    found = verdict(both, [its.run for its in judged])
    assert "4 labels, 40 clips of 20 recordings, 80 answers." in found.result
    assert found.next_step.startswith("'dog' is taken for 'rain' in 4 of 20 answers:")
    few = [replace(one, **{name: getattr(one, name)[:4] for name in FIELDS}) for _ in range(4)]
    assert [verdict(its, [judged[0].run]).is_real for its in (few[0], join_answers(few))] == [False, False]


def test_chance_agrees_with_scipys_permutations_and_knows_recordings():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 30)
    said = np.where(rng.random(30) < 0.35, truth, rng.integers(0, 3, 30))

    def right(rows):
        return float((said == truth[rows]).mean())

    theirs = stats.permutation_test(
        (truth,), lambda its: (its == said).mean(), permutation_type="pairings", n_resamples=9999, rng=0,
        alternative="greater", vectorized=False,
    )  # fmt: skip
    assert 0.01 < theirs.pvalue < 0.6
    assert by_chance(right, range(30), n_draws=4999)[1] == pytest.approx(theirs.pvalue, abs=0.02)
    walks = [0] * 15 + [1] * 15
    assert by_chance(right, walks)[1] >= 0.4  # two recordings can be dealt out in two ways


def _share_right(said, truth):
    return lambda rows: float((said == truth[rows]).mean())


def test_recordings_of_unequal_size_are_not_taken_for_evidence():
    sizes, n_found = [30] * 4 + [4] * 16, 0
    recordings = np.repeat(np.arange(20), sizes)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth, said = (rng.integers(0, 2, 20)[recordings] for _ in range(2))  # of recordings, and unrelated
        n_found += by_chance(_share_right(said, truth), recordings.tolist(), n_draws=99)[1] < 0.05
    assert n_found <= 8  # of 60 three by chance
