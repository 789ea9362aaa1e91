"""Hand-computed: the paper's values, its models and ours, and which runs are the same."""

import numpy as np
import pytest

from cohear.errors import UserError
from cohear.objectives import linear_ramp, step_decay
from cohear.runs.build import build_schedule
from cohear.runs.config import Config, change, differences, parse_override, setting_values
from cohear.runs.identity import identify, identify_experiment, model_name, readable_name
from cohear.runs.paper import ABLATIONS, CONTROLS, HEADLINE, TABLE_1, GridModel, find_models, split_names
from cohear.runs.presets import paper, quarter, scale_schedules, small
from cohear.training.batches import epoch_batches, n_steps

BY_NAME = {model.name: model for model in (*TABLE_1, *ABLATIONS, *CONTROLS)}
LONGER = BY_NAME["No Augmentation, three times the epochs"]


def test_the_defaults_are_the_papers():
    config = Config()
    assert (config.data.sample_rate, config.front_end.n_fft, config.front_end.hop_length) == (44100, 1024, 600)
    assert config.front_end.n_mels == 128
    assert (config.training.epochs, config.training.batch_size) == (72, 120)
    assert (config.optimizer.learning_rate, config.optimizer.weight_decay) == (5e-4, 0.01)
    assert (config.objective.consistency_weight, config.objective.ramp_epochs) == (5.0, 10.0)
    assert (config.views.transform, config.views.n_transformed) == ("combination", 2)


def test_scaled_schedules_end_where_the_papers_do():
    for twelfths in (0, 1, 6, 12):
        ramps, rates = [], []
        for config in (scale_schedules(quarter(), 24), paper()):
            epoch, objective, optimizer = twelfths * config.training.epochs // 12, config.objective, config.optimizer
            ramps.append(linear_ramp(epoch, objective.consistency_weight, objective.ramp_epochs))
            rates.append(step_decay(epoch, 1.0, optimizer.decay_factor, optimizer.decay_epochs))
        assert ramps[0] == pytest.approx(ramps[1])
        assert rates[0] == pytest.approx(rates[1])


def test_small_hears_what_quarter_hears_and_ends_in_steps_of_none():
    assert (small().data, small().network) == (quarter().data, quarter().network)
    for config in (small(), scale_schedules(small(), 6)):
        epochs, optimizer = config.training.epochs, config.optimizer
        assert optimizer.warmup_epochs == pytest.approx(10 / 72 * epochs)
        assert config.objective.ramp_epochs == pytest.approx(10 / 72 * epochs)
        rate = build_schedule(config).learning_rate
        assert rate(optimizer.warmup_epochs) == pytest.approx(4e-3)
        assert rate(epochs) == pytest.approx(0, abs=1e-12)
    shorter = change(small(), {"training.epochs": "4"})
    assert (shorter.objective, shorter.optimizer) == (small().objective, small().optimizer)


def test_models_bear_the_papers_names_and_standard_augmentation_is_there_in_two_readings():
    assert [model.name for model in TABLE_1] == [
        "No Augmentation",
        *("Pitch-Shift", "Pitch-Shift (one)", "Pitch-Shift-BDA", "Pitch-Shift-CL"),
        *("Reverb", "Reverb (one)", "Reverb-BDA", "Reverb-CL"),
        *("TF-Masking", "TF-Masking (one)", "TF-Masking-BDA", "TF-Masking-CL"),
        *("Combination", "Combination (one)", "Combination-BDA", "Combination-CL"),
    ]
    assert all(model_name(model.configure(Config())) == model.name for model in TABLE_1)
    last = ["Combination", "Combination (one)", "Combination-BDA", "Combination-CL"]
    assert [model.name for model in HEADLINE] == ["No Augmentation", *last]


@pytest.mark.parametrize(
    ("model", "among", "changes"),
    [
        ("Combination-CL, one transformed view", "Combination-CL", {"views.n_transformed": 1}),
        ("Combination-CL, clean-only cross-entropy", "Combination-CL", {"objective.classified_views": "clean"}),
        ("Combination-CL, no ramp", "Combination-CL", {"objective.ramp_epochs": 0.0}),
        ("Combination-CL, weight 7.5", "Combination-CL", {"objective.consistency_weight": 7.5}),
        (
            "Combination-CL, KL of two views",
            "Combination-CL",
            {"views.n_transformed": 1, "objective.divergence": "kl"},
        ),
        (
            "Combination-CL, L2 of two embeddings",
            "Combination-CL",
            {"views.n_transformed": 1, "objective.divergence": "l2", "objective.representation": "embedding"},
        ),
        ("Combination-CL, float32", "Combination-CL", {}),
        ("Combination-CL, bf16", "Combination-CL", {"training.precision": "bf16"}),
        (LONGER.name, "No Augmentation", {"training.epochs": 216, "optimizer.decay_epochs": 6.0}),
    ],
)
def test_ablations_and_controls_change_what_their_names_say_and_nothing_else(model, among, changes):
    assert differences(BY_NAME[model].configure(Config()), BY_NAME[among].configure(Config())) == changes


N_TRAIN = {"paper": 1600, "small": 320}
"""Training clips: four folds of ESC-50, and of ESC-10."""


def counts(model: GridModel, preset: str) -> tuple[int, int]:
    """Updates and signals of a whole training."""
    plan = build_schedule(model.configure({"paper": paper, "small": small}[preset]()))
    batches = epoch_batches(N_TRAIN[preset], plan.items, plan.batch_size, 0, 0)
    assert len(batches) == n_steps(N_TRAIN[preset], plan.items, plan.batch_size)
    return plan.n_epochs * len(batches), plan.n_epochs * sum(batch.views.size for batch in batches)


