"""Pretrained networks from a folder: what they are, what they hear, and their weights, from safetensors alone.

`transformers:FOLDER` is one of transformers, AST or CLAP; `timm:local-dir:FOLDER` one of timm. Nothing is fetched and
no code of the folder is run.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from cohear.errors import UserError, in_one_line
from cohear.models.network import NetworkWithHead
from cohear.runtime.files import parse_json, read_plain

TRANSFORMERS, TIMM = "transformers:", "timm:local-dir:"
_MAX_BYTES = 2**22


@dataclass(frozen=True)
class Pretrained:
    """A folder of weights that training begins with."""

    folder: Path
    name: str
    """Of the network, as `transformers` or `timm:resnet10t`."""
    architecture: str | None
    """JSON, from which it can be made without its folder; None where the name says all."""
    digest: str
    """Of the weights; hexadecimal."""
    hears: Mapping[str, Any] = field(default_factory=dict)
    """The settings that make what it hears, by dotted name; none where it is the preset's to choose."""

    def settings(self) -> dict[str, Any]:
        """Return the settings by which it is made, and those of what it hears, by dotted name."""
        of_network = {"name": self.name, "architecture": self.architecture, "folder": str(self.folder)}
        return {**{f"network.{name}": value for name, value in of_network.items()}, **self.hears}

    def begin(self, network: NetworkWithHead) -> None:
        """Give a network these weights.

        Raises:
            UserError: where they cannot be read, are damaged, or are of another network.
        """
        body: Any = network.body
        if _digest(self.folder) != self.digest:
            raise UserError(f"the weights in '{self.folder}' have just changed; give the same command again")
        named = _transformers_state if self.name == TRANSFORMERS[:-1] else _timm_state
        try:
            tensors = {name: tensor for file in _weight_files(self.folder) for name, tensor in load_file(file).items()}
            body.trunk.load_state_dict(named(self, body, tensors))
        except UserError:
            raise
        except Exception as error:  # what the libraries raise has no common class
            raise UserError(
                f"the weights in '{self.folder}' cannot be used ({in_one_line(str(error))[:200]}); get them anew"
            ) from error


def is_pretrained(name: str) -> bool:
    """Whether the name of a network is that of a folder."""
    return name.startswith((TRANSFORMERS, TIMM))


def read_pretrained(name: str) -> Pretrained:
    """Find out what a folder of weights is.

    Args:
        name: `transformers:FOLDER` or `timm:local-dir:FOLDER`.

    Raises:
        UserError: where there is none, it holds no safetensors, or another kind of network.
    """
    kind = TRANSFORMERS if name.startswith(TRANSFORMERS) else TIMM
    folder = Path(name.removeprefix(kind)).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(
            f"'{name.removeprefix(kind)}' is no folder; fetch a network first, as by `hf download NAME --local-dir "
            f"FOLDER`, and name that: {kind}FOLDER"
        )
    said = _read(folder, "config.json")
    digest = _digest(folder)
    if kind == TIMM:
        from cohear.models.timm_features import NOT_OF_A_NETWORK

        arguments = {n: value for n, value in (said.get("model_args") or {}).items() if n not in NOT_OF_A_NETWORK}
        architecture = json.dumps(arguments, sort_keys=True) if arguments else None
        return Pretrained(folder, f"timm:{said.get('architecture')}", architecture, digest)
    heard = _read(folder, "preprocessor_config.json", is_needed=False)
    read = {"audio-spectrogram-transformer": _read_ast, "clap": _read_clap}
    if said.get("model_type") not in read:
        raise UserError(
            f"'{folder}' is a network of the kind '{said.get('model_type')}', and not AST or CLAP; those can be used"
        )
    try:
        facts, hears = read[said["model_type"]](said, heard)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise UserError(
            f"what is said in '{folder}' of the network cannot be used ({error}); fetch it again"
        ) from error
    return Pretrained(folder, TRANSFORMERS[:-1], json.dumps(facts, sort_keys=True), digest, hears)


