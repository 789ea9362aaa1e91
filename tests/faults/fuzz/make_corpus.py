"""Make the seed corpus anew: small valid files of every kind that the five readers take.

cd tests && python -m faults.fuzz.make_corpus
"""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save

from cohear.evaluation.calibration import Calibration
from cohear.experiments.config import Config, NetworkConfig
from cohear.experiments.packed_description import Expectation
from cohear.experiments.packed_model import PackedModel
from cohear.experiments.presets import small
from cohear.experiments.run_folder import SCHEMA
from cohear.experiments.weight_shapes import weight_shapes
from cohear.training.checkpoint_files import checkpoint_bytes
from faults.fuzz.inputs import CORPUS
from made_models import DESCRIPTION, PROVENANCE

_SOUND_FILES = {
    "pcm16.wav": ("WAV", "PCM_16"),
    "pcm24.wav": ("WAV", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "mulaw.wav": ("WAV", "ULAW"),
    "ms-adpcm.wav": ("WAV", "MS_ADPCM"),
    "ima-adpcm.wav": ("WAV", "IMA_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "extensible.wav": ("WAVEX", "PCM_16"),
    "long.rf64": ("RF64", "PCM_16"),
    "long.w64": ("W64", "PCM_16"),
    "pcm16.aiff": ("AIFF", "PCM_16"),
    "ima.aifc": ("AIFF", "IMA_ADPCM"),
    "mulaw.au": ("AU", "ULAW"),
    "g721.au": ("AU", "G721_32"),
    "pcm16.caf": ("CAF", "PCM_16"),  # codespell:ignore caf
    "alac.caf": ("CAF", "ALAC_16"),  # codespell:ignore caf
    "pcm16.flac": ("FLAC", "PCM_16"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.opus": ("OGG", "OPUS"),
    "constant.mp3": ("MP3", "MPEG_LAYER_III"),
}
_MEDIA = {
    "aac.m4a": ("mp4", "aac"),
    "adts.aac": ("adts", "aac"),
    "wma.wma": ("asf", "wmav2"),
    "opus.webm": ("webm", "libopus"),
    "aac.mp4": ("mp4", "aac"),
}
_RATE = 8000


def _chirp(n_channels: int, rate: int = _RATE) -> np.ndarray:
    time_s = np.arange(round(0.12 * rate)) / rate
    chirp = 0.4 * np.sin(2 * np.pi * (300 + 4000 * time_s) * time_s)
    return np.stack([chirp * (1 - 0.5 * channel) for channel in range(n_channels)], axis=1).astype(np.float32)


def _audio() -> Iterator[tuple[str, bytes]]:
    for name, (container, subtype) in _SOUND_FILES.items():
        file = io.BytesIO()
        n_channels = 2 if name in ("pcm16.wav", "pcm16.flac", "vorbis.ogg") else 1
        soundfile.write(file, _chirp(n_channels), _RATE, subtype=subtype, format=container)
        yield name, file.getvalue()
    import av  # late: all other seeds can be made without the extra `media`

    for name, (container, codec) in _MEDIA.items():
        rate = 48000 if codec == "libopus" else 16000
        file = io.BytesIO()
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate)
            stream.layout, stream.bit_rate = "mono", 32000
            frame = av.AudioFrame.from_ndarray(_chirp(1, rate).T.copy(), format="fltp", layout="mono")
            frame.sample_rate = rate
            resampler = av.AudioResampler(stream.format, "mono", rate, stream.codec_context.frame_size or None)
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                out.mux(stream.encode(part))
        yield name, file.getvalue()


def _tables() -> Iterator[tuple[str, bytes]]:
    yield "clips.csv", b"path,label,fold,group,start,end\na.wav,frog,1,pond,0,1.5\nb.wav,toad,2,lake,,\n"
    yield "semicolons.csv", "\ufeffpath;label;fold\na.wav;Kröte;1\n./sub/c.wav;frog;2,0\n".encode()
    yield "several.csv", b'path,label\na.wav,"frog;toad"\nb.wav,frog\nsub/c.wav,\n'
    yield "quoted.csv", b'"path","label"\r\n"a.wav","a ""loud"" frog"\r\n"b.wav","two\r\nlines"\r\n'
    yield "tabs.tsv", b"path\tlabel\tnote\na.wav\tfrog\tnear\nb.wav\ttoad\t\n"
    yield (
        "lines.jsonl",
        b'{"path": "a.wav", "label": "frog", "fold": 1}\n{"path": "b.wav", "label": "toad", "start": 0.5, "end": 2}\n',
    )
    yield "lists.jsonl", b'{"path": "a.wav", "label": ["frog", "toad"]}\n\n{"path": "b.wav", "label": [], "group": 7}\n'
    yield (
        "meta/esc50.csv",
        b"filename,fold,target,category,esc10,src_file,take\n1-100-A-0.wav,1,0,dog,True,100,A\n"
        b"2-101-A-1.wav,2,1,rooster,False,101,A\n",
    )
    header = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tSpecies\tBegin File\n"
    yield (
        "a.Table.1.selections.txt",
        f"{header}1\tWaveform 1\t1\t0.5\t1.25\t200\tfrog\ta.wav\n2\tWaveform 1\t1\t2\t3\t\ttoad\tb.wav\n".encode(),
    )
    yield (
        "b.Table.1.selections.txt",
        b"Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\tBegin Path\tFile Offset (s)\n"
        b"1\t0.5\t1.25\tfrog\tC:\\pond\\a.wav\t0.25\n2\t5\t6\ttoad\tC:\\pond\\a.wav\t1\n",
    )
    yield "a.txt", b"0.500000\t1.250000\tfrog\n\\\t200.0\t900.0\n2,5\t3,5\ttoad\n"


def _configuration() -> Iterator[tuple[str, bytes]]:
    for name, config, more in (
        ("paper", Config(), {}),
        ("small", small(), {"multi_label": True, "rooms": "2" * 32, "initial_weights": "3" * 32}),
    ):
        values = {
            "config": config.model_dump(mode="json"),
            "model": "Combination-CL",
            "identity": "0" * 16,
            "experiment": "1" * 16,
            "numerics": 2,
            "data_path": "sounds/pond.csv",
            "dataset": "pond",
            "data_fingerprint": "4" * 32,
            "classes": ["frog", "Kröte"],
            "clip_s": 1.5,
            "track": "every",
            **more,
            "schema": SCHEMA,
        }
        yield f"{name}.json", json.dumps(values, indent=2, ensure_ascii=False).encode()
    yield "numbers.set", b"training.epochs=4\noptimizer.learning_rate=1e-3\ndata.clip_s=None\nseed=7"
    yield "words.set", b"network.pooling=average\ndata.background=none of these\nfold=all\nviews.transform=pitch"
    yield "lists.set", b"views.pitch_semitones=-2,-1,1,2\nviews.room_rt60_s=0.3,0.9\nviews.n_band_masks=0,3"


def _weights(network: NetworkConfig, n_classes: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        name: np.asarray(np.abs(random.standard_normal(shape)), dtype)
        for name, (shape, dtype) in weight_shapes(network, n_classes).items()
    }


def _packed() -> Iterator[tuple[str, bytes]]:
    expected = Expectation(accuracy=0.8, standard_error=0.02, n_runs=5, folds=(1, 2, 3, 4, 5), n_clips=40)
    untested = {"fold": "all", "n_test_clips": 0, "expected": expected}
    measured = ("accuracy", "accuracy_interval", "nll", "jsd", "false_alarms_per_hour")
    provenance = PROVENANCE.model_copy(update={**untested, **dict.fromkeys(measured)})
    description = DESCRIPTION.model_copy(
        update={"network": NetworkConfig(width=1 / 128), "provenance": provenance},
    )
    yield "frogs.cohear", PackedModel(description, _weights(description.network, 3), "# Frösche\n").to_bytes()
    plain = description.model_copy(
        update={
            "network": NetworkConfig(width=1 / 128, normalize_input=False),
            "calibration": Calibration(1.0, {}, 0.9, 0),
            "background": None,
            "multi_label": True,
        }
    )
    yield "several.cohear", PackedModel(plain, _weights(plain.network, 3), "").to_bytes()


def _checkpoints() -> Iterator[tuple[str, bytes]]:
    network = _weights(NetworkConfig(width=1 / 128), 3)
    optimizer = {f"optimizer.{n}.{part}": array for n, array in enumerate(network.values()) for part in ("exp_avg",)}
    progress = {
        "epoch": 3,
        "step": 5,
        "history": [{"epoch": 0, "loss": 1.25, "divergence": None}],
        "best": {"epoch": 2, "loss": 0.5},
    }
    yield "whole.safetensors", checkpoint_bytes(progress, {**network, **optimizer})
    yield "empty.safetensors", checkpoint_bytes({"epoch": 3, "step": 5}, {"weight": np.zeros((2, 0), np.float32)})
    yield "unsealed.safetensors", save({"weight": np.ones(3, np.float32)}, {"epoch": "3"})


MAKERS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "audio": _audio,
    "tables": _tables,
    "configuration": _configuration,
    "packed": _packed,
    "checkpoints": _checkpoints,
}
"""What makes names and contents of the seeds of each reader."""


def main() -> None:
    for reader, make in MAKERS.items():
        for name, data in make():
            path = Path(CORPUS, reader, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    main()
