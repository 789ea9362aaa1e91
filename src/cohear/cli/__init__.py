"""Which command? Each command imports what it needs when it runs, so that help is instant."""

import sys

import typer

from cohear.cli import demo, grids, predict, show, train
from cohear.errors import UserError
from cohear.runtime.interrupts import Interrupted

app = typer.Typer(
    name="cohear",
    help="Train sound classifiers that give the same answer however a sound is heard.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("crossval")(grids.crossval)
app.command("reproduce")(grids.reproduce)
app.command("compare")(show.compare)
app.command("report")(show.report)
app.command("predict")(predict.predict)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its status.

    0 is success, 2 an error of the user's in one sentence, 130 or 143 a run stopped by a signal and saved; anything
    else is a defect of ours and shows its traceback with status 1.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line in this process and return its status."""
    try:
        status = app(arguments, standalone_mode=False)
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
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        error.show()  # type: ignore[attr-defined]  # what typer says of a wrong option
        return int(error.exit_code)  # type: ignore[attr-defined]
