"""Which command? Each command imports what it needs when it runs, so that help is instant."""

import sys
from typing import Any

import typer

from cohear.cli import demo, grids, predict, show, train
from cohear.errors import UserError
from cohear.runtime.interrupts import Interrupted, leave_on_signals

app = typer.Typer(
    name="cohear",
    help="Train sound classifiers that give the same answer however a sound is heard.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo", short_help="Try it on made-up sounds, without any data.")(demo.demo)
app.command("train", short_help="Train a classifier on labeled sounds.")(train.train)
app.command("crossval", short_help="Train once per fold and average.")(grids.crossval)
app.command("reproduce", short_help="Measure the paper's table, figure or ablations.")(grids.reproduce)
app.command("compare", short_help="Compare finished runs: table, paired tests, page.")(show.compare)
app.command("report", short_help="Write the page of runs anew.")(show.report)
app.command("predict", short_help="Print what a classifier hears in recordings.")(predict.predict)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its status.

    0 is success, 2 an error of the user's in one sentence, 130 or 143 a run stopped by a signal and saved; anything
    else is a defect of ours and shows its traceback with status 1.
    """
    leave_on_signals()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line in this process and return its status."""
    try:
        status = app(arguments, prog_name="cohear", standalone_mode=False)
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
    except SystemExit:  # typer's way out where the reader is gone, as in `cohear predict ... | head`
        return 0
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        print(_word_misuse(error), file=sys.stderr)
        return 2


def _word_misuse(error: Any) -> str:
    """Word what typer finds wrong with options and arguments as one sentence; the bare `cohear` gives its help."""
    message = error.format_message().replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    if context is None or "\n" in message:
        return message
    return f"cohear: {message[:1].lower()}{message[1:].rstrip('.')}; see `{context.command_path} --help`"
