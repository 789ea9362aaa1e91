from pathlib import Path

import pytest
import torch

from cohear.data.datasets import read_dataset
from cohear.data.store import Store, StoreSettings, open_store
from cohear.experiments.config import Config
from cohear.experiments.pitch_cache import shifted_versions
from tiny import SAMPLE_RATE, write_tones

CPU = torch.device("cpu")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "tones", n_clips=1)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(table: Path, clip_s: float = 0.5) -> Store:
    return open_store(read_dataset(table), StoreSettings(SAMPLE_RATE, clip_s), table.parent / "store")


def configured(*semitones: float, pitch_cache: bool = True) -> Config:
    return Config.model_validate(
        {"data": {"pitch_cache": pitch_cache}, "views": {"pitch_semitones": semitones or (-1.0, 1.0)}}
    )


def n_folders(cache: Path) -> int:
    return len(list(cache.glob("pitch-*")))


def test_versions_have_room_for_every_clip_and_shift_and_are_found_again(table, cache):
    store = opened(table)
    versions = shifted_versions(configured(), store, CPU)
    assert versions is not None
    assert versions.waveforms.shape == (len(store), 2, store.n_samples)
    versions.is_kept[3, 1] = 1
    again = shifted_versions(configured(), store, CPU)
    assert again is not None
    assert again.is_kept.tolist() == versions.is_kept.tolist()
    assert n_folders(cache) == 1


def test_labels_and_folds_may_change(table, cache):
    shifted_versions(configured(), opened(table), CPU)
    table.write_text(table.read_text().replace(",tone0,1", ",hum,2"))
    shifted_versions(configured(), opened(table), CPU)
    assert n_folders(cache) == 1


def test_other_sounds_orders_shifts_and_numbers_of_threads_have_files_of_their_own(
    table, cache, monkeypatch: pytest.MonkeyPatch
):
    shifted_versions(configured(), opened(table), CPU)
    shifted_versions(configured(-1.0, 2.0), opened(table), CPU)
    assert n_folders(cache) == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    shifted_versions(configured(), opened(table), CPU)
    assert n_folders(cache) == 3
    shifted_versions(configured(), opened(table, clip_s=0.4), CPU)
    assert n_folders(cache) == 4
    head, first, *others = table.read_text().splitlines()
    table.write_text("\n".join([head, *others, first]))
    shifted_versions(configured(), opened(table), CPU)
    assert n_folders(cache) == 5


def test_nothing_is_kept_unless_it_is_asked_for(table, cache):
    assert shifted_versions(configured(pitch_cache=False), opened(table), CPU) is None
    assert n_folders(cache) == 0
