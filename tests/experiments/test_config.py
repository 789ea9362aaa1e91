"""Hand-computed: the paper's values; what is refused, and with which words."""

import json
from pathlib import Path

import pytest

from cohear.errors import UserError
from cohear.experiments.config import Config
from cohear.experiments.identity import differences, identify, identify_experiment, readable_name
from cohear.experiments.paper import ABLATIONS, FIGURE_1, TABLE_1, find_models, method_items, model_name
from cohear.experiments.presets import change, parse_override, preset, setting_values
from cohear.objectives import linear_ramp, step_decay


def test_the_defaults_are_the_papers():
    config = Config()
    assert (config.data.sample_rate, config.front_end.n_fft, config.front_end.hop_length) == (44100, 1024, 600)
    assert config.front_end.n_mels == 128
    assert (config.training.epochs, config.training.batch_size) == (72, 120)
    assert (config.optimizer.learning_rate, config.optimizer.weight_decay) == (5e-4, 0.01)
    assert (config.objective.consistency_weight, config.objective.ramp_epochs) == (5.0, 10.0)
    assert config.views.pitch_semitones == (-2.5, -2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5)
    assert (config.views.n_rooms, config.views.room_rt60_s, config.views.n_transformed) == (500, (0.2, 1.0), 2)


def test_the_small_preset_is_what_it_says_and_its_schedules_end_where_the_papers_do():
    small, paper = preset("small"), preset("paper")
    assert (small.data.sample_rate, small.front_end.n_mels, small.network.width) == (22050, 64, 1 / 8)
    assert (small.front_end.n_fft, small.front_end.hop_length, small.training.batch_size) == (1024, 600, 48)
    for twelfths in (0, 1, 6):
        weights = [
            linear_ramp(twelfths * c.training.epochs // 12, c.objective.consistency_weight, c.objective.ramp_epochs)
            for c in (small, paper)
        ]
        assert weights[0] == pytest.approx(weights[1])
    last = [
        step_decay(c.training.epochs, 1.0, c.optimizer.decay_factor, c.optimizer.decay_epochs) for c in (small, paper)
    ]
    assert last[0] == pytest.approx(last[1])


def test_setting_epochs_alone_only_stops_earlier():
    shorter = change(preset("small"), {"training.epochs": "4"})
    assert shorter.training.epochs == 4
    assert shorter.objective == preset("small").objective
    assert shorter.optimizer == preset("small").optimizer


def test_thirteen_models_bear_the_papers_names():
    assert [model.name for model in TABLE_1] == [
        "No Augmentation",
        *("Pitch-Shift", "Pitch-Shift-BDA", "Pitch-Shift-CL"),
        *("Reverb", "Reverb-BDA", "Reverb-CL"),
        *("TF-Masking", "TF-Masking-BDA", "TF-Masking-CL"),
        *("Combination", "Combination-BDA", "Combination-CL"),
    ]
    assert all(model_name(model.configure(Config())) == model.name for model in TABLE_1)
    assert [model.name for model in FIGURE_1] == ["No Augmentation", "Combination", "Combination-BDA", "Combination-CL"]


def test_methods_are_values():
    assert method_items("none", 2) == ((0,),)
    assert method_items("standard", 2) == ((0,), (1,), (2,))
    assert method_items("bda", 2) == method_items("consistency", 2) == ((0, 1, 2),)
    assert method_items("consistency", 1) == ((0, 1),)


def test_each_ablation_changes_what_its_name_says_and_nothing_else():
    base = ABLATIONS[0].configure(Config())
    changed = {
        model.name.removeprefix("Combination-CL, "): set(differences(model.configure(Config()), base))
        for model in ABLATIONS[1:]
    }
    assert changed == {
        "one transformed view": {"views.n_transformed"},
        "clean-only cross-entropy": {"objective.classified_views"},
        "no ramp": {"objective.ramp_epochs"},
        "weight 7.5": {"objective.consistency_weight"},
        "KL of two views": {"views.n_transformed", "objective.divergence"},
        "L2 of two embeddings": {"views.n_transformed", "objective.divergence", "objective.representation"},
    }
    by_name = {model.name.removeprefix("Combination-CL, "): model.configure(Config()) for model in ABLATIONS}
    assert by_name["weight 7.5"].objective.consistency_weight == 7.5
    assert by_name["no ramp"].objective.ramp_epochs == 0
    assert by_name["one transformed view"].views.n_transformed == 1
    assert by_name["clean-only cross-entropy"].objective.classified_views == "clean"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.epoch=4", r"no setting 'training.epoch' \(did you mean 'training.epochs'\?\)"),
        ("training.epochs=four", "'training.epochs' cannot be 'four'"),
        ("training.epochs=0", "greater than 0"),
        ("training.epochs", "has no value"),
        ("training=4", "no setting 'training'"),
        ("views.pitch_semitones=1,40", "less than or equal to 12"),
        ("method=magic", "'none', 'standard', 'bda' or 'consistency'"),
        ("objective.representation=embedding", "'l2' only"),
        ("views.transform=none", "only method 'none' has transform 'none'"),
        ("objective.consistency_weight=nan", "'objective.consistency_weight' cannot be 'nan'"),
        ("optimizer.learning_rate=inf", "'optimizer.learning_rate' cannot be 'inf'"),
        ("views.room_rt60_s=1.0,0.2", "lowest first"),
        ("views.n_band_masks=3,1", "fewest first"),
    ],
)
def test_wrong_settings_are_refused_in_words(text, message):
    with pytest.raises(UserError, match=message):
        change(Config(), dict([parse_override(text)]))


