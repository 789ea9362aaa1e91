"""A classifier as one self-contained ONNX file, waveforms in and probabilities out, that answers as PyTorch does.

What the file says of itself, in its metadata, is the classifier's description, each field as JSON.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from cohear.data.audio_decoding import decode_segments, resample
from cohear.data.decoding import fit
from cohear.data.wording import counted
from cohear.errors import UserError, in_one_line
from cohear.inference.classifier import Classifier
from cohear.inference.recordings import run_dataset
from cohear.models.encoder import Encoder
from cohear.models.onnx_files import model_with_output
from cohear.objectives import LIKELIHOODS

OPSET = 20
"""Of ONNX's operations; the first with a Fourier transform of any length along any axis."""
INPUT = "waveforms"
"""Float32 `[batch, time]` at the classifier's sample rate, full scale is [-1, 1]."""
OUTPUTS = ("probabilities", "logits", "embeddings")
"""Float32 `[batch, label]`, the same before temperature and softmax or sigmoid, and `[batch, feature]`."""
MAX_DIFFERENCE = 1e-4
"""Of probabilities; what rounds differently stays far below, what computes differently does not."""

_MAX_CLIPS = 32
_BATCH_CLIPS = 8


def require_onnx() -> None:
    """Import what export needs.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"export needs packages that are not installed here ({error}): pip install 'cohear[onnx]'"
        ) from error


def to_onnx(classifier: Classifier) -> bytes:
    """Write a classifier as an ONNX model.

    Batch and length are free; waveforms shorter than the network takes are filled with zeros up to that.

    Raises:
        UserError: where the packages of the extra `onnx` are not installed, or the network has a part that ONNX has
            not.
    """
    require_onnx()
    classifier = classifier.to("cpu")
    front_end, name = classifier.front_end, classifier.about.network.name
    if isinstance(front_end, Encoder):
        model = _with_encoder(front_end, classifier)
    else:
        log_mel, most_frames = classifier.log_mel, classifier.network.body.input.most_frames
        n_samples = max(2 * classifier.n_samples, 3 * log_mel.n_fft)
        n_samples = n_samples if most_frames is None else min(n_samples, log_mel.least_samples(most_frames))
        model = _export(_Exported(classifier), {INPUT: torch.zeros(2, n_samples)}, OUTPUTS, name)
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        node.ClearField("metadata_props")  # places in the source, with the folders of whoever exports
        node.ClearField("doc_string")
    model.ClearField("metadata_props")
    facts = {**classifier.about.without_places().model_dump(mode="json"), "cohear_version": version("cohear")}
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    return model.SerializeToString()


def _export(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], name: str) -> Any:
    """Write a module as an ONNX model; of each input the first two axes are free.

    Args:
        module: to write.
        inputs: examples by name.
        outputs: names.
        name: of the network, for messages.

    Raises:
        UserError: where it has a part that ONNX has not.
    """
    auto = torch.export.Dim.AUTO  # what depends on what is found out
    free = {INPUT: {0: "batch", 1: "time"}, "heard": {0: auto}, "counted": {0: auto, 1: auto}}
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes=tuple(free[its] for its in inputs),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"the network '{name}' cannot be exported to ONNX ({reason}); use `cohear pack`") from error
    assert program is not None
    return program.model_proto


def _with_encoder(encoder: Encoder, classifier: Classifier) -> Any:
    """Put an encoder between what cuts windows and what makes probabilities of its embeddings.

    Raises:
        UserError: where the encoder cannot be joined to others.
    """
    from onnx import compose, version_converter

    if encoder.fixed_batch is not None:
        raise UserError(
            f"the encoder '{encoder.opened.name}' takes {counted(encoder.fixed_batch, 'window')} at once, and an "
            "exported model must take any number; use `cohear pack`"
        )
    facts, name = encoder.facts, classifier.about.network.name
    first = _export(_Windows(encoder), {INPUT: torch.zeros(2, 3 * facts.window + 1)}, ("windows", "counted"), name)
    heard = torch.from_numpy(encoder.ask(np.zeros((6, facts.window), np.float32)))
    last = _export(_Judged(encoder, classifier), {"heard": heard, "counted": torch.zeros(2, 3)}, OUTPUTS, name)
    try:
        middle = version_converter.convert_version(model_with_output(encoder.opened, facts.output), OPSET)
        middle = compose.add_prefix(middle, "encoder/")
        last = compose.add_prefix(last, "judged/", rename_inputs=False, rename_outputs=False)
        for model in (first, middle, last):
            model.ir_version = first.ir_version
            model.ClearField("metadata_props")
        joined = compose.merge_models(
            first, middle, [("windows", f"encoder/{facts.input}")], outputs=[f"encoder/{facts.output}", "counted"]
        )
        return compose.merge_models(
            joined, last, [(f"encoder/{facts.output}", "heard"), ("counted", "counted")], outputs=list(OUTPUTS)
        )
    except Exception as error:  # onnx raises what its parts raise
        raise UserError(
            f"the encoder '{encoder.opened.name}' cannot be put into an exported model "
            f"({in_one_line(str(error))[:200]}); use `cohear pack`"
        ) from error


class _Windows(nn.Module):
    """Cut waveforms into windows as `Encoder` does: `[batch * window, time]`, and zeros `[batch, window]`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.window, self.peak, self.rank = encoder.facts.window, encoder.facts.peak, encoder.rank

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        missing = cast(int, torch.sym_max(self.window - waveforms.shape[1], 0))
        n_samples = waveforms.shape[1] + missing
        padded = nn.functional.pad(waveforms, (0, missing))
        starts = (torch.arange((n_samples + self.window - 1) // self.window) * self.window).clamp(
            max=n_samples - self.window
        )
        windows = padded[:, starts[:, None] + torch.arange(self.window)]
        if self.peak is not None:
            windows = windows - windows.mean(-1, keepdim=True)
            loudest = windows.abs().amax(-1, keepdim=True)
            windows = windows * (self.peak / torch.where(loudest > 0, loudest, 1.0))
        flat = windows.flatten(0, 1)
        return flat[:, None] if self.rank == 3 else flat, torch.zeros_like(windows[:, :, 0])


class _Judged(nn.Module):
    """Make probabilities of what an encoder heard of windows, as many as `counted` has cells."""

    def __init__(self, encoder: Encoder, classifier: Classifier) -> None:
        super().__init__()
        self.pooling, self.network = encoder.pooling, classifier.network
        self.temperature = classifier.about.calibration.temperature
        self.likelihood = LIKELIHOODS[classifier.task.likelihood]

    def forward(self, heard: Tensor, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = heard.flatten(1, -2).mean(1) if heard.ndim > 2 else heard
        of_clips = features.reshape(counted.shape[0], counted.shape[1], features.shape[-1])
        pooled = of_clips.mean(1) if self.pooling == "mean" else of_clips.amax(1)
        embeddings = self.network.embed(pooled[..., None])
        logits = self.network.classify(embeddings)
        return self.likelihood.probabilities(logits / self.temperature), logits, embeddings


class _Exported(nn.Module):
    """All of a classifier in operations that ONNX has: real numbers, and no loop over clips as in `LogMel`."""

    filters: Tensor

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.front_end, self.network = classifier.log_mel, classifier.network
        self.temperature = classifier.about.calibration.temperature
        self.likelihood = LIKELIHOODS[classifier.task.likelihood]
        self.least_samples = self.front_end.least_samples(self.network.body.input.min_frames)
        self.register_buffer("filters", self.front_end.single_filters.mT.contiguous())

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embeddings = self.network.embed(self.log_mels(waveforms))
        logits = self.network.classify(embeddings)
        probabilities = self.likelihood.probabilities(logits / self.temperature)
        return probabilities, logits, embeddings

    def log_mels(self, waveforms: Tensor) -> Tensor:
        """Compute what `LogMel` does, and as it does in float64 up to the spectrum."""
        missing = cast(int, torch.sym_max(self.least_samples - waveforms.shape[1], 0))
        frames = self.front_end.frames(nn.functional.pad(waveforms, (0, missing)).double())
        frames = nn.functional.pad(frames, (0, self.front_end.fft_length - frames.shape[-1]))
        parts = torch.view_as_real(torch.fft.rfft(frames)).float()
        power = (parts * parts).sum(-1)
        return ((power @ self.filters).clamp(min=self.front_end.power_floor).log10() * 10.0).mT


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says of packages it does without, and of its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def check_sounds(path: Path, classifier: Classifier) -> tuple[Float32[np.ndarray, "batch time"], str]:
    """Find real clips that can be read, evenly spread over the data of a run; where there are none, make sounds up.

    Args:
        path: what the classifier was loaded from.
        classifier: its sample rate and clip length count.

    Returns:
        Waveforms as long as the classifier's clips, and what they are, as `32 clips of ESC-10`.
    """
    try:
        dataset = run_dataset(path)
    except UserError as error:
        return _made_up(classifier.n_samples, str(error))
    n_clips, waveforms, reason = len(dataset.clips), [], ""
    segments: dict[str, list[tuple[float | None, float | None]]] = {}
    for index in np.linspace(0, n_clips - 1, min(n_clips, _MAX_CLIPS)).round().astype(int):
        clip = dataset.clips[index]
        segments.setdefault(clip.path, []).append((clip.start_s, clip.end_s))
    for file, its in segments.items():
        for audio in decode_segments(dataset.root / file, its):
            if isinstance(audio, UserError):  # the run may have been trained without it (data.skip_bad)
                reason = str(audio)
                continue
            waveform = resample(audio.waveform, audio.sample_rate, classifier.sample_rate)
            waveforms.append(fit(waveform, classifier.n_samples, classifier.about.short))
    if not waveforms:
        return _made_up(classifier.n_samples, reason)
    return np.stack(waveforms), f"{counted(len(waveforms), 'clip')} of {dataset.name}"


def _made_up(n_samples: int, reason: str) -> tuple[Float32[np.ndarray, "batch time"], str]:
    """Make silence, a click, a full-scale tone alone and with soft noise, and noise loud and soft; say why."""
    click, noise = np.zeros(n_samples), np.random.default_rng(0).uniform(-1, 1, n_samples)
    click[n_samples // 2] = 1
    tone = np.sin(2 * np.pi * 0.1 * np.arange(n_samples))
    sounds = np.stack([np.zeros(n_samples), click, tone, tone / 2 + noise / 1000, noise, noise / 1000])
    description = f"{len(sounds)} made-up sounds (no clips of the run's data can be had: {reason})"
    return sounds.astype(np.float32), description


def compare(model: bytes, classifier: Classifier, waveforms: Float32[np.ndarray, "batch time"]) -> tuple[float, int]:
    """Run an exported model under onnxruntime on the CPU, and the classifier it was made of, on the same sounds.

    Args:
        model: of `to_onnx`.
        classifier: what it was made of.
        waveforms: at the classifier's sample rate, in [-1, 1].

    Returns:
        The largest difference between two probabilities of the same label for the same sound, NaN where one is no
        number; and the number of sounds of which both say the same likeliest label.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    differences, n_same = [], 0
    for batch in np.split(waveforms, np.arange(_BATCH_CLIPS, len(waveforms), _BATCH_CLIPS)):
        exported = np.asarray(session.run(["probabilities"], {"waveforms": batch})[0])
        expected = classifier.probabilities(batch)
        differences.append(np.abs(exported - expected).max())
        n_same += int((exported.argmax(1) == expected.argmax(1)).sum())
    return float(np.max(differences)), n_same
