"""Where the shifted versions of a data set's clips are kept: on the GPU if they fit, else in files."""

import functools
import hashlib
import json

import torch

from cohear.data.kept_versions import open_versions
from cohear.data.store import Store
from cohear.experiments.config import Config
from cohear.experiments.identity import NUMERICS
from cohear.runtime.cache import cache_folder
from cohear.runtime.files import explain_disk_errors
from cohear.transforms.cached_pitch_shift import ShiftedVersions

_GPU_SHARE = 0.5
"""Of a GPU's free memory that versions may take; the rest is for training."""


def shifted_versions(config: Config, store: Store, device: torch.device) -> ShiftedVersions | None:
    """Open or make room for the versions, where the configuration wants them kept; else None.

    Files are known by the sounds, the shifts and all that moves the last bits of a live result, since they hold live
    results: the numerics, the version of torch, its number of threads. Labels and folds may change.

    Args:
        config: resolved.
        store: the clips.
        device: where views are made.

    Raises:
        UserError: where the files cannot be written.
    """
    if not config.data.pitch_cache:
        return None
    if device.type == "cuda":
        resident = _resident_versions(store, config.views.pitch_semitones, device)
        if resident is not None:
            return resident
    versions = [NUMERICS, torch.__version__, torch.get_num_threads(), device.type]
    made_of = [store.contents, config.views.pitch_semitones, *versions]
    name = hashlib.blake2b(json.dumps(made_of).encode(), digest_size=16).hexdigest()
    folder = cache_folder() / f"pitch-{name}"
    with explain_disk_errors(folder):
        kept = open_versions(folder, len(store), len(config.views.pitch_semitones), store.n_samples)
    return ShiftedVersions(torch.from_numpy(kept.waveforms), torch.from_numpy(kept.scales), kept.is_kept)


@functools.lru_cache(maxsize=1)
def _resident_versions(store: Store, semitones: tuple[float, ...], device: torch.device) -> ShiftedVersions | None:
    """Make room on a GPU, where versions stay for the runs that follow in this process; None where they do not fit."""
    free_bytes, _ = torch.cuda.mem_get_info(device)
    if 2 * len(store) * len(semitones) * store.n_samples >= _GPU_SHARE * free_bytes:
        return None
    return ShiftedVersions.on_device(len(store), len(semitones), store.n_samples, device)
