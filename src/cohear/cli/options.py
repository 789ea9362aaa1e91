"""The options that commands share, and how they become a configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cohear.cli.progress import say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.experiments.config import Config

Data = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder with one sub-folder per class, a CSV/TSV/JSONL with path and label, label tracks "
        "beside recordings, or a folder laid out like ESC-50.",
    ),
]
Method = Annotated[str, typer.Option(help="none, standard, bda or consistency.")]
Transform = Annotated[
    str | None,
    typer.Option(help="pitch, reverb, masking or combination (none with --method none).", show_default="combination"),
]
Preset = Annotated[
    str | None,
    typer.Option(help="paper or small.", show_default="paper on a GPU, small on a CPU"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, as training.epochs=4; repeatable."),
]
ListSettings = Annotated[bool, typer.Option("--settings", help="List every setting with its value, and leave.")]
Sounds = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Where the sounds of a table lie, if not beneath its own folder; its paths are relative to DIR.",
        show_default=False,
    ),
]
Esc10 = Annotated[bool, typer.Option("--esc10", help="Use the ESC-10 part of ESC-50.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Train without files that cannot be used, and list them.")]
DropSmall = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Leave out classes with fewer than N clips.", show_default=False),
]
Validation = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=0.5,
        help="Part of the training clips kept back to fit the temperature and thresholds on; 0 for none.",
        show_default="0.15, and 0 where the data brings folds",
    ),
]
Balance = Annotated[
    str,
    typer.Option(
        metavar="none|weights|sampling",
        help="For classes of unequal size: weigh their loss, or draw each class equally often.",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Stop when the validation loss has not fallen for N epochs, and keep the best one.",
        show_default="never",
    ),
]
OnNonfinite = Annotated[
    str,
    typer.Option(
        metavar="stop|skip",
        help="What to do about a step whose loss or gradients are not finite: stop, or drop the step and count it; "
        "a stopped run goes on with skip.",
    ),
]
Background = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The label that means 'none of these'; annotated recordings lend their unlabeled parts to it.",
        show_default=False,
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="Begin with the weights of a finished run or packed model; new classes are allowed.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of weights, order and views.")]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Runs side by side, each with its share of the cores.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of the run folders.")]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="every|N|end",
        help="When accuracy and divergence of training and test clips are measured: after every epoch, every N-th, "
        "or at the end.",
        show_default=False,
    ),
]


def resolve(
    *,
    method: str,
    transform: str | None,
    preset: str | None,
    settings: list[str] | None,
    sounds: str | None,
    esc10: bool,
    skip_bad: bool,
    drop_small: int,
    seed: int,
    validation: float | None = None,
    balance: str = "none",
    patience: int | None = None,
    on_nonfinite: str = "stop",
    background: str | None = None,
    init: str | None = None,
    fold: str | None = None,
) -> "Config":
    """Make the configuration that the options ask for.

    Raises:
        UserError: for an unknown name or a wrong value.
    """
    from cohear.experiments.presets import change, parse_override
    from cohear.experiments.presets import preset as by_name

    if method == "none" and transform not in (None, "none"):
        raise UserError(
            f"method 'none' uses no transform, and --transform {transform} was given; leave one of them out"
        )
    if preset is None:
        preset = default_preset()
    changes = {
        "method": method,
        "views.transform": transform or ("none" if method == "none" else "combination"),
        "seed": seed,
        "data.sounds": sounds,
        "data.esc10": esc10,
        "data.skip_bad": skip_bad,
        "data.drop_small": drop_small,
        "data.validation_share": validation,
        "data.background": background,
        "training.initial_run": init,
        "training.balance": balance,
        "training.patience": patience,
        "training.on_nonfinite": on_nonfinite,
        **({} if fold is None else {"fold": fold}),
    }
    return change(by_name(preset), {**changes, **dict(parse_override(text) for text in settings or [])})


def require_data(data: Path | None, list_settings: bool) -> None:
    """Refuse a command that has nothing to work on.

    Raises:
        UserError: where DATA is missing, and the settings are not what is asked for.
    """
    if data is None and not list_settings:
        raise UserError("DATA is missing; give a folder of sounds or a table, such as my_sounds/")


def print_settings(config: "Config") -> None:
    """Print every setting as `--set` takes it."""
    from cohear.experiments.presets import setting_values

    for name, value in setting_values(config).items():
        print(f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}")


def set_names(settings: list[str] | None, own_options: dict[str, str]) -> set[str]:
    """Return the names of what `--set` sets.

    Args:
        settings: as typed.
        own_options: settings that the command takes from elsewhere, so that `--set` would change nothing.

    Raises:
        UserError: where one of them is set.
    """
    from cohear.experiments.presets import parse_override

    names = {parse_override(text)[0] for text in settings or []}
    for name, option in own_options.items():
        if name in names:
            raise UserError(f"--set {name} has no effect on this command; use {option}")
    return names


def default_preset() -> str:
    """Choose `paper` on a GPU and `small` on a CPU, and say so."""
    import torch

    if torch.cuda.is_available():
        say("preset paper, since there is a GPU (--preset small is quicker)")
        return "paper"
    say("preset small, since there is no GPU (--preset paper trains the full-size network)")
    return "small"


def check_track(track: str | None) -> str | None:
    """Return a `--track` that can be followed.

    Raises:
        UserError: for anything but `every`, `end` or a number of epochs.
    """
    if track in (None, "every", "end") or (track.isascii() and track.isdigit() and int(track) > 0):
        return track
    raise UserError(f"--track {track} is not known; use every, end, or a number of epochs such as 5")
