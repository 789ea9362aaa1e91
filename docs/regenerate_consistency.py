"""Make the pictures of `docs/consistency.md` anew: `python docs/regenerate_consistency.py FOLDER`.

FOLDER is where the commands of `docs/ten-minutes.md` were given, with one run more:

    cohear train street/groups.csv --background background --method none --out runs/street-none
"""

import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import cohear
from cohear.data.audio_decoding import decode
from cohear.dsp.rooms import room_responses
from cohear.evaluation.calibration import UNFITTED
from cohear.objectives import jensen_shannon_divergence
from cohear.reports.plots import DYNAMIC_RANGE_DB
from cohear.transforms import pitch_shift, reverberate

DOCS = Path(__file__).parent
CLIP = Path("street/sounds/siren/walk2_07.wav")
"""A test clip."""
SEMITONES, RT60_S = -2.5, 1.0
VIEWS = ("as it is", f"{-SEMITONES:g} semitones lower", f"in a room of {RT60_S:g} s")
RUNS = {"runs/street-none": "trained on clean clips alone", "runs/street": "trained for consistency"}
BLUE, GRAY = "#0072b2", "#9aa5b1"
STYLE: dict[Any, Any] = {"font.size": 12, "axes.titlesize": 12, "axes.spines.top": False, "axes.spines.right": False}

AGREEMENT = {
    "sure of the same": ((0.9, 0.05, 0.05),) * 3,
    "unsure in the same way": ((0.4, 0.35, 0.25),) * 3,
    "more and less sure of the same": ((0.95, 0.03, 0.02), (0.7, 0.2, 0.1), (0.5, 0.3, 0.2)),
    "one is sure of something else": ((0.9, 0.05, 0.05), (0.9, 0.05, 0.05), (0.05, 0.05, 0.9)),
}
"""Three answers each, in probabilities of three labels."""


def divergence(answers: np.ndarray) -> float:
    """Measure how far answers, [view, label], are from each other, nats."""
    return jensen_shannon_divergence(torch.from_numpy(answers).log()[:, None]).item()


def draw_bars(axes: Axes, labels: tuple[str, ...], answer: np.ndarray, likeliest: int) -> None:
    """Draw the probability of each label, that of one of them in blue."""
    axes.barh(labels, 100 * answer, color=[BLUE if place == likeliest else GRAY for place in range(len(labels))])
    axes.set(xlim=(0, 100), xticks=(0, 50), ylim=(len(labels) - 0.4, -0.6))
    axes.tick_params(length=0)


def views_picture(folder: Path) -> bytes:
    """Draw three views of a clip, and what two classifiers say of each (PNG)."""
    classifiers = [_uncalibrated(cohear.load(folder / run)) for run in RUNS]
    listener = classifiers[0]
    clean = torch.from_numpy(decode(folder / CLIP).waveform)[None]
    shifted = pitch_shift(clean, [SEMITONES], listener.sample_rate)
    in_room = reverberate(clean, room_responses(1, (RT60_S, RT60_S), listener.sample_rate))
    views = torch.cat((clean, shifted, in_room))
    log_mels = listener.front_end(views).numpy()
    true = listener.classes.index(CLIP.parent.name)
    with mpl.rc_context(STYLE):
        figure = Figure((9.4, 7.4), layout="constrained", dpi=100)
        rows = figure.subplots(3, 3)
        for axes, log_mel, name in zip(rows[0], log_mels, VIEWS, strict=True):
            draw_spectrogram(axes, log_mel, log_mels.max(), listener.clip_s)
            axes.set_title(name)
        for row, classifier, how in zip(rows[1:], classifiers, RUNS.values(), strict=True):
            answers = classifier.probabilities(views.numpy())
            for axes, answer in zip(row, answers, strict=True):
                draw_bars(axes, classifier.classes, answer, true)
            row[0].set_title(f"{how}: JSD {divergence(answers):.3f}", loc="left", weight="bold")
        rows[0, 0].set_ylabel("mel band")
        for axes in rows[:, 1:].flat:
            axes.set_yticklabels([])
        for axes in rows[2]:
            axes.set_xlabel("probability, %")
        return png(figure)


def _uncalibrated(classifier: cohear.Classifier) -> cohear.Classifier:
    """Return a classifier whose answers are those that it was trained to give."""
    return replace(classifier, about=classifier.about.model_copy(update={"calibration": UNFITTED}))


def draw_spectrogram(axes: Axes, log_mel: np.ndarray, loudest_db: float, clip_s: float) -> None:
    """Draw what the network sees."""
    axes.imshow(
        log_mel,
        origin="lower",
        aspect="auto",
        extent=(0, clip_s, 0, len(log_mel)),
        cmap=mpl.colormaps["magma"].resampled(32),
        vmin=loudest_db - DYNAMIC_RANGE_DB,
        vmax=loudest_db,
        interpolation="nearest",
    )
    axes.set_xlabel("time, s")


def agreement_picture() -> bytes:
    """Draw what the divergence of three answers is, from agreement to disagreement (PNG)."""
    labels = ("bell", "knock", "siren")
    with mpl.rc_context(STYLE):
        figure = Figure((9.4, 5.6), layout="constrained", dpi=100)
        rows = figure.subplots(len(AGREEMENT), 3, sharex=True, sharey=True)
        for row, (name, answers) in zip(rows, AGREEMENT.items(), strict=True):
            for axes, answer in zip(row, np.array(answers), strict=True):
                draw_bars(axes, labels, answer, 0)
            row[0].set_title(f"{name}: JSD {abs(divergence(np.array(answers))):.3f}", loc="left", weight="bold")
        for axes in rows[-1]:
            axes.set_xlabel("probability, %")
        return png(figure)


def png(figure: Figure) -> bytes:
    """Write a figure in few colors, which compress well."""
    output, smaller = io.BytesIO(), io.BytesIO()
    figure.savefig(output, format="png", metadata={"Software": None})
    Image.open(output).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(smaller, "png", optimize=True)
    return smaller.getvalue()


if __name__ == "__main__":
    (DOCS / "consistency-views.png").write_bytes(views_picture(Path(sys.argv[1])))
    (DOCS / "consistency-answers.png").write_bytes(agreement_picture())
