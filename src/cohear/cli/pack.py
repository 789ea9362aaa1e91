"""`cohear pack`: a finished run as one file."""

from pathlib import Path
from typing import Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import say
from cohear.errors import UserError


def pack(
    run: options.Run,
    out: Annotated[Path | None, typer.Argument(metavar="OUT.cohear")] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE.md")] = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", show_default=False)] = "",
) -> None:
    """Pack a finished run into one file to pass on or to put somewhere.

    The file holds the weights and all that is needed to use them rightly: labels, sample rate, front end, temperature,
    thresholds, and a model card. It can be given wherever a RUN is only used: predict, export, listen.

    cohear pack runs/frogs frogs.cohear --card frogs.md --notes "Sounds and model: CC BY 4.0, Pond Society."

    cohear predict frogs.cohear pond.wav

    Args:
        run: A finished run folder.
        out: The file to write; else it is named as the run is.
        card: Write the model card there, too.
        notes: What the card says of license and data, in Markdown: yours to say.
    """
    from cohear.cli.finish import check_file
    from cohear.inference.card import pack_run
    from cohear.runs.trained_model import PACKED_SUFFIX, parse_packed
    from cohear.runtime.files import write_bytes, write_text

    if run.is_file():
        kind = "packed already" if run.suffix == PACKED_SUFFIX else "a file"
        raise UserError(f"'{run}' is {kind}; give the folder of a run")
    out = out or Path(run.resolve().name + PACKED_SUFFIX)
    check_file(out, PACKED_SUFFIX)
    check_file(card, ".md")
    model = pack_run(run, notes)
    data = model.to_bytes()
    parse_packed(data, out)  # what could not be read is not written
    write_bytes(out, data)
    say(f"packed: {out} ({len(data) / 1e6:.2f} MB)")
    if card is not None:
        write_text(card, model.card)
        say(f"model card: {card}")
