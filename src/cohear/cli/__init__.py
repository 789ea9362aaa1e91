"""Which command? Each command imports what it needs when it runs, so that help is instant."""

import logging
import sys
from typing import Annotated, Any

import typer

from cohear.cli import (
    augment,
    bench,
    check,
    crossval,
    demo,
    evaluate,
    export,
    listen,
    pack,
    predict,
    reproduce,
    show,
    streams,
    train,
)
from cohear.cli.progress import SayHandler
from cohear.errors import UserError
from cohear.runtime.cache import keep_compiled_programs
from cohear.runtime.disk import is_gone
from cohear.runtime.free_memory import is_out_of_memory
from cohear.runtime.interrupts import Interrupted, leave_on_signals

app = typer.Typer(
    name="cohear",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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


app.command("demo", short_help="Try it on made-up sounds, without any data.")(demo.demo)
app.command("check", short_help="Say what is in labeled sounds, and what is wrong.")(check.check)
app.command("train", short_help="Train a classifier on labeled sounds.")(train.train)
app.command("crossval", short_help="Train once per fold and average.")(crossval.crossval)
app.command("reproduce", short_help="Measure the paper's table, figure or ablations.")(reproduce.reproduce)
app.command("compare", short_help="Compare finished runs: table, paired tests, page.")(show.compare)
app.command("report", short_help="Write the page of runs anew.")(show.report)
app.command("evaluate", short_help="Judge runs: calibration, consistency, robustness.")(evaluate.evaluate)
app.command("predict", short_help="Print what a classifier hears in recordings.")(predict.predict)
app.command("pack", short_help="Pack a run into one file to pass on.")(pack.pack)
app.command("export", short_help="Write a classifier as one ONNX file.")(export.export)
app.command("listen", short_help="Open a page to hear views, and what it says of each.")(listen.listen)
app.command("augment", short_help="Change a sound, to hear what transforms do.")(augment.augment)
app.command("bench", short_help="Measure speed and accuracy on this machine.")(bench.bench)


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
    log.handlers, log.level = [SayHandler()], logging.INFO
    try:
        status = app(arguments, prog_name="cohear", standalone_mode=False)
        print(end="", flush=True)
        return status if isinstance(status, int) else 0
    except UserError as error:
        print(f"cohear: {error}", file=sys.stderr)
        return 2
    except Interrupted as stopped:
        print(f"cohear: {stopped}", file=sys.stderr)
        return stopped.exit_status
    except (KeyboardInterrupt, typer.Abort):
        print("cohear: stopped", file=sys.stderr)
        return 130
    except (SystemExit, BrokenPipeError) as error:  # typer makes the one of the other
        if not streams.output_is_refused():  # another pipe broke, as that to a process of a grid
            if isinstance(error.__context__, BrokenPipeError):
                raise error.__context__ from None
            raise
        streams.discard_output()  # the reader is gone, as in `cohear predict ... | head`
        return 0
    except OSError as error:
        reason = error.strerror or error
        if streams.output_is_refused():
            streams.discard_output()
            sentence = f"the output cannot be written ({reason}); send it to another place"
        elif is_gone(error):  # whatever was asked of it: the disk may go away between any two questions
            place = f" at '{error.filename}'" if error.filename else ""
            sentence = f"the disk fails{place} ({reason}); see to it, then give the same command again"
        else:
            raise
        print(f"cohear: {sentence}", file=sys.stderr)
        return 2
    except Exception as error:
        if is_out_of_memory(error):
            print(f"cohear: {_OUT_OF_MEMORY}", file=sys.stderr)
            return 2
        if not hasattr(error, "format_message"):
            raise
        print(_word_misuse(error), file=sys.stderr)
        return 2


_OUT_OF_MEMORY = (
    "the memory ran out; close other programs, or take a model of shorter clips (data.clip_s) or fewer feature maps "
    "(network.width)"
)


_PLAIN_WORDS = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be": "it must be",
}


def _word_misuse(error: Any) -> str:
    """Word what typer finds wrong with options and arguments as one sentence; the bare `cohear` gives its help."""
    message = error.format_message()
    for theirs, ours in _PLAIN_WORDS.items():
        message = message.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    if context is None or "\n" in message:
        return message
    return f"cohear: {message[:1].lower()}{message[1:].rstrip('.')}; see `{context.command_path} --help`"
