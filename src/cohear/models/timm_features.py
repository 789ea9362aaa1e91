"""Convolutional networks for pictures from timm (PyTorch Image Models), which hear a spectrogram as one gray picture.

Their weights are drawn; those of a folder come from `cohear.models.pretrained`.
"""

import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cohear.errors import UserError, nearest
from cohear.models.network import LogMelInput, Network, drawn_with

NOT_OF_A_NETWORK = frozenset(
    ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "features_only")
) | {"out_indices", "scriptable", "exportable", "no_jit", "num_classes", "in_chans", "global_pool"}
"""Arguments of timm's builder that name files, or that are ours to choose."""
_SIDES = (16, 32, 64, 128)
"""Fewest bands and frames that are tried."""


class TimmFeatures(nn.Module):
    """A network of timm without its classifier.

    Args:
        trunk: maps `[signal 1 band frame]` to `[signal feature]`.
        normalize_input: whether a one-channel batch norm comes first, as in the VGG.

    Raises:
        ValueError: where the trunk takes pictures of one size only.
    """

    def __init__(self, trunk: nn.Module, normalize_input: bool) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1) if normalize_input else nn.Identity()
        self.trunk = trunk
        side, self.n_features = _try_sizes(trunk)
        self.input = LogMelInput(side, side)

    def embed(self, inputs: Float[Tensor, "signal band frame"]) -> Float[Tensor, "signal feature"]:
        """Return what the trunk pools over all bands and frames."""
        return self.trunk(self.input_norm(inputs[:, None]))

    def parameter_blocks(self) -> list[list[str]]:
        """Return the names of the parameters by block, as timm groups them for rates by layer; else all in one."""
        from timm.models import group_parameters  # pyright: ignore[reportMissingImports]

        trunk: Any = self.trunk
        if not hasattr(trunk, "group_matcher"):
            return [[f"trunk.{name}" for name, _ in trunk.named_parameters()]]
        by_layer = group_parameters(trunk, trunk.group_matcher(coarse=False))
        return [[f"trunk.{name}" for name in by_layer[layer]] for layer in sorted(by_layer)]


def build_timm(argument: str, settings: Mapping[str, Any], generator: torch.Generator | None) -> Network:
    """Make a network of timm with drawn weights.

    Args:
        argument: its name there, as `resnet10t`.
        settings: `global_pooling` and `normalize_input` count, and `architecture`, arguments of its builder as JSON.
        generator: its next number seeds the weights.

    Raises:
        UserError: where timm is not installed, has no such network, or it is not one for pictures of any size.
    """
    timm = import_timm()
    if not argument or not timm.is_model(argument):
        known = nearest(argument, timm.list_models())
        raise UserError(f"timm has no network '{argument}'{known}; name one of its list_models(), as 'timm:resnet10t'")
    pooling = {"average": "avg", "max": "max"}[settings["global_pooling"]]
    try:
        more = json.loads(settings.get("architecture") or "{}")
        if foreign := sorted(more.keys() & NOT_OF_A_NETWORK):
            raise ValueError(f"{foreign[0]} is no part of it")
        with drawn_with(generator):
            arguments = {**more, "in_chans": 1, "num_classes": 0, "global_pool": pooling}
            trunk = timm.create_model(argument, pretrained=False, **arguments)
        return TimmFeatures(trunk, settings["normalize_input"])
    except Exception as error:  # each of its networks has its own way to refuse
        raise UserError(
            f"timm's '{argument}' cannot hear spectrograms ({error}); choose another, as 'timm:resnet10t'"
        ) from error


@torch.no_grad()
def _try_sizes(trunk: nn.Module) -> tuple[int, int]:
    """Return the least side that a trunk takes, and how many features it gives."""
    device, reason = next(trunk.parameters()).device, ""
    trunk.eval()
    for side in _SIDES:
        try:
            # Half as long again: a network for squares alone is found out.
            features = trunk(torch.zeros(1, 1, side, side + side // 2, device=device))
        except (RuntimeError, AssertionError) as error:
            reason = str(error)
            continue
        trunk.train()
        if features.ndim != 2:
            raise ValueError(f"it gives {features.ndim - 1} axes of features")
        return side, features.shape[1]
    raise ValueError(reason)


def import_timm() -> Any:
    """Import timm.

    Raises:
        UserError: where it is not installed.
    """
    if "timm" in sys.modules:
        return sys.modules["timm"]
    try:
        import torchvision  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError, OSError):  # it is not there, or was built for another torch
        sys.modules.update({name: cast(ModuleType, _Empty(name, (), {})) for name in _TORCHVISION})
        try:
            return _import()
        finally:
            for name in _TORCHVISION:
                del sys.modules[name]
    return _import()


def _import() -> Any:
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"networks of timm need packages that are not installed here ({error}): pip install 'cohear[timm]'"
        ) from error
    return timm


# timm imports torchvision for pictures: reading, augmenting and downloading them, of which its networks use
# nothing. A torchvision that fits torch is often not to be had, so where it cannot be imported, something stands in for
# it while timm is imported: whatever is asked of it is an empty class. It is gone again afterwards, so that nobody else
# meets it.


_TORCHVISION = (
    *("torchvision", "torchvision.datasets", "torchvision.models.feature_extraction", "torchvision.ops.misc"),
    *("torchvision.transforms", "torchvision.transforms.functional"),
)
"""What timm imports of it."""


class _Empty(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Empty(name, (), {})
