"""Views that are made once: each clip's own, drawn without putting back, the same for every method and every start."""

import numpy as np
import pytest
import torch

from cohear import keys
from cohear.data.kept_log_mels import KeptLogMels
from cohear.kept_views import ViewPool
from cohear.models import LogMel
from cohear.transforms import ClipFacts, Gain
from cohear.views import ViewMaker, view_keys

RATE, N_CLIPS, N_VIEWS, SEED = 8000, 4, 3, 5
FRONT_END = LogMel(RATE, 256, 200, 16)
WAVEFORMS = 0.1 * torch.randn(N_CLIPS, RATE, generator=torch.Generator().manual_seed(0))
CLIP_KEYS = keys.fold_in(np.uint64(7), np.arange(N_CLIPS))
ROWS = np.arange(N_CLIPS)
FACTS = ClipFacts(ROWS, np.full(N_CLIPS, RATE))


@pytest.fixture
def pool(tmp_path):
    kept = KeptLogMels(tmp_path / "kept", 1 + N_VIEWS, (16, FRONT_END.n_frames(RATE)))
    return ViewPool(kept, ViewMaker(Gain(), FRONT_END), N_VIEWS, SEED)


def read(rows):
    return WAVEFORMS[rows]


def made() -> torch.Tensor:
    """Make the views of every clip, `[view, clip, band, frame]`, rounded to what is kept."""
    views = np.repeat(np.arange(1 + N_VIEWS)[:, None], N_CLIPS, axis=1)
    inputs = ViewMaker(Gain(), FRONT_END).make(WAVEFORMS, views, view_keys(SEED, 0, CLIP_KEYS, views), FACTS).inputs
    return (inputs * 100).round() / 100


def test_each_clip_has_its_own_views_whatever_was_there_before(pool):
    assert pool.missing(ROWS).tolist() == [0, 1, 2, 3]
    pool.make(ROWS[2:3], read, CLIP_KEYS[2:3], FACTS.take(ROWS[2:3]))
    assert pool.missing(ROWS).tolist() == [0, 1, 3]
    taken = pool.take(ROWS, read, CLIP_KEYS, FACTS)
    torch.testing.assert_close(taken, made(), atol=0.0051, rtol=0)
    assert pool.missing(ROWS).tolist() == []
    assert torch.equal(pool.take(ROWS, read, CLIP_KEYS, FACTS), taken)


def test_what_was_damaged_on_the_disk_is_made_again(pool):
    taken = pool.take(ROWS, read, CLIP_KEYS, FACTS)
    data = bytearray(pool.kept.path.read_bytes())
    data[100] ^= 1
    pool.kept.path.write_bytes(data)
    assert pool.missing(ROWS).tolist() == [0]
    assert torch.equal(pool.take(ROWS, read, CLIP_KEYS, FACTS), taken)


def draw(pool, views, epoch=0, rows=ROWS):
    return pool.draw(rows, np.array(views)[:, None].repeat(len(rows), 1), CLIP_KEYS[rows], seed=1, epoch=epoch)


def which(pool, inputs) -> np.ndarray:
    """Find which view of its clip each cell is."""
    every = pool.take(ROWS, read, CLIP_KEYS, FACTS)
    return np.array([[next(k for k in range(4) if torch.equal(cell, every[k, clip])) for clip, cell in enumerate(row)]
                     for row in inputs])  # fmt: skip


def test_an_epoch_draws_without_putting_back_and_epochs_draw_otherwise(pool):
    pool.take(ROWS, read, CLIP_KEYS, FACTS)
    epochs = [which(pool, draw(pool, [0, 1, 2, 3], epoch)) for epoch in range(12)]
    for drawn in epochs:
        assert (drawn[0] == 0).all()
        assert (np.sort(drawn[1:], axis=0) == np.array([[1], [2], [3]])).all()
    assert len({drawn.tobytes() for drawn in epochs}) > 6
    counts = np.bincount(np.stack(epochs)[:, 1].ravel(), minlength=4)[1:]
    assert counts.min() >= 6  # 16 each, on average


def test_a_view_is_the_same_beside_whatever_others_it_is_drawn(pool):
    pool.take(ROWS, read, CLIP_KEYS, FACTS)
    together = draw(pool, [0, 1, 2])
    assert torch.equal(draw(pool, [2])[0], together[2])
    assert torch.equal(draw(pool, [0, 1, 2], rows=ROWS[1:3]), together[:, 1:3])
    assert torch.equal(draw(pool, [4])[0], together[1])  # of more views than there are the first come again
