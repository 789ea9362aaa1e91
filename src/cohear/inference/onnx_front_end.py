"""The front end as an ONNX graph of real numbers: frames by position, the Fourier transform as a matrix product.

Complex numbers and the FFT are what runtimes support least. `LogMel` transforms in float64, and so does this graph:
in float32 the quiet bands of a loud frame would be wrong by tenths of a decibel.
"""

import math

import numpy as np

from cohear.inference.onnx_graph import Graph
from cohear.models import LogMel
from cohear.models.log_mel import POWER_FLOOR


def add_front_end(graph: Graph, front_end: LogMel, waveforms: str) -> str:
    """Add what turns waveforms into log-mel spectrograms.

    Args:
        graph: to add to.
        front_end: what is to be computed.
        waveforms: name of float32 `[batch, time]`.

    Returns:
        The name of float32 `[batch, band, frame]` in dB, `frame` = 1 + time // hop_length.
    """
    from onnx import TensorProto

    frames = graph.node("Cast", _add_frames(graph, front_end, waveforms), name="exact_frames", to=TensorProto.DOUBLE)
    powers = []
    for part, matrix in zip(("cosine", "sine"), _add_fourier_matrices(graph, front_end), strict=True):
        amplitude = graph.node("MatMul", frames, matrix, name=f"exact_{part}_part")
        amplitude = graph.node("Cast", amplitude, name=f"{part}_part", to=TensorProto.FLOAT)
        powers.append(graph.node("Mul", amplitude, amplitude, name=f"{part}_power"))
    power = graph.node("Add", *powers, name="power")
    filters = graph.constant("mel_filters", front_end.single_filters.numpy().T)
    mel_power = graph.node("MatMul", power, filters, name="mel_power")
    floored = graph.node("Max", mel_power, graph.constant("floor", np.float32(POWER_FLOOR)), name="floored_power")
    logarithm = graph.node("Log", floored, name="log_power")
    decibels = graph.node("Mul", logarithm, graph.constant("db", np.float32(10 / math.log(10))), name="decibels")
    return graph.node("Transpose", decibels, name="log_mel", perm=[0, 2, 1])


def _add_frames(graph: Graph, front_end: LogMel, waveforms: str) -> str:
    """Add `[batch, frame, n_fft]`: as many samples before a frame's center as after it, zeros beyond the clip."""
    n_fft, half = front_end.n_fft, front_end.n_fft // 2
    margins = graph.constant("margins", np.array([0, half, 0, n_fft - half]))
    padded = graph.node("Pad", waveforms, margins, name="padded_waveforms")
    n_samples = graph.node("Squeeze", graph.node("Shape", waveforms, name="length", start=1), name="n_samples")
    limit = graph.node("Add", n_samples, graph.constant("one", np.int64(1)), name="limit")
    first, step = graph.constant("first", np.int64(0)), graph.constant("hop_length", np.int64(front_end.hop_length))
    starts = graph.node("Range", first, limit, step, name="starts")
    starts = graph.node("Unsqueeze", starts, graph.constant("offset_axis", np.array([1])), name="starts_column")
    positions = graph.node("Add", starts, graph.constant("offsets", np.arange(n_fft)), name="positions")
    return graph.node("Gather", padded, positions, name="frames", axis=1)


def _add_fourier_matrices(graph: Graph, front_end: LogMel) -> tuple[str, str]:
    """Add the real and the imaginary part of the windowed transform, float64 `[n_fft, bin]`.

    The file keeps one period of cosine and sine and looks up the rest, else these matrices would outweigh a small
    network's parameters by far. Runtimes compute them once, when they load the file.
    """
    n_fft = front_end.n_fft
    turns = np.arange(n_fft) / n_fft
    samples = graph.constant("samples", np.arange(n_fft)[:, None])
    bins = graph.constant("bins", np.arange(1 + n_fft // 2)[None])
    products = graph.node("Mul", samples, bins, name="sample_times_bin")
    phases = graph.node("Mod", products, graph.constant("n_fft", np.int64(n_fft)), name="phases")
    window = graph.constant("window", front_end.window.numpy()[:, None])
    waves = {"cosine": np.cos(2 * np.pi * turns), "sine": np.sin(2 * np.pi * turns)}
    matrices = []
    for part, period in waves.items():
        wave = graph.node("Gather", graph.constant(f"{part}_period", period), phases, name=f"{part}_waves")
        matrices.append(graph.node("Mul", window, wave, name=f"{part}_matrix"))
    return matrices[0], matrices[1]