def test_methods_with_transforms_take_as_many_updates_and_hear_as_many_signals():
    few = {model for model in TABLE_1 if model.method == "none" or "(one)" in model.name}
    assert {counts(model, "paper") for model in {*TABLE_1} - few} == {(72 * 40, 72 * 4800)}
    assert {counts(model, "small") for model in {*TABLE_1} - few} == {(72 * 14, 72 * 640)}
    assert {counts(model, "paper") for model in few} == {(72 * 14, 72 * 1600)}
    assert counts(LONGER, "paper") == (3024, 72 * 4800)  # an epoch is 13 batches of 120 and one of 40


def test_stretched_schedules_have_equal_rates_at_equal_shares_of_a_training():
    usual, longer = (build_schedule(model.configure(paper())) for model in (TABLE_1[0], LONGER))
    rates = [[plan.learning_rate(epoch) for epoch in range(plan.n_epochs)] for plan in (usual, longer)]
    assert rates[1] == pytest.approx(np.repeat(rates[0], 3))


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("training.epoch=4", "did you mean 'training.epochs'"),
        ("training.epochs=four", "'training.epochs' cannot be 'four'"),
        ("training.epochs=0", "training.epochs"),
        ("training.epochs", "has no value"),
        ("training=4", "no setting 'training'"),
        ("method=magic", "'none', 'standard', 'bda' or 'consistency'"),
        ("objective.representation=embedding", "'l2' only"),
        ("views.transform=none", "only method 'none' has transform 'none'"),
        ("views.transform=pitches", "did you mean 'pitch'"),
        ("views.transform=masking+pitch", "masking"),
        ("objective.consistency_weight=nan", "objective.consistency_weight"),
        ("fold=some", "fold"),
    ],
)
def test_wrong_settings_are_refused_by_name(text, culprit):
    with pytest.raises(UserError, match=culprit):
        change(Config(), dict([parse_override(text)]))


def test_every_setting_can_be_set_to_what_it_is_and_some_can_be_unset():
    config = change(Config(), dict(map(parse_override, ["data.clip_s=2.5", "views.transform= pitch , reverb"])))
    assert (config.data.clip_s, config.views.transform) == (2.5, "combination")
    assert change(Config(), setting_values(config)) == config
    assert change(config, dict([parse_override("data.clip_s=None")])).data.clip_s is None


def identity(data: str = "data", contents: dict[str, str] | None = None, **changes) -> str:
    return identify(change(Config(), {k.replace("__", "."): v for k, v in changes.items()}), data, contents or {})


def test_identity_is_of_what_can_change_the_result():
    bda = identity(method="bda")
    assert bda == identity(method="bda", objective__consistency_weight=7.5) == identity(method="bda", preset="mine")
    others = [{"method": "consistency"}, {"method": "bda", "seed": 1}, {"method": "bda", "training__precision": "bf16"}]
    assert len({bda, identity("other data", method="bda"), *(identity(**other) for other in others)}) == 5


def test_identity_follows_the_contents_of_other_rooms_and_not_where_they_lie():
    def with_rooms(place: str, rooms: str) -> str:
        return identity(contents={"views.transform": rooms}, views__transform=f"reverb(bank='{place}')")

    assert with_rooms("/a/rooms.safetensors", "x") == with_rooms("halls/", "x") != with_rooms("halls/", "y")


def test_an_experiment_is_what_folds_and_seeds_share():
    configs = [change(Config(), {"fold": fold, "seed": seed}) for fold in (1, 2) for seed in (0, 1)]
    assert len({identify(config, "data", {}) for config in configs}) == 4
    assert len({identify_experiment(config, "data", {}) for config in configs}) == 1


def test_a_folder_name_shows_what_differs():
    config = change(small(), {"fold": 3, "training.epochs": 4})
    assert readable_name(config, "Combination-CL", "My Pond") == "my-pond_combination-cl_fold3_small_epochs=4"
    scaled = change(scale_schedules(small(), 4), {"training.precision": "bf16", "data.background": "night"})
    assert readable_name(scaled, "Combination-CL", "pond") == "pond_combination-cl_fold1_small_epochs=4"
    wider = change(small(), {"network.width": 0.5})
    assert readable_name(wider, "Combination-CL", "pond") == "pond_combination-cl_fold1_small_width=0.5"
    within = change(config, {"data.esc10": True})  # ESC-10 alone or within ESC-50: the fingerprint tells
    assert readable_name(within, "Combination-CL", "My Pond") == readable_name(config, "Combination-CL", "My Pond")


def test_models_are_found_by_name_in_the_papers_order():
    def found(text: str, among=(*TABLE_1, *CONTROLS[1:]), base=None) -> list[str]:
        return [model.name for model in find_models(split_names(text, among), among, base or paper())]

    assert found("combination-cl, No Augmentation") == ["No Augmentation", "Combination-CL"]
    assert found("no augmentation, Three times the epochs,Combination-CL, bf16") == [
        "Combination-CL, bf16",
        LONGER.name,
    ]
    assert found("Combination-CL", CONTROLS) == ["Combination-CL, float32"]  # which is the table's on this base
    assert found("Combination-CL", CONTROLS, change(small(), {"training.precision": "bf16"})) == [
        "Combination-CL, bf16"
    ]
    with pytest.raises(UserError, match="did you mean 'Combination-BDA'"):
        found("combination-bad")
