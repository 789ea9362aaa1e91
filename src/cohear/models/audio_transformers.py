"""Audio transformers of transformers: AST (Gong et al. 2021) and the audio half of CLAP (Wu et al. 2023).

What they are is told by a JSON text, so that a trained model can be made again where their folder is not; their weights
come from `cohear.models.pretrained`.
"""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError, in_one_line
from cohear.models.kaldi_log_mel import DB_PER_NEPER
from cohear.models.log_mel import POWER_FLOOR
from cohear.models.network import LogMelInput, Network, blocks_of, drawn_with

_MOST_LAYERS, _MOST = 100, 2**16
"""Of a transformer, and the largest number of another kind: a stranger's text takes no more."""


class AST(nn.Module):
    """The Audio Spectrogram Transformer, which hears the first seconds of a clip.

    Clips that are shorter than its input are filled as its own extractor does.

    Args:
        facts: of it, as `read_pretrained` found them.

    Raises:
        ValueError: where they are none of a network.
    """

    SETTINGS = frozenset({
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "patch_size",
        "qkv_bias", "frequency_stride", "time_stride", "max_length", "num_mel_bins", "layer_norm_eps",
        "hidden_dropout_prob", "attention_probs_dropout_prob",
    })  # fmt: skip
    """What of a `config.json` says how it computes."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__()
        from transformers import ASTConfig, ASTModel  # pyright: ignore[reportMissingImports]

        config = ASTConfig(**facts["settings"])
        self.trunk = ASTModel(config)
        self.mean, self.std, self.n_frames = float(facts["mean"]), float(facts["std"]), config.max_length
        if not (math.isfinite(self.mean) and 0 < self.std < math.inf):
            raise ValueError(f"mean and std are {self.mean} and {self.std}")
        self.n_features = config.hidden_size
        self.input = LogMelInput(config.num_mel_bins, 1, most_bands=config.num_mel_bins, most_frames=self.n_frames)

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return the mean of the class and the distillation token."""
        heard = inputs[..., : self.n_frames] / DB_PER_NEPER
        filled = nn.functional.pad(heard, (0, self.n_frames - heard.shape[-1]))
        return self.trunk(((filled - self.mean) / (2 * self.std)).mT).pooler_output

    def parameter_blocks(self) -> list[list[str]]:
        """Return the names of its parameters by layer; the norm after them belongs to the last."""
        trunk: Any = self.trunk
        *first, last = trunk.layers
        return blocks_of(self, [*([layer] for layer in first), [last, trunk.layernorm]])


class CLAP(nn.Module):
    """The audio half of CLAP, a Swin transformer, which hears the first seconds of a clip.

    Shorter clips are repeated as often as they fit, then comes silence. Its own extractor repeats waveforms instead of
    spectrograms, which is the same but for the seams, and continues them beyond their ends by their mirror image, where
    silence is here.

    Args:
        facts: of it, as `read_pretrained` found them.

    Raises:
        ValueError: where they are none of a network.
    """

    SETTINGS = frozenset({
        "window_size", "num_mel_bins", "spec_size", "hidden_act", "patch_size", "patch_stride", "hidden_size", "depths",
        "num_attention_heads", "num_hidden_layers", "patch_embed_input_channels", "patch_embeds_hidden_size",
        "hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate", "qkv_bias", "mlp_ratio",
        "flatten_patch_embeds", "enable_patch_layer_norm", "layer_norm_eps",
    })  # fmt: skip
    """What of a `config.json` says how it computes."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__()
        from transformers import ClapAudioConfig, ClapAudioModel  # pyright: ignore[reportMissingImports]

        config = ClapAudioConfig(**facts["settings"])
        self.trunk = ClapAudioModel(config)
        self.n_frames, self.n_features = int(facts["n_frames"]), config.hidden_size
        if not 1 < self.n_frames <= config.spec_size * (config.spec_size // config.num_mel_bins):
            raise ValueError(f"{self.n_frames} frames have no place in it")
        self.input = LogMelInput(config.num_mel_bins, 1, most_bands=config.num_mel_bins, most_frames=self.n_frames)

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return the mean over bands and frames."""
        heard = inputs[..., : self.n_frames]
        n_times = cast(int, (self.n_frames - 1) // torch.sym_max(1, heard.shape[-1] - 1))
        # Of n hops there are n + 1 frames, the last of which stands at the end of all.
        repeated = torch.cat((heard[..., :-1].repeat(1, 1, n_times), heard[..., -1:]), -1)
        silence_db = 10 * torch.tensor(POWER_FLOOR).log10().item()
        filled = nn.functional.pad(repeated, (0, self.n_frames - repeated.shape[-1]), value=silence_db)
        return self.trunk(input_features=filled.mT[:, None]).pooler_output

    def parameter_blocks(self) -> list[list[str]]:
        """Return the names of its parameters by block; what makes a picture smaller belongs to the block before it."""
        trunk, blocks = cast(Any, self.trunk), list[list[nn.Module]]()
        encoder = trunk.audio_encoder
        for stage in encoder.layers:
            blocks += [[block] for block in stage.blocks]
            blocks[-1] += [stage.downsample] if stage.downsample is not None else []
        blocks[-1].append(encoder.norm)
        return blocks_of(self, blocks)


KINDS: Mapping[str, type[AST] | type[CLAP]] = {"audio-spectrogram-transformer": AST, "clap_audio_model": CLAP}
"""By the name that transformers has for them."""


def build_transformer(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    """Make a transformer with drawn weights, of a configuration's `network` section.

    Raises:
        UserError: where transformers is not installed, or what is said of it cannot be made.
    """
    if argument or settings["architecture"] is None:
        raise UserError("the network 'transformers' is that of a folder: --set network.name=transformers:FOLDER")
    require_transformers()
    try:
        facts = json.loads(settings["architecture"])
        kind = KINDS[facts["kind"]]
        _check(facts["settings"], kind.SETTINGS)
        with quiet(), drawn_with(generator):
            network = kind(facts)
    except Exception as error:  # transformers refuses in ways of its own
        raise UserError(
            f"no transformer can be made of what its folder says ({in_one_line(str(error))[:200]}); fetch its "
            "config.json again"
        ) from error
    return network


def require_transformers() -> None:
    """Import transformers.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import transformers  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"audio transformers need packages that are not installed here ({error}): pip install "
            "'cohear[transformers]'"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what transformers says of classifiers that are left out, and its progress bars."""
    from transformers.utils import logging as theirs  # pyright: ignore[reportMissingImports]

    level, has_bar = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if has_bar:
            theirs.enable_progress_bar()


def _check(settings: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse names and numbers that only a stranger's text would hold."""
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"{name} is no part of it")
        values = value if isinstance(value, list) else [value]
        most = _MOST_LAYERS if name in ("num_hidden_layers", "depths") else _MOST
        if len(values) > _MOST_LAYERS or any(isinstance(v, int | float) and not 0 <= v <= most for v in values):
            raise ValueError(f"{name} is {str(value)[:80]}")
