"""What is kept is what would be made, to half a step of 0.01 dB, and the same bit for bit whatever was kept before."""

import errno
import os

import numpy as np
import pytest
import torch

from cohear import keys
from cohear.data.kept_log_mels import KeptLogMels, open_kept
from cohear.kept_views import hear, variants
from cohear.models import LogMel
from cohear.runtime import disk
from cohear.transforms import Chain, Choose, ClipFacts, Gain, PitchShift, Reverb, SpecAugment
from cohear.views import ViewMaker, view_keys
from every_transform import TRANSFORMS

RATE = 8000
PITCH = PitchShift(sample_rate=RATE)
REVERB = Reverb(n_rooms=4, sample_rate=RATE)
RECIPES = {
    "none": None,
    "pitch": PITCH,
    "masking": SpecAugment(),
    "combination": Choose((PITCH, REVERB)),
    "pitch+masking": Chain((PITCH, SpecAugment())),
    "gain+pitch": Chain((Gain(), PITCH)),
}
N_VARIANTS = {"none": 1, "pitch": 11, "masking": 1, "combination": 11, "pitch+masking": 11, "gain+pitch": 1}
FRONT_END = LogMel(RATE, 256, 200, 16)
CLIP_KEYS = keys.fold_in(np.uint64(7), np.arange(5))
FACTS = ClipFacts(np.arange(5), np.full(5, RATE))
WAVEFORMS = 0.1 * torch.randn(5, RATE, generator=torch.Generator().manual_seed(0))
SHAPE = (16, FRONT_END.n_frames(RATE))


@pytest.fixture(params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def heard(name: str, kept: KeptLogMels, epoch: int = 0) -> torch.Tensor:
    views = np.repeat([[0], [1], [2]] if RECIPES[name] else [[0]], 5, axis=1)
    cell_keys = view_keys(0, epoch, CLIP_KEYS, views)
    return hear(ViewMaker(RECIPES[name], FRONT_END), kept, lambda rows: WAVEFORMS[rows], views, cell_keys, FACTS)


def kept_at(path, name: str) -> KeptLogMels:
    return KeptLogMels(path, len(variants(ViewMaker(RECIPES[name], FRONT_END))), SHAPE)


def test_what_is_kept_is_what_would_be_made_to_half_a_step(name, tmp_path):
    views = np.repeat([[0], [1], [2]] if RECIPES[name] else [[0]], 5, axis=1)
    made = ViewMaker(RECIPES[name], FRONT_END).make(WAVEFORMS, views, view_keys(0, 0, CLIP_KEYS, views), FACTS).inputs
    kept = kept_at(tmp_path / "kept", name)
    assert kept.n_variants == N_VARIANTS[name]
    for _ in range(2):
        assert (heard(name, kept) - made).abs().max() < 0.0051
    assert 5 <= kept.n_there(np.arange(5), range(kept.n_variants)) <= 5 * kept.n_variants


def test_a_view_is_the_same_bit_for_bit_whatever_was_kept_before(name, tmp_path):
    nothing, path = KeptLogMels(None, N_VARIANTS[name], SHAPE), tmp_path / "kept"
    cold = [heard(name, kept_at(path, name), epoch) for epoch in range(3)]
    for epoch, views in enumerate(cold):
        assert torch.equal(views, heard(name, kept_at(path, name), epoch))
        assert torch.equal(views, heard(name, nothing, epoch))


def test_nothing_is_made_twice_in_a_batch(tmp_path):
    read: list[int] = []
    views = np.repeat([[0], [1], [2]], 5, axis=1)  # of masks all three are made of the clean clip

    def read_and_note(rows: np.ndarray) -> torch.Tensor:
        read.extend(rows)
        return WAVEFORMS[rows]

    masking = ViewMaker(SpecAugment(), FRONT_END)
    hear(masking, kept_at(tmp_path / "kept", "masking"), read_and_note, views, view_keys(0, 0, CLIP_KEYS, views), FACTS)
    assert sorted(read) == [0, 1, 2, 3, 4]


def test_what_is_damaged_is_made_anew(tmp_path):
    path = tmp_path / "kept"
    before = heard("pitch", kept_at(path, "pitch"))
    damaged = bytearray(path.read_bytes())
    damaged[40::50] = bytes(byte ^ 1 for byte in damaged[40::50])
    path.write_bytes(damaged[:-7])
    assert torch.equal(heard("pitch", kept_at(path, "pitch")), before)
    assert torch.equal(heard("pitch", kept_at(path, "pitch")), before)


def test_where_the_disk_takes_nothing_training_goes_on(tmp_path, monkeypatch, caplog):
    expected = heard("combination", kept_at(tmp_path / "kept", "combination"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "write_at", full)
    kept = kept_at(tmp_path / "other", "combination")
    assert torch.equal(heard("combination", kept), expected)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_nothing_is_kept_that_does_not_fit_and_other_clips_have_another_file(tmp_path):
    assert open_kept({"clips": "a"}, 10**9, 11, (128, 368), tmp_path).path is None
    (tmp_path / "file").touch()
    assert open_kept({"clips": "a"}, 5, 11, SHAPE, tmp_path / "file").path is None
    paths = {open_kept({"clips": its}, 5, 11, SHAPE, tmp_path).path for its in ("a", "b", "a")}
    assert len(paths - {None}) == 2


def test_steps_are_those_of_16_bits_at_most():
    log_mels = torch.tensor([-1000.0, -100.0, -0.004, 0.0, 12.345678, 1000.0])
    expected = torch.tensor([-327.68, -100.0, 0.0, 0.0, 12.35, 327.67])
    assert torch.equal(FRONT_END.from_kept(FRONT_END.to_kept(log_mels)), expected)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS.keys())
def test_every_transform_says_which_of_its_outcomes_was_drawn(transform):
    names = transform.variants_of(transform.draw(keys.fold_in(np.uint64(0), np.arange(50))))
    assert len(names) == 50
    assert {name for name in names if name is not None} <= {*transform.variants}
