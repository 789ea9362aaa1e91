"""Presets: complete configurations as functions, a variant changes a few fields of another.

Fewer epochs scale the paper's schedules: the ramp ends, and the learning rate has fallen as far, at the same share of
the training.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cohear.errors import UserError, nearest
from cohear.runs.config import SCHEDULES, Config, change, setting_values


def paper() -> Config:
    """Everything as in the paper."""
    return Config()


def quarter() -> Config:
    """The paper's method, batch, epochs and schedules at half the rate and bands and a quarter of the width."""
    changes = {"data.sample_rate": 22050, "front_end.n_mels": 64, "network.width": 1 / 4}
    return change(paper(), {"preset": "quarter", **changes, "training.precision": "auto", "views.kept": True})


def small() -> Config:
    """For people's own sounds on a CPU: what `quarter` hears, one transformed view at a time, in large steps at first.

    Chosen on validation clips of ESC-50 (docs/recipe.md).
    """
    changes = {"preset": "small", "views.n_transformed": 1, "training.batch_size": 48}
    steps = {"optimizer.schedule": "cosine", "optimizer.learning_rate": 4e-3, "optimizer.warmup_epochs": 10.0}
    return change(quarter(), {**changes, **steps})


def probe() -> Config:
    """What is trained on a frozen encoder: one linear layer, in large batches.

    Chosen on validation clips of ESC-50, heard by YAMNet (docs/encoders.md).
    """
    changes = {"preset": "probe", "network.name": "encoder", "encoder.pooling": "max", "training.batch_size": 240}
    changes |= {"optimizer.learning_rate": 2e-3, "objective.consistency_weight": 1.0}
    return scale_schedules(change(small(), changes), epochs=40)


def finetune() -> Config:
    """For pretrained networks from a folder: small steps, and smaller ones the nearer to the input.

    Usual rates, not chosen by any data: a cosine after a warm-up, and rates that fall by 0.75 from layer to layer (He
    et al. 2022, Masked Autoencoders Are Scalable Vision Learners, appendix A).
    """
    changes = {"preset": "finetune", "views.n_transformed": 1, "training.batch_size": 32, "training.precision": "auto"}
    steps = {"optimizer.schedule": "cosine", "optimizer.learning_rate": 2e-4, "optimizer.warmup_epochs": 10.0}
    changes |= {**steps, "optimizer.layer_decay": 0.75, "objective.consistency_weight": 1.0, "views.kept": True}
    return scale_schedules(change(paper(), changes), epochs=24)


def demo() -> Config:
    """For made-up sounds and little patience: `quarter` at 16 kHz, half its width, few epochs of large steps."""
    changes = {"data.sample_rate": 16000, "data.clip_s": 2.0, "network.width": 1 / 8, "training.batch_size": 24}
    return scale_schedules(change(quarter(), {"preset": "demo", **changes, "optimizer.learning_rate": 2e-3}), epochs=6)


OFFERED: dict[str, Callable[[], Config]] = {
    "paper": paper,
    "quarter": quarter,
    "small": small,
    "probe": probe,
    "finetune": finetune,
}
"""What people may choose."""
PRESETS: dict[str, Callable[[], Config]] = {**OFFERED, "demo": demo}
"""Every preset by its name, that of `cohear demo` too."""


def default_preset(chosen: Mapping[str, Any]) -> tuple[str, str]:
    """Return the preset that suits what was chosen and this machine, and why."""
    if chosen.get("encoder.file") is not None:
        return "probe", "since there is an encoder"
    if chosen.get("training.initial_run") is not None or ":" in str(chosen.get("network.name")):
        from cohear.models.pretrained import is_pretrained
        from cohear.runs.trained_model import hearing_of

        hears = hearing_of(chosen.get("training.initial_run"))
        if hears == "an encoder":
            return "probe", "since there is an encoder"
        if hears == "a pretrained network" or is_pretrained(str(chosen.get("network.name"))):
            return "finetune", "since the network is pretrained"
    import torch  # late, for the help of commands

    has_gpu = torch.cuda.is_available()
    return ("paper", "since there is a GPU") if has_gpu else ("small", "since there is no GPU")


def configure(
    chosen: Mapping[str, Any],
    preset: str = "paper",
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Config:
    """Make the configuration that somebody asks for.

    Args:
        chosen: values by dotted name, as options give them.
        preset: where to start.
        epochs: of the training, with every schedule scaled to them; None: the preset's.
        settings: values by dotted name that come after, as `--set` gives them.

    Raises:
        UserError: for an unknown name or a wrong value.
    """
    if preset not in PRESETS:
        raise UserError(f"there is no preset '{preset}'{nearest(preset, OFFERED)}; use {' or '.join(OFFERED)}")
    changes = {**chosen, **(settings or {})}
    if changes.get("method") == "none":
        changes.setdefault("views.transform", "none")
    config = PRESETS[preset]()
    if epochs is not None:
        change(config, {"training.epochs": epochs})  # refused in the words of the setting
        config = scale_schedules(config, epochs)
    return change(config, changes)


def scale_schedules(config: Config, epochs: int) -> Config:
    """Train for another number of epochs with ramp and decay stretched or squeezed to it."""
    factor, values = epochs / config.training.epochs, setting_values(config)
    return change(config, {"training.epochs": epochs, **{name: values[name] * factor for name in SCHEDULES}})
