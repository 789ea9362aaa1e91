"""Which command? Each command imports what it needs when it runs, so that help is instant."""

import inspect
import logging
import re
import sys
from collections import Counter
from functools import partial
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cohear.cli import streams
from cohear.cli.progress import SayHandler
from cohear.errors import UserError
from cohear.runtime.disk import is_gone
from cohear.runtime.files import keep_compiled_programs
from cohear.runtime.interrupts import Interrupted, leave_on_signals
from cohear.runtime.machine import is_out_of_memory

COMMANDS = {
    "demo": ("grids", "Try it on made-up sounds, without any data."),
    "check": ("check", "Say what is in labeled sounds, and what is wrong."),
    "train": ("train", "Train a classifier on labeled sounds."),
    "crossval": ("grids", "Train once per fold and average."),
    "reproduce": ("grids", "Measure the paper's table, figure or ablations."),
    "compare": ("show", "Compare finished runs: table, paired tests, page."),
    "report": ("show", "Write the page of runs anew."),
    "evaluate": ("show", "Judge runs: calibration, consistency, robustness."),
    "predict": ("predict", "Print what a classifier hears in recordings."),
    "search": ("search", "Find what sounds like a clip in recordings."),
    "pack": ("pack", "Pack a run into one file to pass on."),
    "export": ("pack", "Write a classifier as one ONNX file."),
    "listen": ("listen", "Open a page to hear views, and what it says of each."),
    "augment": ("augment", "Change a sound, to hear what transforms do."),
}
"""Each command: the module of this room that has a function of its name, and what the list of commands says of it."""

_typer = partial(typer.Typer, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


class _Command(TyperCommand):
    """Refuses an option of one value that is given twice, of which the last would win unsaid."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        for given, n in Counter(self.make_parser(ctx).parse_args([*args])[2]).items():
            option = cast("Any", given)
            if n > 1 and not (option.multiple or option.is_flag):
                raise UserError(
                    f"{option.opts[0]} is given {n} times, and takes one value; give the command once for each"
                )
        return super().parse_args(ctx, args)


class _Commands(TyperGroup):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make one of them; the help of its options is what its docstring says of its arguments."""
        if cmd_name not in COMMANDS:
            return None
        function = getattr(import_module(f"cohear.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        about, _, arguments = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")
        alone = _typer()
        alone.command(cmd_name, cls=_Command, help=about)(function)
        command = get_command(alone)
        told = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
        for parameter in command.params:
            if parameter.name in told:
                setattr(parameter, "help", " ".join(told[parameter.name].split()))  # noqa: B010  # only some have one
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List all, which needs none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])


app = _typer(name="cohear", cls=_Commands, no_args_is_help=True)


def _print_version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        print(f"cohear {version('cohear')}")
        raise typer.Exit
    return wanted


@app.callback()
def _about(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and leave.")
    ] = False,
) -> None:
    """Train sound classifiers that give the same answer however a sound is heard."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its status.

    0 is success, 2 an error of the user's in one sentence, 130 or 143 a run stopped by a signal and saved; anything
    else is a defect of ours and shows its traceback with status 1. What stderr does not take changes none of them.
    """
    streams.guard_streams()
    keep_compiled_programs()
    leave_on_signals()
    try:
        sys.exit(run(sys.argv[1:] if arguments is None else arguments))
    finally:
        if streams.output_is_refused():
            streams.discard_output()


def run(arguments: list[str]) -> int:
    """Run the command line in this process and return its status."""
    log = logging.getLogger("cohear")
    log.handlers = [SayHandler()]
    log.setLevel(logging.INFO)
    try:
        status = app(arguments, prog_name="cohear", standalone_mode=False)
        print(end="", flush=True)
        return status if isinstance(status, int) else 0
    except (SystemExit, BrokenPipeError) as error:  # typer makes the one of the other
        if streams.output_is_refused():
            streams.discard_output()  # the reader is gone, as in `cohear predict ... | head`
            return 0
        if isinstance(error.__context__, BrokenPipeError):  # another pipe, as that to a process of a grid
            raise error.__context__ from None
        raise
    except BaseException as error:
        status, sentence = _explain(error)
        if not sentence:
            raise
        print(sentence, file=sys.stderr)
        return status


def _explain(error: BaseException) -> tuple[int, str]:
    """Return the status and the sentence to leave with; no sentence for a defect of ours."""
    if isinstance(error, UserError):
        return 2, f"cohear: {error}"
    if isinstance(error, Interrupted):
        return error.exit_status, f"cohear: {error}"
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return 130, "cohear: stopped"
    if isinstance(error, OSError) and streams.output_is_refused():
        streams.discard_output()
        return 2, f"cohear: the output cannot be written ({error.strerror or error}); send it to another place"
    if isinstance(error, OSError) and is_gone(error):  # whatever was asked of it: it may go between any two questions
        place = f" at '{error.filename}'" if error.filename else ""
        return 2, f"cohear: the disk fails{place} ({error.strerror}); see to it, then give the same command again"
    if is_out_of_memory(error):
        remedy = "take a model of shorter clips (data.clip_s) or a smaller network"
        return 2, f"cohear: the memory ran out; close other programs, or {remedy}"
    if not hasattr(error, "format_message"):  # as all have that typer finds wrong with options and arguments
        return 1, ""
    message, context = getattr(error, "format_message")(), getattr(error, "ctx", None)  # noqa: B009
    if context is None or "\n" in message:  # the bare `cohear` gives its help
        return 2, message
    return 2, f"cohear: {message[:1].lower()}{message[1:].rstrip('.')}; see `{context.command_path} --help`"
