"""Make the pictures of the README and of `docs/consistency.md`: `python docs/regenerate_consistency.py FOLDER`.

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
from cohear.models.log_mel import hz_to_mel
from cohear.objectives import jensen_shannon_divergence
from cohear.reports.plots import DYNAMIC_RANGE_DB
from cohear.transforms import pitch_shift, reverberate

DOCS = Path(__file__).parent
CLIP = Path("street/sounds/siren/walk2_07.wav")
"""A test clip."""
RECORDING, TRUTH = Path("street/evening.wav"), Path("street/truth.txt")
THRESHOLD = 0.9
SEMITONES, RT60_S = -2.5, 1.0
VIEWS = ("as it is", f"{-SEMITONES:g} semitones lower", f"in a room of {RT60_S:g} s")
RUNS = {"runs/street-none": "trained on clean clips alone", "runs/street": "trained for consistency"}
BLUE, GRAY = "#0072b2", "#9aa5b1"
LANES = ("#0072b2", "#b34700", "#007a5a", "#8a4a78", "#5b6770", "#7a6400")
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


def evening_picture(folder: Path) -> bytes:
    """Draw what a classifier hears in a recording, and one clip as it is and in two views (PNG)."""
    classifier = cohear.load(folder / "runs/street")
    waveform = decode(folder / RECORDING).waveform
    length_s = len(waveform) / classifier.sample_rate
    events = classifier.predict(folder / RECORDING, hop_s=1.0, events=True, threshold=THRESHOLD)
    labels = [label for label in classifier.classes if label != classifier.about.background]
    views = three_views(folder, classifier)
    answers = classifier.probabilities(views.numpy())
    with mpl.rc_context(STYLE):
        figure = Figure((9.4, 6.6), layout="constrained", dpi=100)
        recording, clip = figure.subfigures(2, 1, height_ratios=(1.45, 1))
        track, seen = recording.subplots(2, 1, sharex=True, height_ratios=(1, 1.1))
        for event in events:
            lane = labels.index(event.label)
            track.barh(lane, event.end_s - event.start_s, left=event.start_s, height=0.75, color=LANES[lane])
        for line in (folder / TRUTH).read_text().splitlines():
            start_s, end_s, label = line.split("\t")
            track.plot([float(start_s), float(end_s)], [labels.index(label)] * 2, color="black", linewidth=3)
        track.set(yticks=range(len(labels)), yticklabels=labels, ylim=(len(labels) - 0.4, -0.6))
        track.set_title("what it finds in an evening's recording (black: what is there)", loc="left", weight="bold")
        track.tick_params(length=0, labelbottom=False)
        log_mel = classifier.front_end(torch.from_numpy(waveform)[None])[0].numpy()
        draw_spectrogram(seen, log_mel, log_mel.max(), length_s, classifier.sample_rate)
        seen.set(ylabel="kHz", xlim=(0, length_s))
        log_mels = classifier.front_end(views).numpy()
        for axes, of_view, name, answer in zip(clip.subplots(1, 3, sharey=True), log_mels, VIEWS, answers, strict=True):
            draw_spectrogram(axes, of_view, log_mels.max(), classifier.clip_s, classifier.sample_rate)
            likeliest = int(answer.argmax())
            axes.set_title(f"{name}:\n{classifier.classes[likeliest]}, {answer[likeliest]:.0%}", loc="left")
        clip.axes[0].set_ylabel("kHz")
        clip.suptitle(
            "what it learns from: the same answer to a clip and its views", x=0.01, ha="left", weight="bold", size=12
        )
        return png(figure)


def three_views(folder: Path, classifier: cohear.Classifier) -> torch.Tensor:
    """Make the views of the clip, [view, time]."""
    clean = torch.from_numpy(decode(folder / CLIP).waveform)[None]
    shifted = pitch_shift(clean, [SEMITONES], classifier.sample_rate)
    in_room = reverberate(clean, room_responses(1, (RT60_S, RT60_S), classifier.sample_rate))
    return torch.cat((clean, shifted, in_room))


def views_picture(folder: Path) -> bytes:
    """Draw three views of a clip, and what two classifiers say of each (PNG)."""
    classifiers = [_uncalibrated(cohear.load(folder / run)) for run in RUNS]
    listener = classifiers[0]
    views = three_views(folder, listener)
    log_mels = listener.front_end(views).numpy()
    true = listener.classes.index(CLIP.parent.name)
    with mpl.rc_context(STYLE):
        figure = Figure((9.4, 7.4), layout="constrained", dpi=100)
        rows = figure.subplots(3, 3)
        for axes, log_mel, name in zip(rows[0], log_mels, VIEWS, strict=True):
            draw_spectrogram(axes, log_mel, log_mels.max(), listener.clip_s, listener.sample_rate)
            axes.set_title(name)
        for row, classifier, how in zip(rows[1:], classifiers, RUNS.values(), strict=True):
            answers = classifier.probabilities(views.numpy())
            for axes, answer in zip(row, answers, strict=True):
                draw_bars(axes, classifier.classes, answer, true)
            row[0].set_title(f"{how}: JSD {divergence(answers):.3f}", loc="left", weight="bold")
        rows[0, 0].set_ylabel("kHz")
        for axes in rows[:, 1:].flat:
            axes.set_yticklabels([])
        for axes in rows[2]:
            axes.set_xlabel("probability, %")
        return png(figure)


def _uncalibrated(classifier: cohear.Classifier) -> cohear.Classifier:
    """Return a classifier whose answers are those that it was trained to give."""
    return replace(classifier, about=classifier.about.model_copy(update={"calibration": UNFITTED}))


def draw_spectrogram(axes: Axes, log_mel: np.ndarray, loudest_db: float, clip_s: float, sample_rate: int) -> None:
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
    top_mel, khz = hz_to_mel(sample_rate / 2), (1, 3, 10)
    axes.set_yticks([float(hz_to_mel(1000.0 * f) / top_mel * len(log_mel)) for f in khz], khz)
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
    (DOCS / "evening.png").write_bytes(evening_picture(Path(sys.argv[1])))
    (DOCS / "consistency-views.png").write_bytes(views_picture(Path(sys.argv[1])))
    (DOCS / "consistency-answers.png").write_bytes(agreement_picture())
