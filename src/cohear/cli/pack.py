"""`cohear pack` and `cohear export`: a trained classifier as one file, for cohear or for others."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cohear.cli import options
from cohear.cli.progress import say
from cohear.errors import UserError


def pack(
    run: options.Run,
    out: Annotated[Path | None, typer.Argument(metavar="OUT.cohear", callback=options.written(".cohear"))] = None,
    card: Annotated[Path | None, typer.Option(metavar="FILE.md", callback=options.written(".md"))] = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", show_default=False)] = "",
    encoder: Literal["inside", "beside"] = "inside",
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
        encoder: Whether an encoder goes inside, or is to lie beside the packed file wherever that is used.
    """
    from cohear.inference.card import pack_run
    from cohear.runs.trained_model import MAX_FILE_BYTES, PACKED_SUFFIX, parse_packed
    from cohear.runtime.files import write_bytes, write_text

    if run.is_file():
        raise UserError(f"'{run}' is a file; give the folder of a run")
    out = out or Path(run.resolve().name + PACKED_SUFFIX)
    model = pack_run(run, notes, with_encoder=encoder == "inside")
    data = model.to_bytes()
    if len(data) > MAX_FILE_BYTES:
        raise UserError(
            f"'{run}' makes a file of {len(data) / 1e9:.2f} GB, and one of more than {MAX_FILE_BYTES / 1e9:.2f} GB is "
            "not read: nothing was written; use the run's folder, or train a smaller network"
        )
    parse_packed(data, out)  # what could not be read is not written
    write_bytes(out, data)
    file = model.description.encoder.file
    beside = f"; it needs {Path(file).name} beside it" if file is not None and encoder == "beside" else ""
    say(f"packed: {out} ({len(data) / 1e6:.2f} MB){beside}")
    if card is not None:
        write_text(card, model.card)
        say(f"model card: {card}")


def export(
    run: options.Run,
    out: Annotated[Path, typer.Argument(metavar="OUT.onnx", callback=options.written(".onnx"))],
) -> None:
    """Write a classifier as one ONNX file that needs neither cohear nor PyTorch to run.

    The front end is inside: samples go in, from -1 to 1 and at the classifier's sample rate, and probabilities of the
    labels come out, for any number of sounds of any length. Labels, sample rate, clip length, temperature and
    thresholds are in the file's metadata. An OUT that exists is replaced.

    Before it is written, the model is run under onnxruntime, on clips of the run's data where these are still there,
    and compared with PyTorch; a model whose probabilities differ by more than 0.0001 is not written.

    It needs three packages more: pip install 'cohear[onnx]'

    cohear export runs/my-run my-model.onnx

    Args:
        run: A finished run folder, or a .cohear file.
        out: A name that ends in .onnx.
    """
    from cohear.inference.onnx_export import require_onnx

    require_onnx()

    from cohear.inference.classifier import load
    from cohear.inference.onnx_export import MAX_DIFFERENCE, OPSET, check_sounds, compare, to_onnx
    from cohear.runtime.files import write_bytes

    classifier = load(run)
    model, (waveforms, description) = to_onnx(classifier), check_sounds(run, classifier)
    largest, n_same = compare(model, classifier, waveforms)
    if not largest <= MAX_DIFFERENCE:
        raise UserError(
            f"nothing was written: on {description} the probabilities of the exported model differ from PyTorch's by "
            f"up to {largest:.1e}, and {MAX_DIFFERENCE:.0e} is allowed; install another version of onnxruntime, or "
            "report this"
        )
    write_bytes(out, model)
    print(
        f"checked on {description}: largest difference of a probability from PyTorch's {largest:.1e}, the same "
        f"likeliest label for {n_same} of {len(waveforms)}"
    )
    say(
        f"{out}: {len(model) / 1e6:.2f} MB, ONNX opset {OPSET}, {len(classifier.classes)} labels, "
        f"{classifier.sample_rate} Hz, {classifier.clip_s:g} s clips, {classifier.task.words.output}"
    )
