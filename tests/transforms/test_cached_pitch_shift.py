import numpy as np
import pytest
import torch

from cohear.data.kept_versions import open_versions
from cohear.dsp.quantization import dequantize, quantize
from cohear.transforms import Chain, Choose, ClipFacts, Gain, PitchShift
from cohear.transforms.cached_pitch_shift import CachedPitchShift, ShiftedVersions
from cohear.transforms.pitch_shift import PitchShiftParameters

SHIFTS, RATE, N_SAMPLES = (-1.0, 0.5, 2.5), 8000, 3_000
CLIPS = 0.1 * torch.randn(4, N_SAMPLES, generator=torch.Generator().manual_seed(0))
ROWS = np.array([2, 0, 2, 3])  # one clip twice, with two shifts
PARAMETERS = PitchShiftParameters(np.array([0.5, -1.0, 2.5, 0.5]))


@pytest.fixture(params=["files", "device"])
def versions(request: pytest.FixtureRequest, tmp_path) -> ShiftedVersions:
    if request.param == "device":
        return ShiftedVersions.on_device(4, 3, N_SAMPLES, torch.device("cpu"))
    kept = open_versions(tmp_path, 4, 3, N_SAMPLES)
    return ShiftedVersions(torch.from_numpy(kept.waveforms), torch.from_numpy(kept.scales), kept.is_kept)


def live(rows: np.ndarray, parameters: PitchShiftParameters) -> torch.Tensor:
    """The live result, rounded."""
    return dequantize(*quantize(PitchShift(SHIFTS, RATE).apply(CLIPS[rows], parameters)))


def test_first_and_later_times_equal_the_live_result_rounded_bit_for_bit(versions, monkeypatch: pytest.MonkeyPatch):
    transform = CachedPitchShift(SHIFTS, RATE, versions)
    expected = live(ROWS, PARAMETERS)
    assert torch.equal(transform.apply_to(CLIPS[ROWS], PARAMETERS, ClipFacts(ROWS)), expected)
    assert versions.is_kept.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 1, 0]]
    monkeypatch.setattr(PitchShift, "apply", None)  # nothing is shifted any more
    order = np.array([3, 1, 0, 2])
    again = transform.apply_to(CLIPS[ROWS[order]], PARAMETERS.take(order), ClipFacts(ROWS[order]))
    assert torch.equal(again, expected[order])


def test_what_is_missing_is_made_and_what_is_there_is_read(versions, monkeypatch: pytest.MonkeyPatch):
    transform = CachedPitchShift(SHIFTS, RATE, versions)
    transform.apply_to(CLIPS[:1], PARAMETERS.take([1]), ClipFacts(ROWS[1:2]))
    made = []
    shift = PitchShift.apply
    monkeypatch.setattr(PitchShift, "apply", lambda *arguments: made.append(len(arguments[1])) or shift(*arguments))
    found = transform.apply_to(CLIPS[ROWS], PARAMETERS, ClipFacts(ROWS))
    assert made == [3]
    assert torch.equal(found, live(ROWS, PARAMETERS))


def test_a_version_that_several_views_want_is_made_once(versions, monkeypatch: pytest.MonkeyPatch):
    made = []
    shift = PitchShift.apply
    monkeypatch.setattr(PitchShift, "apply", lambda *arguments: made.append(len(arguments[1])) or shift(*arguments))
    rows, parameters = np.array([2, 0, 2, 2]), PitchShiftParameters(np.array([0.5, 0.5, 2.5, 0.5]))
    found = CachedPitchShift(SHIFTS, RATE, versions).apply_to(CLIPS[rows], parameters, ClipFacts(rows))
    assert made == [3]
    assert torch.equal(found, live(rows, parameters))


def test_versions_of_another_number_of_shifts_are_refused(versions):
    with pytest.raises(ValueError, match="3 versions of each clip for 2 pitch shifts: give versions that were opened"):
        CachedPitchShift(SHIFTS[:2], RATE, versions)


def test_clips_that_are_not_known_or_not_clean_are_shifted_live(versions):
    transform = CachedPitchShift(SHIFTS, RATE, versions)
    plain = PitchShift(SHIFTS, RATE)
    assert torch.equal(transform.apply(CLIPS, PARAMETERS), plain.apply(CLIPS, PARAMETERS))
    keys = np.arange(4, dtype=np.uint64)
    after_gain, expected = Chain((Gain(), transform)), Chain((Gain(), plain))
    parameters = after_gain.draw(keys)
    found = after_gain.apply_to(CLIPS, parameters, ClipFacts(np.arange(4)))
    assert torch.equal(found, expected.apply(CLIPS, parameters))
    assert not versions.is_kept.any()


def test_each_clip_that_chose_the_shift_is_found_by_its_own_row(versions):
    choose = Choose((CachedPitchShift(SHIFTS, RATE, versions), Gain((0.0, 0.0))))
    keys = np.arange(16, dtype=np.uint64)
    parameters, rows = choose.draw(keys), np.arange(16) % 4
    assert 0 < (parameters.choice == 0).sum() < 16
    found = choose.apply_to(CLIPS[rows], parameters, ClipFacts(rows))
    for place in np.flatnonzero(parameters.choice == 0):
        one = np.array([place])
        assert torch.equal(found[one], live(rows[one], parameters.members[0].take(one)))


def test_draws_are_those_of_the_live_transform(versions):
    keys = np.arange(100, dtype=np.uint64)
    drawn = CachedPitchShift(SHIFTS, RATE, versions).draw(keys)
    assert drawn.to_json() == PitchShift(SHIFTS, RATE).draw(keys).to_json()