def _read_ast(said: Mapping[str, Any], heard: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an AST is, and the filter bank that it hears by; of its extractor's numbers the usual stand in."""
    from cohear.models.audio_transformers import AST

    settings = {name: value for name, value in said.items() if name in AST.SETTINGS}
    n_mels, rate = int(said.get("num_mel_bins", 128)), int(heard.get("sampling_rate", 16000))
    scaled = {"mean": heard.get("mean", -4.2677393), "std": heard.get("std", 4.5689974)}
    if heard.get("do_normalize") is False:
        scaled = {"mean": 0.0, "std": 0.5}
    window = {"n_fft": 25 * rate // 1000, "hop_length": 10 * rate // 1000, "n_mels": n_mels, "f_min": 20.0}
    return {"kind": said["model_type"], "settings": settings, **scaled}, _hears(rate, "kaldi", **window, f_max=None)


def _read_clap(said: Mapping[str, Any], heard: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the audio half of a CLAP is, and the spectrogram that it hears."""
    from cohear.models.audio_transformers import CLAP

    of_audio = said["audio_config"]
    settings = {name: value for name, value in of_audio.items() if name in CLAP.SETTINGS}
    if of_audio.get("enable_fusion") or heard.get("truncation") == "fusion":
        raise ValueError("it fuses parts of long clips; take one that does not, as clap-htsat-unfused")
    rate, hop_length = int(heard.get("sampling_rate", 48000)), int(heard.get("hop_length", 480))
    n_mels, side = int(of_audio.get("num_mel_bins", 64)), int(of_audio.get("spec_size", 256))
    n_frames = min(int(heard.get("nb_max_samples", 10 * rate)) // hop_length + 1, side * (side // n_mels))
    window = {"n_fft": int(heard.get("fft_window_size", 1024)), "hop_length": hop_length}
    bands = {"n_mels": n_mels, "f_min": float(heard.get("frequency_min", 50))}
    hears = _hears(rate, "slaney", **window, **bands, f_max=float(heard.get("frequency_max", 14000)))
    return {"kind": "clap_audio_model", "settings": settings, "n_frames": n_frames}, hears


def _hears(sample_rate: int, filters: str, **of_front_end: Any) -> dict[str, Any]:
    named = {f"front_end.{name}": value for name, value in {"filters": filters, **of_front_end}.items()}
    return {"data.sample_rate": sample_rate, **named}


def _transformers_state(of: Pretrained, body: Any, tensors: dict[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the weights of a transformer by their names in `body.trunk`; transformers knows those of older files."""
    from transformers import ASTModel, ClapAudioModelWithProjection  # pyright: ignore[reportMissingImports]

    from cohear.models.audio_transformers import CLAP, quiet

    is_clap = isinstance(body, CLAP)
    made: Any = ClapAudioModelWithProjection if is_clap else ASTModel
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith("audio_projection")}
    with quiet():  # it reads no file: neither a stranger's settings nor other weights
        loaded, told = made.from_pretrained(None, config=body.trunk.config, state_dict=own, output_loading_info=True)
    if missing := sorted(name for name in told["missing_keys"] if not name.startswith("audio_projection")):
        raise UserError(
            f"the weights in '{of.folder}' lack {missing[0]}; they are of another network, or not all there"
        )
    return (loaded.audio_model if is_clap else loaded).state_dict()


def _timm_state(of: Pretrained, body: Any, tensors: dict[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the weights of a network of timm by their names in `body.trunk`; colors are added up to gray."""
    from cohear.models.timm_features import import_timm

    if missing := sorted(body.trunk.state_dict().keys() - tensors.keys()):
        raise UserError(f"the weights in '{of.folder}' lack {missing[0]}; save them by a newer timm")
    how = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": tensors}, "in_chans": 1, "num_classes": 0}
    arguments = json.loads(of.architecture or "{}")
    return import_timm().create_model(of.name.removeprefix("timm:"), **{**arguments, **how}).state_dict()


def _weight_files(folder: Path) -> list[Path]:
    """Return the files in which the weights lie.

    Raises:
        UserError: where there are none as safetensors, or an index names others.
    """
    whole = folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    index = _read(folder, f"{whole.name}.index.json", is_needed=False).get("weight_map")
    names = sorted({str(name) for name in index.values()}) if isinstance(index, dict) else []
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise UserError(
            f"'{folder}' holds no weights in model.safetensors; other files, which may run code, are not opened"
        )
    return [folder / name for name in names]


def _digest(folder: Path) -> str:
    """Hash the weights.

    Raises:
        UserError: as `_weight_files`, and where one of them is not there.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in _weight_files(folder):
        try:
            with open(file, "rb") as opened:
                digest.update(hashlib.file_digest(opened, "blake2b").digest())
        except OSError as error:
            raise UserError(f"the weights '{file}' cannot be read ({error.strerror}); get them anew") from error
    return digest.hexdigest()


def _read(folder: Path, file: str, *, is_needed: bool = True) -> dict[str, Any]:
    try:
        values = parse_json(read_plain(folder / file, _MAX_BYTES))
        if not isinstance(values, dict):
            raise TypeError("it holds no object")
    except FileNotFoundError as error:
        if not is_needed:
            return {}
        raise UserError(f"'{folder}' holds no {file}, which says what network it is; fetch that, too") from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"'{folder / file}' cannot be read: {in_one_line(str(error))}") from error
    return values
