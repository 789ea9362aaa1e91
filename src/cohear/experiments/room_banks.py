"""From `views.room_bank` to a bank of impulse responses; made-up rooms need none."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from cohear.data.bank_files import load_bank, save_bank
from cohear.data.measured_responses import read_responses, response_files
from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.simulated_rooms import simulated_bank, simulator_version
from cohear.errors import UserError, nearest
from cohear.experiments.config import MADE_UP, SIMULATED, Config
from cohear.runtime.cache import cache_folder
from cohear.runtime.files import explain_disk_errors
from cohear.runtime.locks import waiting_for

_VERSION = 1
"""Raised whenever a change of the code alters simulated rooms."""


def room_bank(config: Config) -> ResponseBank | None:
    """Load, read or simulate the responses that a configuration names; None for made-up rooms.

    Simulated rooms are kept in the cache folder, as they take minutes.

    Raises:
        UserError: where there is no such bank, it cannot be used, or it has another sample rate.
    """
    chosen, sample_rate = config.views.room_bank, config.data.sample_rate
    if chosen == MADE_UP:
        return None
    if chosen == SIMULATED:
        return _simulated(config.views.n_rooms, config.views.room_rt60_s, sample_rate, cache_folder())
    path = Path(chosen).expanduser()
    if not path.exists():
        raise UserError(
            f"views.room_bank is '{chosen}', and there is no such file or folder{nearest(chosen, (MADE_UP, SIMULATED))}"
            f"; use {MADE_UP}, {SIMULATED}, a saved bank or a folder of recorded responses"
        )
    # A file that was written anew since has another stamp and is read again.
    stamps = [(file.stat().st_mtime_ns, file.stat().st_size, str(file)) for file in _files(path)]
    bank = _from_disk(path, sample_rate, tuple(stamps))
    if bank.sample_rate != sample_rate:
        raise UserError(
            f"views.room_bank '{chosen}' was made for {bank.sample_rate} Hz, and data.sample_rate is {sample_rate}; "
            "use a bank of that rate, or the folder of recordings"
        )
    return bank


def room_bank_hash(config: Config) -> str | None:
    """Identify the responses that a configuration names; None for made-up rooms, which follow from the settings.

    Raises:
        UserError: as `room_bank`.
    """
    bank = room_bank(config)
    return None if bank is None else bank.hash()


def _files(path: Path) -> list[Path]:
    return response_files(path) if path.is_dir() else [path]


@lru_cache(maxsize=2)
def _from_disk(path: Path, sample_rate: int, _stamps: tuple[tuple[int, int, str], ...]) -> ResponseBank:
    return read_responses(path, sample_rate) if path.is_dir() else load_bank(path)


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
