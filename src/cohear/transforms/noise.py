"""Noise: every clip with noise of its own, made up or recorded, at a signal-to-noise ratio of its own.

The made-up noise of a clip is a function of a key among its parameters, made on the device of the clip, so that it can
be replayed anywhere from 64 bits.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Shaped, UInt64
from torch import Tensor

from cohear.dsp.noise import AMPLITUDE_EXPONENTS, Color, colored_noise
from cohear.dsp.recordings import Recordings
from cohear.keys import fold_in, uniform
from cohear.tensors import Waveforms, keep_tensors
from cohear.transforms.contract import (
    Parameters,
    Transform,
    check_range,
    check_sample_rate,
    draw_between,
    exact,
    factors,
)


def add_at_snr(samples: Waveforms, noise: Waveforms, snr_db: Float[np.ndarray, " batch"]) -> Waveforms:
    """Add noise at a ratio of each clip's energy to that of what is added; silence stays silent.

    Args:
        samples: the clips, float32 or float64.
        noise: one row per clip, of any level; a silent row adds nothing.
        snr_db: 10 log10 of the ratio of the energies, over the whole clip.

    Example:
        >>> add_at_snr(torch.tensor([[1.0, -1.0]]), torch.tensor([[5.0, 5.0]]), np.array([20.0]))
        tensor([[ 1.1000, -0.9000]])
    """
    # Norms and not sums of squares: torch defines the gradient of a norm at zero, as zero.
    smallest = torch.finfo(samples.dtype).tiny
    shape = noise / torch.linalg.vector_norm(noise, dim=1, keepdim=True).clamp_min(smallest)
    levels = torch.linalg.vector_norm(samples, dim=1, keepdim=True) * factors(-snr_db, samples)
    return samples + shape * levels


@dataclass(frozen=True, eq=False)
class AddNoiseParameters(Parameters):
    """One ratio and one noise per clip."""

    snr_db: Float[np.ndarray, " batch"]
    """Energy of the clip over that of the noise, dB."""
    noise_key: UInt64[np.ndarray, " batch"]
    """What the noise is made from."""
    color: Shaped[np.ndarray, " batch"]
    """Name of the noise's color; that of the transform."""

    def describe(self) -> list[str]:
        """Say `noise at 12.3 dB SNR (pink)`."""
        return [f"noise at {snr:.1f} dB SNR ({color})" for snr, color in zip(self.snr_db, self.color, strict=True)]


@dataclass(frozen=True)
class AddNoise(Transform[AddNoiseParameters]):
    """Add Gaussian noise to each clip, its signal-to-noise ratio in dB uniform between two limits.

    Noise is made in float32 whatever the clips are, so that it is the same for all of them.
    """

    snr_db: tuple[float, float] = (5.0, 30.0)
    """Least and greatest ratio of the clip's energy to the noise's, dB."""
    color: Color = "white"
    """Power per Hz: "white" the same at all frequencies, "pink" as 1/f, "brown" as 1/f**2, both flat below 20 Hz."""
    sample_rate: int = 44100
    """Hz, > 0; says where 20 Hz is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("a signal-to-noise ratio", self.snr_db, "dB")
        if self.color not in AMPLITUDE_EXPONENTS:
            raise ValueError(f"color {self.color!r}: give 'white', 'pink' or 'brown'")
        check_sample_rate(self.sample_rate)

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> AddNoiseParameters:
        """Draw one ratio per key, and the key of one noise."""
        return AddNoiseParameters(
            snr_db=draw_between(keys, self.snr_db),
            noise_key=fold_in(keys, 0),
            color=np.full(len(keys), self.color),
        )

    def apply(self, batch: Waveforms, parameters: AddNoiseParameters) -> Waveforms:
        """Make the noise of each clip, bring it to its ratio and add it."""
        samples = exact(batch, parameters)
        noise = colored_noise(parameters.noise_key, batch.shape[1], self.color, self.sample_rate, batch.device)
        return add_at_snr(samples, noise.to(samples.dtype), parameters.snr_db).to(batch.dtype)


@dataclass(frozen=True, eq=False)
class AddRecordedNoiseParameters(Parameters):
    """One recording, place in it and ratio per clip."""

    recording: Int64[np.ndarray, " batch"]
    """Index of the recording."""
    start: Float[np.ndarray, " batch"]
    """Where the piece begins, share of the recording, in [0, 1)."""
    snr_db: Float[np.ndarray, " batch"]
    """Energy of the clip over that of the noise, dB."""

    def describe(self) -> list[str]:
        """Say `recording 12 from 34 % on at 12.3 dB SNR`."""
        rows = zip(self.recording, self.start, self.snr_db, strict=True)
        return [f"recording {number} from {100 * start:.0f} % on at {snr:.1f} dB SNR" for number, start, snr in rows]


@dataclass(frozen=True)
class AddRecordedNoise(Transform[AddRecordedNoiseParameters]):
    """Add a piece of a recording to each clip, all recordings and places in them equally probable.

    A recording that ends before the clip begins again. The ratio is that of the piece that is added: a soft piece is
    amplified, and only one that is wholly silent adds nothing.

    Raises:
        ValueError: if the ratios are impossible, or the recordings have another sample rate.
    """

    recordings: Recordings
    """`cohear.data.recordings.read_recordings` makes them from a folder."""
    snr_db: tuple[float, float] = (5.0, 30.0)
    """Least and greatest ratio of the clip's energy to the noise's, dB."""
    sample_rate: int = 44100
    """Hz, that of the clips and of the recordings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sample_rate(self.sample_rate, self.recordings.sample_rate)
        check_range("a signal-to-noise ratio", self.snr_db, "dB")

    def content_hash(self) -> str:
        """Identify the recordings."""
        return self.recordings.fingerprint

    def draw(self, keys: UInt64[np.ndarray, " batch"]) -> AddRecordedNoiseParameters:
        """Choose recording, place and ratio per key."""
        recording, start, ratio = uniform(keys, 3).T
        low, high = self.snr_db
        return AddRecordedNoiseParameters(
            recording=np.floor(recording * len(self.recordings)).astype(np.int64),
            start=start,
            snr_db=low + (high - low) * ratio,
        )

    def apply(self, batch: Waveforms, parameters: AddRecordedNoiseParameters) -> Waveforms:
        """Cut the piece for each clip, bring it to its ratio and add it."""
        samples = exact(batch, parameters)
        bank = _bank(self.recordings, batch.device)
        noise = samples.new_empty(samples.shape)
        for row, number, start in zip(noise, parameters.recording, parameters.start, strict=True):
            row.copy_(_piece(bank[number], int(start * len(bank[number])), len(row)))
        return add_at_snr(samples, noise, parameters.snr_db).to(batch.dtype)


def _piece(recording: Float32[Tensor, " _"], first: int, n: int) -> Float32[Tensor, " {n}"]:
    """Cut `n` samples from the first on, beginning again where the recording ends."""
    piece = recording[first : first + n]
    n_missing = n - len(piece)
    repeated = recording[:n_missing].repeat(-(-n_missing // len(recording)))
    return torch.cat((piece, repeated[:n_missing])) if n_missing else piece


@keep_tensors(maxsize=8)
def _bank(recordings: Recordings, device: torch.device) -> tuple[Float32[Tensor, " _"], ...]:
    """Bring recordings to a device, where they stay; on a CPU they are not copied."""
    with warnings.catch_warnings():
        # Of memory that is read-only: nothing here writes to it, and a copy would take hours of sound twice.
        warnings.simplefilter("ignore", UserWarning)
        return tuple(torch.from_numpy(waveform).to(device) for waveform in recordings.waveforms)
