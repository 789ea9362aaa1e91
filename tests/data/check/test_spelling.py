import pytest

from cohear.data.check.spelling import alike, bare

ESC50 = (
    "airplane breathing brushing_teeth can_opening car_horn cat chainsaw chirping_birds church_bells clapping "
    "clock_alarm clock_tick coughing cow crackling_fire crickets crow crying_baby dog door_wood_creaks "
    "door_wood_knock drinking_sipping engine fireworks footsteps frog glass_breaking hand_saw helicopter hen insects "
    "keyboard_typing laughing mouse_click pig pouring_water rain rooster sea_waves sheep siren sneezing snoring "
    "thunderstorm toilet_flush train vacuum_cleaner washing_machine water_drops wind"
)


@pytest.mark.parametrize("pair", [
    "frog forg", "Frog frog", "tree-frog tree_frog", "treefrog tree_frog", "mésange Mesange", "alarm alarms",
    "sneezing sneezzing", "sneezing sneezng", "chainsaw chsinsaw", "door_wood_knock door_wood_konck",
])  # fmt: skip
def test_slips_are_found(pair):
    one, other = sorted(pair.split())
    assert alike([one, other, "rain"]) == [(one, other)]


@pytest.mark.parametrize("labels", [
    ESC50, "dog hog", "crow cow", "rain train", "rain1 rain2", "rain_1 rain_2", "typeA typeB", "cond_a cond_b",
    "conditiona conditionb", "1_0 10", "male female", "barking parking", "clock_alarm clock_tick", "inhale exhale",
    "squeal squeak", "cat car", "step_01 step_10", "sneezing sneexying",
])  # fmt: skip
def test_different_labels_are_not_accused(labels):
    assert alike(labels.split()) == []


def test_texts_are_bare_without_case_and_plural():
    assert bare("Frogs") == bare("frog")
    assert bare("frog_pond") != bare("frog")
