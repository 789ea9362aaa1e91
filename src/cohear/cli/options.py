"""Options of the command line that choose settings: made of the configuration's own fields."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from cohear.cli.progress import say
from cohear.errors import UserError
from cohear.runs.config import FIELDS, Config, check_track, parse_override, setting_of, setting_values, settings_where
from cohear.runs.presets import OFFERED, PRESETS, configure, default_preset

if TYPE_CHECKING:
    from cohear.runs.executors import Executor as Doer


def parse_budget_s(text: str) -> float:
    """Return the seconds of a time with its unit; a bare number could mean seconds or minutes and is refused.

    Raises:
        typer.BadParameter: for anything else.

    Example:
        >>> parse_budget_s("90s"), parse_budget_s("9m"), parse_budget_s("1.5h")
        (90.0, 540.0, 5400.0)
    """
    time = re.fullmatch(r"([0-9.]+)([smh])", text.strip())
    if time is None:
        raise typer.BadParameter(f"{text} is not a time; write it with its unit, as 90s, 9m or 1.5h")
    return float(time[1]) * {"s": 1, "m": 60, "h": 3600}[time[2]]


def parse_numbers(text: str) -> list[int]:
    """Read a list of whole numbers, each once.

    Raises:
        typer.BadParameter: where it is empty, or not of numbers.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise typer.BadParameter(f"'{text}' is not a list of numbers; write it as 1,2,3")
    return list(dict.fromkeys(map(int, words)))


def find_executor(name: str, slurm: list[str] | None) -> "str | Doer":
    """Find by whom work is done, from `--executor` and `--slurm`.

    Raises:
        UserError: where there is nobody of that name, or an option of SLURM is none.
    """
    from cohear.runs.grid import EXECUTORS

    _ = EXECUTORS[name]
    if not slurm:
        return name
    if name != "slurm":
        raise UserError("--slurm KEY=VALUE is for --executor slurm")
    pairs = [text.partition("=") for text in slurm]
    if wrong := [key for key, equals, _ in pairs if not key or not equals]:
        raise UserError(f"--slurm {wrong[0]} is no KEY=VALUE, as partition=gpu")
    from cohear.runs.slurm_executor import run_slurm

    return partial(run_slurm, options={key: value for key, _, value in pairs})


def written(suffix: str) -> Callable[[Path | None], Path | None]:
    """Return what refuses, before the work, a file that could not be written after it; `-` is no file.

    Args:
        suffix: in which its name must end.
    """

    def check(path: Path | None) -> Path | None:
        from cohear.runtime.files import check_writable

        if path is not None and str(path) != "-":
            if path.suffix.lower() != suffix:
                raise UserError(f"'{path}' cannot be written: its name must end in {suffix}, as in '{path}{suffix}'")
            if path.is_dir() or not path.parent.is_dir():
                wrong = "a folder stands there" if path.is_dir() else "its folder does not exist"
                raise UserError(f"'{path}' cannot be written: {wrong}; choose another name")
            check_writable(path.parent)
        return path

    return check


Data = Annotated[Path, typer.Argument(metavar="DATA")]
Run = Annotated[Path, typer.Argument(metavar="RUN")]
Jobs = Annotated[int | None, typer.Option(min=1, metavar="N")]
Executor = Annotated[str, typer.Option(metavar="NAME")]
Slurm = Annotated[list[str] | None, typer.Option("--slurm", metavar="KEY=VALUE")]
Out = Annotated[Path, typer.Option(metavar="DIR")]
_track = typer.Option(metavar="every|N|end", callback=check_track)
Track = Annotated[str, _track]
TrackOrNone = Annotated[str | None, _track]
Page = Annotated[Path, typer.Option(metavar="FILE", callback=written(".html"))]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", callback=written(".json"))]
Numbers = Annotated[Sequence[int] | None, typer.Option(metavar="N,N,...", parser=parse_numbers)]

CLIPS = settings_where(lambda setting: setting.option and setting.effect == "clips")
"""Settings by which a command chooses its clips."""
TRAINING = settings_where(lambda setting: setting.option)
"""Settings by which a command chooses how it trains."""


