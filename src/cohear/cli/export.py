"""`cohear export`: a trained classifier as one ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import say
from cohear.errors import UserError


def export(
    run: options.Run,
    out: Annotated[Path, typer.Argument(metavar="OUT.onnx")],
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
    from cohear.cli.finish import check_file
    from cohear.inference.onnx_export import require_onnx

    check_file(out, ".onnx")
    require_onnx()

    from cohear.inference.classifier import load
    from cohear.inference.onnx_export import MAX_DIFFERENCE, OPSET, check_sounds, compare, to_onnx
    from cohear.runtime.files import write_bytes

    classifier = load(run)
    model, sounds = to_onnx(classifier), check_sounds(run, classifier)
    if sounds.why_made_up:
        say(f"checked on made-up sounds, since no clips of the run's data can be had: {sounds.why_made_up}")
    agreement = compare(model, classifier, sounds.waveforms)
    difference = f"{agreement.largest_difference:.1e}"
    if not agreement.is_close:
        raise UserError(
            f"nothing was written: on {sounds.description} the probabilities of the exported model differ from "
            f"PyTorch's by up to {difference}, and {MAX_DIFFERENCE:.0e} is allowed; install another version of "
            "onnxruntime, or report this"
        )
    write_bytes(out, model)
    print(
        f"checked on {sounds.description}: largest difference of a probability from PyTorch's {difference}, "
        f"the same likeliest label for {agreement.n_same} of {len(sounds.waveforms)}"
    )
    say(
        f"{out}: {len(model) / 1e6:.2f} MB, ONNX opset {OPSET}, {len(classifier.classes)} labels, "
        f"{classifier.sample_rate} Hz, {classifier.clip_s:g} s clips, {classifier.task.words.output}"
    )
