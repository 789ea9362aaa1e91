"""What is fed to a reader: bytes under a name, of the committed corpus, or one of it with changes that break it."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from cohear.runs.config import NetworkConfig, change
from cohear.runs.identity import NUMERICS
from cohear.runs.presets import OFFERED
from cohear.runs.run import SCHEMA
from cohear.runtime.sealed_tensors import seal
from made_models import make_model

CORPUS = Path(__file__).parents[1] / "corpus"
REGRESSIONS = Path(__file__).parents[1] / "regressions"


@dataclass(frozen=True)
class Input:
    """A file that a reader is given."""

    name: str
    """Its end decides on the reader's way, as `.wav` or `.jsonl`; a slash makes a folder."""
    data: bytes


def files(folder: Path) -> list[Input]:
    """Return the files below a folder, sorted by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Input(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]


@cache
def corpus(reader: str) -> list[Input]:
    """Return the seeds of a reader: files that are kept, or what the code of today writes."""
    return files(CORPUS / reader) or [Input(name, data) for name, data in _written(reader).items()]


def _written(reader: str) -> dict[str, bytes]:
    network = NetworkConfig(width=1 / 128)
    models = (make_model(network=network), make_model(network=network, background=None, task="multi_label"))
    if reader == "packed":
        return {name: model.to_bytes() for name, model in zip(("frogs.cohear", "several.cohear"), models, strict=True)}
    if reader == "checkpoints":
        progress = {"epoch": 3, "step": 5, "history": [{"epoch": 0, "loss": 1.25, "divergence": None}]}
        empty = seal({"weight": np.zeros((2, 0), np.float32)}, {"epoch": 3, "step": 5})
        return {"whole.safetensors": seal(models[0].weights, progress), "empty.safetensors": empty}
    told = {"model": "Combination-CL", "identity": "0" * 16, "experiment": "1" * 16, "numerics": NUMERICS}
    told |= {"data_path": "sounds/pond.csv", "dataset": "pond", "data_fingerprint": "4" * 32, "track": "every"}
    told |= {"classes": ["frog", "Kröte"], "task": "single_label", "contents": {"views.transform": "2" * 32}}
    told |= {"schema": SCHEMA}
    configs = {name: change(make(), {"data.clip_s": 1.5}).model_dump(mode="json") for name, make in OFFERED.items()}
    runs = {f"{name}.json": {"config": config, **told} for name, config in configs.items()}
    return {
        **{name: json.dumps(values, indent=2).encode() for name, values in runs.items()},
        "numbers.set": b"training.epochs=4\noptimizer.learning_rate=1e-3\ndata.clip_s=None\nseed=7",
        "words.set": b"network.pooling=average\ndata.background=none of these\nfold=all\nviews.transform=pitch",
        "recipe.set": b"views.transform=noise(snr_db=0..20)+pitch(semitones=-1|1.5),reverb(n_rooms=9)\nseed=3",
    }


_NUMBERS = (
    *(0, 1, 2, 7, 8, 16, 32, 64, 127, 128, 255, 256, 257, 1023, 1024, 1025, 4095, 4096),
    *(2**15 - 1, 2**15, 2**16 - 2, 2**16 - 1, 2**16, 2**24 - 1, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 9, 2**32 - 1),
    *(2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
"""Where arithmetic on lengths goes wrong."""

_WORDS = (
    *(b"\x00", b"\n", b"\r\n", b"\t", b",", b";", b'"', b"'", b"\\", b"{", b"[", b"]", b"}", b":", b"=", b"-", b"."),
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"1e308", b"9" * 400, b"null", b"true", b'"\\ud800"'),
    *(b"../", b"/etc/passwd", b"..", b"C:\\", b"a" * 5000, b"[" * 2000, b'{"a":' * 2000, b"\x1b[2J"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", "\u202e\u2028e\u0301😀".encode()),
)
"""What texts stumble over."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[Input], *, in_front: int = 0, most: int = 4) -> Input:
    """Draw a seed with a few changes.

    Args:
        draw: hypothesis'.
        seeds: what may be drawn.
        in_front: bytes at the beginning that two changes in three leave alone, so that many are still of their kind.
        most: changes at most.
    """
    seed = draw(st.sampled_from(seeds))
    data = seed.data
    for _ in range(draw(st.integers(1, most))):
        skipped = in_front if draw(st.integers(0, 2)) else 0
        place = skipped + draw(st.integers(0, max(0, len(data) - 1 - skipped)))
        data = _changed(draw, data, place, seeds)[:65536]
    return Input(seed.name, data)


def drawn_number(draw: st.DrawFn) -> bytes:
    """Draw a number that arithmetic on lengths may not survive, as a file writes it."""
    code = draw(st.sampled_from(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q", "<d", ">d", "<f")))
    if code[1] in "df":
        return struct.pack(code, draw(st.sampled_from((0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 44100.0))))
    return struct.pack(code, draw(st.sampled_from(_NUMBERS)) % 2 ** (8 * struct.calcsize(code)))


def _changed(draw: st.DrawFn, data: bytes, place: int, seeds: Sequence[Input]) -> bytes:
    """Change something at a place: a bit, a number, some bytes; more of them, fewer, or those of another file."""
    n = draw(st.integers(1, 300))
    word = draw(st.one_of(st.sampled_from(_WORDS), st.binary(min_size=1, max_size=40)))
    head, tail, part = data[:place], data[place:], data[place : place + n]
    match draw(st.integers(0, 11)):
        case 0 | 1:
            return _put(data, place, bytes([(tail[:1] or b"\0")[0] ^ 1 << draw(st.integers(0, 7))]))
        case 2 | 3 | 4:
            return _put(data, place, drawn_number(draw))
        case 5:
            return head + word + tail
        case 6:
            return _put(data, place, word)
        case 7:
            return head
        case 8:
            return head + tail[n:]
        case 9:
            return head + part * draw(st.sampled_from((2, 3, 40))) + tail
        case 10:
            return _put(data, place, bytes([draw(st.sampled_from((0, 255)))]) * len(part))
        case _:
            other = draw(st.sampled_from(seeds)).data
            return head + other[draw(st.integers(0, len(other))) :]


def _put(data: bytes, place: int, part: bytes) -> bytes:
    return data[:place] + part + data[place + len(part) :]
