"""Pretrained encoders: ONNX models from waveforms to embeddings, which stay as they are.

An encoder stands where the log-mel spectrogram stands otherwise. It hears windows of a fixed length; what it makes of
the windows of a clip is put together to one embedding.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor, nn

from cohear.errors import UserError, in_one_line
from cohear.models.network import Samples
from cohear.models.onnx_files import OpenModel, session_with_output
from cohear.tensors import on_device

Pooling = Literal["mean", "max"]

LONGEST_S = 600
"""Of a window."""
_LARGEST = float(np.finfo(np.float16).max)
_LARGEST_BATCH = 1024
_WINDOWS_AT_ONCE = 8
"""At most, by each thread: rounding may depend on it, so it does not depend on the number of threads."""


@dataclass(frozen=True)
class EncoderFacts:
    """What must be known to hear by an encoder."""

    sample_rate: int
    """Hz."""
    window: int
    """Samples that it hears at once."""
    n_features: int | None
    """Numbers that it gives; None: not known yet."""
    input: str
    """The name of what it takes: `[window]`, `[batch, window]` or `[batch, 1, window]`."""
    output: str
    """The name of the embedding: `[batch, feature]`, or with other axes between, over which is averaged."""
    peak: float | None
    """What the loudest sample of a window is scaled to, its mean being zero; None: windows are left as they are."""
    license: str | None
    """As the file says."""
    digest: str
    """Of the file; hexadecimal."""


class Encoder(nn.Module):
    """Hear clips by an encoder: one embedding of each, `[feature, 1]`.

    A clip is cut into windows that follow each other, the last of which ends with the clip; a clip that is shorter is
    filled with silence. It computes on the CPU, wherever its embeddings are wanted.

    Args:
        opened: the ONNX model.
        facts: of it.
        pooling: how the embeddings of a clip's windows become one: their mean, or their maximum.

    Raises:
        UserError: where it is not the one that the facts are of.
    """

    def __init__(self, opened: OpenModel, facts: EncoderFacts, pooling: Pooling = "mean") -> None:
        super().__init__()
        if opened.digest != facts.digest:
            raise other_file(opened.name)
        shapes = {one.name: one.shape for one in opened.session.get_inputs()}
        shape = shapes.get(facts.input, ())
        self.fixed_batch = 1 if len(shape) == 1 else shape[0] if shape and isinstance(shape[0], int) else None
        """How many windows it takes at once; None: any number."""
        if self.fixed_batch is not None and not 0 < self.fixed_batch <= _LARGEST_BATCH:
            raise UserError(f"the encoder '{opened.name}' takes {self.fixed_batch} windows at once; choose another")
        if not shape or not 0 < facts.window <= LONGEST_S * facts.sample_rate:
            raise UserError(
                f"what is said of the encoder '{opened.name}' does not fit it: it has the inputs "
                f"{', '.join(shapes)}, and a window has at most {LONGEST_S} s"
            )
        self.opened, self.facts = opened, facts
        self.pooling: Pooling = pooling
        self.sample_rate, self.device = facts.sample_rate, torch.device("cpu")
        self._session = session_with_output(opened, facts.output)
        self.rank = len(shape)
        """Axes of what it takes."""

    @property
    def n_bands(self) -> int:
        """Numbers of an embedding."""
        assert self.facts.n_features is not None
        return self.facts.n_features

    def n_frames(self, n_samples: Samples) -> Samples:
        """Return 1: a clip is one embedding, however long."""
        return n_samples * 0 + 1

    def least_samples(self, n_frames: int) -> int:
        """Return the length of a window."""
        return self.facts.window

    def to(self, device: torch.device | str) -> "Encoder":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Give embeddings on a device from now on."""
        self.device = torch.device(device)
        return self

    def __deepcopy__(self, _memo: object) -> "Encoder":
        return Encoder(self.opened, self.facts, self.pooling).to(self.device)

    @torch.no_grad()
    def forward(self, waveforms: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch band frame"]:
        """Return embeddings, `frame` = 1.

        Raises:
            UserError: where onnxruntime fails, or an embedding is not finite.
        """
        flat = waveforms.reshape(-1, waveforms.shape[-1]).float().cpu()
        window, n_samples = self.facts.window, flat.shape[1]
        flat = nn.functional.pad(flat, (0, max(0, window - n_samples)))
        starts = [*range(0, n_samples - window, window), max(0, n_samples - window)]
        windows = torch.stack([flat[:, start : start + window] for start in starts], 1)  # [signal, window, time]
        heard = torch.from_numpy(self.hear(windows.flatten(0, 1).numpy())).unflatten(0, windows.shape[:2])
        pooled = heard.mean(1) if self.pooling == "mean" else heard.amax(1)
        return pooled.reshape(*waveforms.shape[:-1], -1, 1).to(self.device)

    def hear(self, windows: Float[np.ndarray, "window time"]) -> Float[np.ndarray, "window feature"]:
        """Return the embeddings of windows.

        Raises:
            UserError: as `forward`.
        """
        if self.facts.peak is not None:
            windows = windows - windows.mean(axis=1, keepdims=True)
            loudest = np.abs(windows).max(axis=1, keepdims=True)
            windows = windows * (self.facts.peak / np.where(loudest > 0, loudest, 1.0))
        size = self.fixed_batch or _WINDOWS_AT_ONCE
        parts = [windows[at : at + size] for at in range(0, len(windows), size)]
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            answers = list(threads.map(self._features, parts))
        if len(widths := {its.shape[1] for its in answers}) > 1:
            raise UserError(f"the encoder '{self.opened.name}' gives now {min(widths)}, now {max(widths)} numbers")
        heard = np.concatenate(answers)
        if not np.isfinite(heard).all():
            raise UserError(f"the encoder '{self.opened.name}' answers with NaN or infinite numbers; use another")
        return heard

    def _features(self, windows: Float[np.ndarray, "window time"]) -> Float[np.ndarray, "window feature"]:
        """Return the embeddings of at most as many windows as it takes at once."""
        n = len(windows)
        if self.fixed_batch is not None:  # what it takes beyond them is silence
            windows = np.pad(windows, ((0, self.fixed_batch - n), (0, 0)))
        heard, facts = self.ask(windows), self.facts
        heard = heard[None] if self.rank == 1 else heard
        is_embedding = heard.dtype.kind == "f" and heard.ndim >= 2 and len(heard) == len(windows) and heard.size > 0
        if not is_embedding or facts.n_features not in (None, heard.shape[-1]):
            given, wanted = f"{heard.dtype} {list(heard.shape)}", f"{facts.n_features or 'some'} numbers of each"
            raise UserError(
                f"the encoder '{self.opened.name}' gives as '{facts.output}' {given} of {len(windows)} windows, and no "
                f"embedding of {wanted}; choose another output"
            )
        return heard.astype(np.float32).reshape(len(windows), -1, heard.shape[-1]).mean(axis=1)[:n]

    def ask(self, windows: Float[np.ndarray, "window time"]) -> np.ndarray:
        """Return what it gives for windows, as it gives it.

        Raises:
            UserError: where onnxruntime fails.
        """
        given = windows.astype(np.float32)
        given = {1: given[0], 2: given, 3: given[:, None]}[self.rank]
        try:
            return np.asarray(self._session.run([self.facts.output], {self.facts.input: given})[0])
        except Exception as error:  # onnxruntime's errors have no common class
            reason = in_one_line(str(error))[:200]
            raise UserError(f"the encoder '{self.opened.name}' fails: {reason}") from error

    def to_kept(self, inputs: Float[Tensor, "*axes"]) -> Int16[np.ndarray, "*axes"]:
        """Round to half precision.

        Raises:
            UserError: where a number is too large for it.
        """
        if inputs.numel() and float(inputs.abs().max()) > _LARGEST:
            raise UserError(f"the encoder '{self.opened.name}' gives numbers above {_LARGEST:g}, which cannot be kept")
        return inputs.half().cpu().numpy().view(np.int16)

    def from_kept(self, kept: Int16[np.ndarray, "*axes"]) -> Float[Tensor, "*axes"]:
        """Return embeddings, on the device."""
        return on_device(np.ascontiguousarray(kept).view(np.float16), self.device).float()


def other_file(name: str) -> UserError:
    """Say that an encoder is not the one that it was."""
    return UserError(
        f"the encoder '{name}' is another file than the one that was trained on; put that one back, or train anew, "
        "under another --out and without --init"
    )
