"""Windows of recordings that sound like a clip: the cosine between their embeddings, exact, over hours of sound.

The embeddings of a recording are made once and kept in the cache folder. A search reads them block by block, one
recording after the other, so memory does not grow with the hours.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from cohear.data.audio_decoding import decode
from cohear.data.audio_files import probe
from cohear.data.sounding import sounding
from cohear.errors import UserError
from cohear.inference.answers import Heard
from cohear.inference.classifier import Classifier, load
from cohear.inference.recordings import HeardFile
from cohear.inference.tables import keep_embeddings
from cohear.models import NetworkWithHead
from cohear.models.encoder import Encoder
from cohear.models.encoder_facts import read_facts
from cohear.models.onnx_files import open_file
from cohear.models.probe import Probe
from cohear.runs.config import ENCODER_FACTS, EncoderConfig, FrontEndConfig, NetworkConfig
from cohear.runs.description import Description
from cohear.runtime.files import cache_folder

_ROWS_AT_ONCE = 1 << 16
_TIMES = 4
"""Columns before the embedding: begin and end of the window, seconds."""


class Similar(NamedTuple):
    """A window of a recording."""

    path: Path
    start_s: float
    end_s: float
    similarity: float
    """Cosine to the most similar window of what is looked for, -1 to 1."""


def open_listener(path: Path) -> Classifier:
    """Open a run, a packed model or an encoder, of whose answers only the embeddings count.

    Raises:
        UserError: where it cannot be used.
    """
    if path.suffix.lower() != ".onnx":
        return load(path).fastest()
    facts = read_facts(path, {})
    encoder = Encoder(open_file(path), facts)
    network = NetworkWithHead(Probe(encoder.n_bands, normalize_input=False), 1).eval()
    about = Description(
        classes=("anything",),
        sample_rate=facts.sample_rate,
        clip_s=facts.window / facts.sample_rate,
        short="pad",
        front_end=FrontEndConfig(),
        encoder=EncoderConfig(file=str(path), **{name: getattr(facts, name) for name in ENCODER_FACTS}),
        network=NetworkConfig(name="encoder"),
    )
    return Classifier(about, encoder, network)


def find_similar(
    listener: Classifier,
    like: Sequence[Path],
    recordings: Sequence[HeardFile],
    n: int,
    hop_s: float | None = None,
    on_progress: Callable[[float, str], None] = lambda _share, _note: None,
    on_error: Callable[[UserError], None] = lambda _error: None,
) -> list[Similar]:
    """Find the windows of recordings that are most like a sound; of windows that overlap, the most similar one.

    Args:
        listener: from `open_listener`.
        like: sound files of what is looked for, at least one.
        recordings: where to look.
        n: windows.
        hop_s: seconds from the beginning of a window to that of the next; None: half a window.
        on_progress: called with the share done and the name of a recording.
        on_error: called with what cannot be heard; the rest is looked through all the same.

    Returns:
        The most similar first.

    Raises:
        UserError: where a file of `like` cannot be heard.
    """
    hop_s = listener.clip_s / 2 if hop_s is None else hop_s
    made_of, best = _identify(listener), list[Similar]()
    wanted = np.stack([embedding for path in like for embedding in _wanted(listener, path, hop_s)])
    for place, recording in enumerate(recordings):

        def on_share(share: float, place: int = place, name: str = recording.path.name) -> None:
            on_progress((place + share) / len(recordings), name)

        on_share(0.0)
        try:
            kept = _keep(listener, recording.path, hop_s, made_of, on_share)
        except UserError as error:
            on_error(error)
            continue
        best += _best_of(recording.path, kept, wanted, n)
        best = sorted(best, key=lambda one: -one.similarity)[:n]
    return best


def _wanted(listener: Classifier, path: Path, hop_s: float) -> list[Float32[np.ndarray, " feature"]]:
    """Embed the windows of a clip in which it sounds: its pauses are alike in every recording."""
    audio = decode(path)
    begin_s, end_s = sounding(audio.waveform, audio.sample_rate)
    windows = [*listener.listen(path, hop_s)]
    held_s = [min(heard.end_s, end_s) - max(heard.start_s, begin_s) for heard in windows]
    return [heard.embedding for heard, its in zip(windows, held_s, strict=True) if its >= max(held_s) / 2]


def _identify(listener: Classifier) -> str:
    """Hash all that decides what it makes of a window."""
    about, state = listener.about, listener.network.state_dict()
    versions = [version(name) for name in ("torch", *(["onnxruntime"] if about.encoder.file else []))]
    parts = [about.front_end.model_dump(), about.encoder.heard_by(), about.network.model_dump()]
    text = json.dumps([about.sample_rate, about.n_samples, about.short, versions, parts], sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(name for name in state if not name.startswith("head.")):
        digest.update(state[name].contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _keep(
    listener: Classifier, path: Path, hop_s: float, made_of: str, on_share: Callable[[float], None]
) -> np.ndarray:
    """Return begin, end and embedding of each window of a recording, `[window, 4 + feature]`, made now or before."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    named = json.dumps([made_of, hop_s, str(path.resolve()), stat.st_size, stat.st_mtime_ns]).encode()
    kept = cache_folder() / "embeddings" / f"{hashlib.blake2b(named, digest_size=16).hexdigest()}.npy"
    for _ in range(2):
        try:
            return np.lib.format.open_memmap(kept, mode="r")  # which reads no pickles
        except (OSError, ValueError, EOFError):  # it is not there, or not whole
            duration_s = probe(path).duration_s
            for heard in keep_embeddings(map(_with_times, listener.listen(path, hop_s)), kept):
                on_share(min(1.0, heard.end_s / duration_s) if duration_s else 0.0)
    raise UserError(f"the embeddings of {path} cannot be kept in '{kept.parent}'")


def _with_times(heard: Heard) -> Heard:
    """Put begin and end before the embedding, each as the two halves of a double."""
    times = np.array([heard.start_s, heard.end_s]).view(np.float32)
    return heard._replace(embedding=np.concatenate([times, heard.embedding]))


def _best_of(path: Path, kept: np.ndarray, wanted: Float32[np.ndarray, "wanted feature"], n: int) -> list[Similar]:
    """Return the most similar windows of a recording that do not overlap, the best of them first."""
    blocks = (kept[at : at + _ROWS_AT_ONCE, _TIMES:] for at in range(0, len(kept), _ROWS_AT_ONCE))
    similarity = np.concatenate([(_normalized(block) @ _normalized(wanted).T).max(axis=1) for block in blocks])
    times, best = np.ascontiguousarray(kept[:, :_TIMES]).view(np.float64), list[Similar]()
    for place in np.argsort(-similarity, kind="stable"):
        start_s, end_s = times[place]
        if len(best) == n:
            break
        if all(end_s <= other.start_s or start_s >= other.end_s for other in best):
            best.append(Similar(path, float(start_s), float(end_s), float(similarity[place])))
    return best


def _normalized(embeddings: Float[np.ndarray, "window feature"]) -> Float[np.ndarray, "window feature"]:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(lengths > 0, lengths, 1.0)
