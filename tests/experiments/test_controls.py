"""Hand-computed: who hears how much, and how often weights are moved, at the paper's size and at ours."""

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.experiments.build import build_plan
from cohear.experiments.config import Config
from cohear.experiments.identity import differences
from cohear.experiments.paper import CONTROLS, TABLE_1, PaperModel, find_models
from cohear.experiments.presets import change, preset
from cohear.training.batches import epoch_batches, n_steps

N_TRAIN = {"paper": 1600, "small": 320}
"""Training clips: four folds of ESC-50, and of ESC-10."""
BY_NAME = {model.name: model for model in (*TABLE_1, *CONTROLS)}
LONGER = BY_NAME["No Augmentation, three times the epochs"]


def counts(model: PaperModel, name: str) -> tuple[int, int]:
    """Updates and signals of a whole training."""
    plan = build_plan(model.configure(preset(name)))
    batches = epoch_batches(N_TRAIN[name], plan.items, plan.batch_size, 0, 0)
    assert len(batches) == n_steps(N_TRAIN[name], plan.items, plan.batch_size)
    return plan.n_epochs * len(batches), plan.n_epochs * sum(batch.views.size for batch in batches)


@pytest.mark.parametrize("name", ["paper", "small"])
def test_the_three_methods_with_transforms_take_as_many_updates_and_hear_as_many_signals(name):
    found = {counts(model, name) for model in TABLE_1[1:]}
    assert found == {{"paper": (72 * 40, 72 * 4800), "small": (24 * 20, 24 * 960)}[name]}


def test_without_augmentation_three_times_the_epochs_are_as_many_signals_and_few_more_updates():
    assert counts(BY_NAME["No Augmentation"], "paper") == (72 * 14, 72 * 1600)
    assert counts(LONGER, "paper") == (3024, 72 * 4800)  # an epoch is 13 batches of 120 and one of 40
    assert counts(LONGER, "small") == (72 * 7, 24 * 960)


@pytest.mark.parametrize("name", ["paper", "small"])
def test_schedules_are_stretched_so_that_equal_shares_of_a_training_have_equal_rates(name):
    base = preset(name)
    usual, longer = BY_NAME["Combination-BDA"].configure(base), LONGER.configure(base)
    assert longer.training.epochs == 3 * usual.training.epochs
    assert longer.objective.ramp_epochs == pytest.approx(3 * usual.objective.ramp_epochs)
    rates = [[build_plan(c).learning_rate(epoch) for epoch in range(c.training.epochs)] for c in (usual, longer)]
    for share in np.linspace(0, 1, 12, endpoint=False):
        ours, theirs = (rate[round(share * len(rate))] for rate in rates)
        assert ours == pytest.approx(theirs), share
    if name == "paper":
        assert rates[1] == pytest.approx(np.repeat(rates[0], 3))


def test_controls_change_what_their_names_say_and_nothing_else():
    no_augmentation, combination_cl = (BY_NAME[n].configure(Config()) for n in ("No Augmentation", "Combination-CL"))
    float32, bf16, longer = (model.configure(Config()) for model in CONTROLS)
    assert differences(float32, combination_cl) == {}
    assert differences(bf16, combination_cl) == {"training.precision": "bf16"}
    assert differences(longer, no_augmentation) == {
        "training.epochs": 216,
        "objective.ramp_epochs": 30.0,
        "optimizer.decay_epochs": 6.0,
    }
    assert [(model.seeds, model.first_fold_only) for model in CONTROLS] == [((0, 1, 2), True)] * 2 + [((0,), False)]


def test_models_whose_names_have_a_comma_are_found_in_a_list_split_at_commas():
    def found(text: str) -> list[str]:
        return [model.name for model in find_models(text.split(","), (*TABLE_1[-1:], *CONTROLS))]

    assert found("no augmentation, Three times the epochs") == [LONGER.name]
    assert found("Combination-CL, bf16,Combination-CL,combination-cl, float32") == [
        *("Combination-CL", "Combination-CL, float32", "Combination-CL, bf16"),
    ]


def test_a_model_that_is_one_of_the_table_on_this_base_is_found_by_either_name_and_suggested_as_it_is_written():
    base = preset("small")
    for text in ("Combination-CL", "combination-cl, float32", "Combination-CL,Combination-CL, float32"):
        assert find_models(text.split(","), CONTROLS, base) == CONTROLS[:1]
    assert find_models(["Combination-CL", " bf16"], CONTROLS, base) == CONTROLS[:2][1:]
    assert find_models(["Combination-CL"], CONTROLS, change(base, {"training.precision": "bf16"})) == CONTROLS[1:2]
    suggested = r"did you mean 'Combination-CL'\?\); the models are 'Combination-CL', 'Combination-CL, bf16', 'No"
    with pytest.raises(UserError, match=suggested):
        find_models(["Combination-LC"], CONTROLS, base)
