"""From a recipe to its augmentation, with the rooms and recordings that it names.

A bank of rooms is `simulated` (kept in the cache folder, as that takes minutes), a file that `save_bank` wrote, or a
folder of recorded responses. Recordings are a folder.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cohear.data.datasets import sound_files
from cohear.data.recordings import load_bank, read_recordings, read_responses, save_bank
from cohear.dsp.recordings import Recordings
from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.simulated_rooms import simulated_bank, simulator_version
from cohear.errors import UserError, nearest
from cohear.runtime.files import cache_folder, explain_disk_errors, waiting_for
from cohear.transforms import Reverb, Transform, parse_recipe

T = TypeVar("T")

SIMULATED = "simulated"
_VERSION = 1
"""Raised whenever a change of the code alters simulated rooms."""


def build_augmentation(recipe: str, sample_rate: int) -> Transform[Any] | None:
    """Make what a recipe says; None for `none`.

    Args:
        recipe: as `pitch,reverb(bank='my rooms/')`.
        sample_rate: Hz, of the clips.

    Raises:
        UserError: where the recipe makes no sense, does not suit the sample rate, or names sounds that cannot be read.
    """
    return parse_recipe(recipe).build(sample_rate, {ResponseBank: _room_bank, Recordings: _recordings})


def _room_bank(name: str, others: Mapping[str, Any], sample_rate: int) -> ResponseBank:
    unused = others.keys() & ({"seed"} if name == SIMULATED else {"n_rooms", "rt60_s", "seed"})
    if unused:
        raise UserError(f"reverb has the rooms '{name}', of which it cannot choose {sorted(unused)[0]}: leave that out")
    if name == SIMULATED:
        n_rooms, rt60_s = others.get("n_rooms", Reverb.n_rooms), others.get("rt60_s", Reverb.rt60_s)
        return _simulated(n_rooms, rt60_s, sample_rate, cache_folder())
    path = Path(name).expanduser()
    if not path.exists():
        raise UserError(
            f"reverb has bank='{name}', and there is no such file or folder{nearest(name, (SIMULATED,))}; use "
            f"{SIMULATED}, a saved bank or a folder of recorded responses"
        )
    if path.is_dir():
        return _on_disk(read_responses, path, sample_rate, _stamps(sound_files(path, "impulse responses")))
    bank = _on_disk(_load_bank, path, sample_rate, _stamps([path]))
    if bank.sample_rate != sample_rate:
        raise UserError(
            f"reverb has bank='{name}', made for {bank.sample_rate} Hz, and the clips have {sample_rate} Hz "
            "(data.sample_rate); use a bank of that rate, or the folder of recordings"
        )
    return bank


def _recordings(name: str, _others: Mapping[str, Any], sample_rate: int) -> Recordings:
    folder = Path(name).expanduser()
    return _on_disk(read_recordings, folder, sample_rate, _stamps(sound_files(folder, "recordings")))


_Stamps = tuple[tuple[int, int, str], ...]
"""A file that was written anew since has another one and is read again."""


def _stamps(files: list[Path]) -> _Stamps:
    return tuple((file.stat().st_mtime_ns, file.stat().st_size, str(file)) for file in files)


@lru_cache(maxsize=4)
def _on_disk(read: Callable[[Path, int], T], folder: Path, sample_rate: int, _stamps: _Stamps) -> T:
    return read(folder, sample_rate)


def _load_bank(path: Path, _sample_rate: int) -> ResponseBank:
    return load_bank(path)


@lru_cache(maxsize=2)
def _simulated(n: int, rt60_range: tuple[float, float], sample_rate: int, cache: Path) -> ResponseBank:
    made_of = json.dumps([_VERSION, simulator_version(), n, rt60_range, sample_rate])
    path = cache / "rooms" / f"{hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()}.safetensors"
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with waiting_for(Path(f"{path}.lock"), "is simulating these rooms"):
        try:
            return load_bank(path)
        except UserError:  # not there yet, or damaged
            bank = simulated_bank(n, rt60_range, sample_rate)
            save_bank(bank, path)
            return bank