def test_lists_and_unset_values_can_be_set():
    config = change(Config(), dict(map(parse_override, ["views.pitch_semitones=-1,1", "data.clip_s=none"])))
    assert config.views.pitch_semitones == (-1.0, 1.0)
    assert config.data.clip_s is None
    assert change(Config(), setting_values(config)) == config


def test_identity_ignores_what_a_method_does_not_look_at():
    def identity(**changes):
        return identify(change(Config(), {k.replace("__", "."): v for k, v in changes.items()}), "data")

    bda = identity(method="bda")
    assert bda == identity(method="bda", objective__consistency_weight=7.5) == identity(method="bda", preset="mine")
    assert bda != identity(method="consistency")
    assert bda != identity(method="bda", seed=1)
    assert bda != identity(method="bda", training__precision="bf16")
    assert bda != identify(change(Config(), {"method": "bda"}), "other data")


def test_made_up_rooms_have_the_identity_they_had_before_there_were_others(monkeypatch: pytest.MonkeyPatch):
    # Of committed runs: what is in their folders' names.
    for path in sorted((Path(__file__).parents[2] / "results").glob("*/*/config.json")):
        written = json.loads(path.read_text())
        config = Config.model_validate(written["config"])
        monkeypatch.setattr("cohear.experiments.identity.NUMERICS", written["numerics"])
        assert identify(config, written["data_fingerprint"]) == written["identity"]
        assert path.parent.name == readable_name(config, written["model"], written["identity"])


def test_identity_follows_the_contents_of_other_rooms_and_not_where_they_lie():
    here, there = (change(Config(), {"views.room_bank": path}) for path in ("/a/rooms.safetensors", "halls/"))
    fewer = change(here, {"views.n_rooms": 3, "views.room_rt60_s": (0.3, 0.4)})  # of no account
    assert identify(here, "data", "rooms") == identify(there, "data", "rooms") == identify(fewer, "data", "rooms")
    assert identify(here, "data", "rooms") not in (identify(here, "data", "others"), identify(Config(), "data"))


def test_an_experiment_is_what_folds_and_seeds_share():
    configs = [change(Config(), {"fold": fold, "seed": seed}) for fold in (1, 2) for seed in (0, 1)]
    assert len({identify(config, "data") for config in configs}) == 4
    assert len({identify_experiment(config, "data") for config in configs}) == 1


def test_a_folder_name_shows_what_differs():
    config = change(preset("small"), {"fold": 3, "training.epochs": 4})
    assert readable_name(config, "Combination-CL", "0123456789abcdef") == "combination-cl_fold3_small_epochs=4_01234567"


def test_esc10_has_one_folder_name_whether_it_lies_alone_or_within_esc50():
    alone, within = (change(preset("small"), {"data.esc10": esc10}) for esc10 in (False, True))
    assert identify(alone, "data") == identify(within, "data")
    assert readable_name(alone, "Combination-CL", "0" * 16) == readable_name(within, "Combination-CL", "0" * 16)


def test_models_are_found_by_name_in_the_papers_order():
    assert [m.name for m in find_models(["combination-cl", "No Augmentation"], TABLE_1)] == [
        "No Augmentation",
        "Combination-CL",
    ]
    with pytest.raises(UserError, match="did you mean 'Combination-BDA'"):
        find_models(["combination-bad"], TABLE_1)