@dataclass(frozen=True)
class Asked:
    """What the options ask for."""

    config: Config
    chosen: frozenset[str]
    """Names of the settings that a person chose."""


def takes_settings(*names: str, elsewhere: Mapping[str, str] | None = None) -> Callable[..., Any]:
    """Give a command an option for each of some settings, `--preset`, `--epochs`, `--set` and `--settings`.

    The command receives what they ask for as `asked`, and its DATA for sure.

    Args:
        names: of settings, whose fields say the option, what is allowed and the help.
        elsewhere: settings that the command takes from elsewhere, and from which option; they get none here.
    """
    names = tuple(name for name in names if name not in (elsewhere or {}))

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(command).parameters)
        del own["asked"]
        needs_data = own["data"].default is inspect.Parameter.empty
        own["data"] = own["data"].replace(default=None)  # as settings can be listed without
        common = list(inspect.signature(_common).parameters.values())

        @wraps(command)
        def with_settings(**given: Any) -> None:
            chosen = {name: given.pop(_parameter(name)) for name in names}
            shared = {parameter.name: given.pop(parameter.name) for parameter in common}
            chosen = {name: value for name, value in chosen.items() if value is not None}
            asked = _resolve(chosen, shared, elsewhere or {})
            if shared["list_settings"]:
                for name, value in setting_values(asked.config).items():
                    print(f"{name}={value}")
                return
            if needs_data and given["data"] is None:
                raise UserError("DATA is missing; give a folder of sounds or a table, such as my_sounds/")
            command(asked=asked, **given)

        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own.values(), *map(_option, names), *common)
        ]
        with_settings.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # which typer reads
        with_settings.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        told = (inspect.getdoc(_common) or "").partition("Args:\n")[2]
        with_settings.__doc__ = f"{inspect.getdoc(command)}\n{told}"
        return with_settings

    return decorate


def _common(
    preset: Annotated[
        str | None, typer.Option(metavar="|".join(OFFERED), show_default="small, or paper on a GPU")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE")] = None,
    list_settings: Annotated[bool, typer.Option("--settings")] = False,
) -> None:
    """The options of every command that takes settings.

    Args:
        preset: The settings to begin with.
        epochs: Train for N epochs, with every schedule scaled to them.
        settings: Change any setting, as network.width=0.5; repeatable.
        list_settings: List every setting with its value, and leave.
    """


def _resolve(chosen: dict[str, Any], shared: dict[str, Any], elsewhere: Mapping[str, str]) -> Asked:
    overrides = dict(parse_override(text) for text in shared["settings"] or [])
    for name, option in {"preset": "--preset", **elsewhere}.items():
        if name in overrides:
            raise UserError(f"--set {name} has no effect on this command; use {option}")
    if chosen.get("method") == "none" and (transform := chosen.get("views.transform", "none")) != "none":
        raise UserError(f"method 'none' uses no transform; leave it or --transform {transform} out")
    preset = shared["preset"]
    if preset is None:
        preset, why = default_preset({**chosen, **overrides})
        say(f"preset {preset}, {why}; --preset chooses another")
    config = configure(chosen, preset, shared["epochs"], overrides)
    scheduled, n = shared["epochs"] or PRESETS[preset]().training.epochs, config.training.epochs
    if n != scheduled:
        say(f"training.epochs={n}, with schedules made for {scheduled}; --epochs {n} scales them")
    return Asked(config, frozenset({*chosen, *overrides}))


def _parameter(name: str) -> str:
    return name.replace(".", "_")


def _option(name: str) -> inspect.Parameter:
    """Make the option of a setting: what it is called, what it takes and what it says, all from its field."""
    field, setting = FIELDS[name], setting_of(name)
    assert setting.option
    assert field.description
    words = tuple(map(str, get_args(field.annotation))) if get_origin(field.annotation) is Literal else ()
    kind: Any = bool if field.annotation is bool else int if field.annotation is int else str
    option = typer.Option(
        setting.option,
        metavar=None if kind is bool else setting.metavar or ("|".join(words) if words else None),
        help=" ".join(field.description.split()),
        show_default=setting.unset or (str(field.default) if words else False),
    )
    return inspect.Parameter(
        _parameter(name), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
