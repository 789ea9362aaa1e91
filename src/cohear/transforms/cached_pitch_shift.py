"""Pitch shift from a list of shifts, each version of each clip computed once.

Shifts that come from a list make few versions of a clip: ten of each of ESC-50's 2000 clips are 8.8 GB in 16 bits.
A version is kept when it is first wanted; after that a shifted view costs reading it. What is kept is the live result,
rounded to 16 bits, and the first time gives the rounded one too, so that all times are equal.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int16, Int64, UInt8
from torch import Tensor

from cohear.dsp.quantization import dequantize, quantize
from cohear.tensors import Waveforms, on_device
from cohear.transforms.contract import ClipFacts
from cohear.transforms.pitch_shift import PitchShift, PitchShiftParameters


@dataclass(frozen=True, eq=False)
class ShiftedVersions:
    """The shifted versions of all clips of a data set, some of them made already.

    Tensors may share the memory of files, or live on a GPU.
    """

    waveforms: Int16[Tensor, "clip version time"]
    """A sample is its 16-bit value / 32768 * scale."""
    scales: Float32[Tensor, "clip version"]
    is_kept: UInt8[np.ndarray, "clip version"]
    """1 where the version has been made; on the host, so that asking does not wait for a device."""

    @classmethod
    def on_device(cls, n_clips: int, n_versions: int, n_samples: int, device: torch.device) -> "ShiftedVersions":
        """Make room on a device."""
        return cls(
            torch.empty(n_clips, n_versions, n_samples, dtype=torch.int16, device=device),
            torch.empty(n_clips, n_versions, device=device),
            np.zeros((n_clips, n_versions), np.uint8),
        )

    def keep(self, clips: Int64[np.ndarray, " n"], versions: Int64[np.ndarray, " n"], waveforms: Waveforms) -> None:
        """Keep versions, rounded."""
        steps, scales = quantize(waveforms)
        cells = self._cells(clips, versions)
        self.waveforms[cells] = steps.to(self.waveforms.device)
        self.scales[cells] = scales.to(self.scales.device)
        self.is_kept[clips, versions] = 1

    def read(self, clips: Int64[np.ndarray, " n"], versions: Int64[np.ndarray, " n"]) -> Float32[Tensor, "n time"]:
        """Return versions that are kept."""
        cells = self._cells(clips, versions)
        return dequantize(self.waveforms[cells], self.scales[cells])

    def _cells(self, clips: np.ndarray, versions: np.ndarray) -> tuple[Tensor, Tensor]:
        return on_device(clips, self.scales.device), on_device(versions, self.scales.device)


@dataclass(frozen=True)
class CachedPitchShift(PitchShift):
    """Shift each clip by one of some numbers of semitones; versions of known clean clips are made once.

    Clips that are not known, or no longer clean, are shifted live, unrounded.
    """

    versions: ShiftedVersions | None = None
    """Column i holds the shift `semitones[i]`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        n_columns = len(self.semitones) if self.versions is None else self.versions.is_kept.shape[1]
        if n_columns != len(self.semitones):
            raise ValueError(
                f"{n_columns} versions of each clip for {len(self.semitones)} pitch shifts: give versions that were "
                "opened for these shifts"
            )

    def apply_to(self, batch: Waveforms, parameters: PitchShiftParameters, facts: ClipFacts) -> Waveforms:
        """Read what is kept and make what is not; the gradient does not reach the batch."""
        if facts.rows is None or self.versions is None:
            return self.apply(batch, parameters)
        columns = np.array([self.semitones.index(shift) for shift in parameters.semitones], np.int64)
        missing = np.flatnonzero(self.versions.is_kept[facts.rows, columns] == 0)
        if len(missing):
            cells = facts.rows[missing] * len(self.semitones) + columns[missing]
            missing = missing[np.unique(cells, return_index=True)[1]]  # two views may want the same version
            with torch.no_grad():
                made = self.apply(batch[on_device(missing, batch.device)], parameters.take(missing))
            self.versions.keep(facts.rows[missing], columns[missing], made)
        return self.versions.read(facts.rows, columns).to(batch.device, batch.dtype)
