"""Make the sounds and pictures of the pages on transforms anew: `python docs/regenerate_transforms.py`.

The sounds before are made up by `cohear.data.synthetic`. The sounds after are what the commands in the pages give,
run in the folder of the pages. What no command makes comes from the functions below.
"""

import io
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from cohear import keys
from cohear.cli import run
from cohear.data.audio_decoding import decode
from cohear.data.audio_writing import write_audio
from cohear.data.synthetic import Place, made_up_sound
from cohear.models import LogMel
from cohear.reports.plots import DYNAMIC_RANGE_DB
from cohear.transforms import SpecAugment

FOLDER = Path(__file__).parent / "transforms"
SAMPLE_RATE = 22050
DURATION_S = 2.0
MASKS_SEED = 328  # wide masks, easy to see

# A dry room and a good microphone, so that what a transform adds can be seen.
STUDIO = Place(
    register_semitones=(0.0, 0.0),
    rt60_s=0.1,
    reverberant_db=-30.0,
    band_hz=(40.0, 10000.0),
    noise_db=-75.0,
)
SOURCES = {
    "bell.ogg": ("bell", 1),
    "bird.ogg": ("bird", 6),
    "footsteps.ogg": ("footsteps", 1),
    "knock.ogg": ("knock", 2),
    "siren.ogg": ("siren", 2),
    "noises/rain.ogg": ("rain", 2),
}
"""The sounds before: voice, and number of the take."""

Samples = np.ndarray


def source_sound(voice: str, take: int) -> Samples:
    """Make up a sound, peak at half of full scale."""
    one_key = keys.fold_in(keys.key(take, "documentation"), keys.hash_text(voice))
    sound = made_up_sound(voice, STUDIO, one_key, round(DURATION_S * SAMPLE_RATE), SAMPLE_RATE)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def commands() -> dict[str, list[str]]:
    """Return the words after `cohear` of the command of each page that has one, by the page's name."""
    found = {}
    for page in sorted(FOLDER.glob("*.md")):
        for line in re.findall(r"^cohear (augment media/.*)$", page.read_text(), re.MULTILINE):
            found[page.stem] = shlex.split(line)
    return found


def with_recorded_noise(out: Path) -> None:
    """Write what the example in the page on recorded noise calls `noisy`."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (FOLDER / "recorded-noise.md").read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, torch.Tensor] = {}
    exec(compile(code, "recorded-noise.md", "exec"), {}, names)
    write_audio(out, names["noisy"].numpy(), SAMPLE_RATE)


def spectrogram_db(path: Path) -> Samples:
    """Return the levels of a sound, [bin, frame]: 0 dB is a sine of full scale; Hann window, 46 ms, hop 12 ms."""
    window = torch.hann_window(1024)
    spectrum = torch.stft(torch.from_numpy(decode(path).waveform), 1024, 256, window=window, return_complex=True)
    return (20 * (spectrum.abs() / (window.sum() / 2) + 1e-9).log10()).numpy()


def picture(levels_db: list[Samples], y_label: str, y_top: float, titles: tuple[str, str]) -> bytes:
    """Draw before and after side by side, the same colors for both (PNG).

    Args:
        levels_db: [row, frame] each, dB; row 0 is the lowest.
        y_label: of the vertical axis.
        y_top: its upper end.
        titles: above each.
    """
    # The brightest color is a round number just above the loudest.
    loudest_db = 5 * np.ceil(max(levels.max() for levels in levels_db) / 5)
    with mpl.rc_context({"font.size": 13, "axes.titlesize": 13}):
        figure = Figure((10, 3.7), layout=ConstrainedLayoutEngine(wspace=0.04), dpi=100)
        axes = figure.subplots(1, 2, sharey=True)
        for one, levels, title in zip(axes, levels_db, titles, strict=True):
            image = one.imshow(
                levels,
                origin="lower",
                aspect="auto",
                extent=(0, DURATION_S, 0, y_top),
                cmap=mpl.colormaps["magma"].resampled(32),  # steps of 2.5 dB, which compress well
                vmin=loudest_db - DYNAMIC_RANGE_DB,
                vmax=loudest_db,
                interpolation="nearest",
            )
            one.set(title=title, xlabel="time, s")
        axes[0].set_ylabel(y_label)
        figure.colorbar(image, ax=axes, label="level, dB", pad=0.015)
        output = io.BytesIO()
        figure.savefig(output, format="png", metadata={"Software": None})
    smaller = io.BytesIO()
    Image.open(output).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(smaller, "png", optimize=True)
    return smaller.getvalue()


def sound_picture(before: Path, after: Path, change: str) -> bytes:
    """Draw the spectrograms of two sounds."""
    levels_db = [spectrogram_db(path) for path in (before, after)]
    return picture(levels_db, "frequency, kHz", SAMPLE_RATE / 2000, (f"before: {before.name}", f"after: {change}"))


def masked_picture(source: Path) -> bytes:
    """Draw the log-mel spectrogram of a sound, as the small preset hears it, before and after SpecAugment."""
    log_mel = LogMel(SAMPLE_RATE, n_mels=64)(torch.from_numpy(decode(source).waveform))[None]
    masking = SpecAugment()
    parameters = masking.draw(keys.fold_in(keys.key(MASKS_SEED, "documentation"), np.arange(1)))
    levels_db = [levels[0].numpy() for levels in (log_mel, masking.apply(log_mel, parameters))]
    titles = f"before: log-mel of {source.name}", f"after: {parameters.describe()[0]}"
    return picture(levels_db, "mel band", 64, titles)


def write_unless_same(path: Path, write: Callable[[Path], object]) -> None:
    """Write a sound, unless it is there: an Ogg file has a random number in it and never comes out the same twice."""
    fresh = path.with_name(f"fresh-{path.name}")
    write(fresh)
    if path.exists() and np.array_equal(decode(path).waveform, decode(fresh).waveform):
        fresh.unlink()
    else:
        fresh.replace(path)


def regenerate() -> None:
    """Write `media/`, from the folder of the pages."""
    media = Path("media")
    (media / "noises").mkdir(parents=True, exist_ok=True)
    for name, (voice, take) in SOURCES.items():
        sound = source_sound(voice, take)
        write_unless_same(media / name, lambda path, sound=sound: write_audio(path, sound[None], SAMPLE_RATE))
    for page, (command, before, after, *options) in commands().items():
        write_unless_same(
            Path(after), lambda path, words=(command, before, options): run([*words[:2], str(path), *words[2]])
        )
        (media / f"{page}.png").write_bytes(sound_picture(Path(before), Path(after), " ".join(options)))
    noisy = media / "recorded-noise.ogg"
    write_unless_same(noisy, with_recorded_noise)
    (media / "recorded-noise.png").write_bytes(sound_picture(media / "bird.ogg", noisy, "rain at 5 dB SNR"))
    (media / "spec-augment.png").write_bytes(masked_picture(media / "siren.ogg"))


if __name__ == "__main__":
    os.chdir(FOLDER)
    torch.set_num_threads(1)  # so that a sum does not depend on the number of cores
    regenerate()
