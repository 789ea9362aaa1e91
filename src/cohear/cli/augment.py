"""`cohear augment`: hear one transform, or several, with parameters of one's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cohear.cli.progress import say
from cohear.errors import UserError

if TYPE_CHECKING:
    from cohear.transforms import Parameters, Transform

MAX_LEVEL_DB = 100.0
"""Of gains and signal-to-noise ratios; more is beyond what 16 bits, or an ear, can tell."""
LOWEST_CUTOFF_HZ = 1.0
"""Lower ones would ring for longer than most recordings last."""


def augment(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False, help="A sound file.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", show_default=False, help="A name that ends in .wav, .flac or .ogg."),
    ],
    pitch: Annotated[
        float | None, typer.Option(metavar="SEMITONES", help="Shift the pitch, -12 to 12; the duration stays.")
    ] = None,
    shift: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Move later, or with -0.5 earlier; silence comes in.")
    ] = None,
    reverb: Annotated[
        float | None, typer.Option(metavar="RT60_S", help="Put into a made-up room, reverberation time 0.1 to 10 s.")
    ] = None,
    response: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Or into a real room: a measured impulse response.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(metavar="SNR_DB", help="Add noise at this signal-to-noise ratio, -100 to 100 dB.")
    ] = None,
    noise_color: Annotated[
        Literal["white", "pink", "brown"] | None,
        typer.Option(help="Of --noise: flat, -3 or -6 dB per octave.", show_default="white"),
    ] = None,
    high_pass: Annotated[
        float | None, typer.Option(metavar="HZ", help="Remove what is below, from 1 Hz to half the sample rate.")
    ] = None,
    low_pass: Annotated[float | None, typer.Option(metavar="HZ", help="Remove what is above, likewise.")] = None,
    gain: Annotated[float | None, typer.Option(metavar="DB", help="Make louder, or with -6 softer, up to 100.")] = None,
    clip: Annotated[
        float | None, typer.Option(metavar="DB", help="Cut off at this level against the peak, -100 to 0, as -6.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another made-up room and another noise.")] = 0,
) -> None:
    """Change a sound by one transform or several, to hear what they do.

    However the options are given, they are applied in this order, which is the sound's own way: its source (--pitch,
    --shift), the room (--reverb or --response), the noise there (--noise), then the recorder (--high-pass, --low-pass,
    --gain, --clip).

    Length, sample rate and channels stay as they are; each channel gets the same change, and ratios and thresholds are
    those of the channel. WAV and FLAC have 16 bits. Nothing is cut off at full scale: a WAV file whose peak is over it
    has 32-bit floats instead, and FLAC and OGG are turned down. An OUT that exists is replaced.

    cohear augment street.wav higher.wav --pitch 1.5

    cohear augment street.wav hall.flac --reverb 1.8 --noise 20 --noise-color pink
    """
    from cohear.data.audio_files import decode_channels
    from cohear.data.audio_writing import check_written_name, write_audio

    asked = _Asked(pitch, shift, reverb, response, noise, noise_color, high_pass, low_pass, gain, clip, seed)
    _check_options(asked)
    check_written_name(out)
    _check_places(source, out, response)
    sound = decode_channels(source)
    n_channels, n_samples = sound.waveforms.shape
    _check_against(asked, n_samples / sound.sample_rate, sound.sample_rate)
    if sound.shortfall_s:
        say(f"{source} is {sound.shortfall_s:.2f} s shorter than it declares")

    import torch

    batch, texts = torch.from_numpy(sound.waveforms), []
    with torch.inference_mode():
        for transform, parameters, text in _steps(asked, n_channels, sound.sample_rate):
            batch = transform.apply(batch, parameters)
            texts.append(text or parameters.describe()[0])
    written = write_audio(out, batch.numpy(), sound.sample_rate)
    if written.over_db and written.is_float:
        say(f"the peak is {written.over_db:.1f} dB over full scale: {out} has 32-bit floats, which keep it")
    elif written.over_db:
        say(f"the peak was {written.over_db:.1f} dB over full scale: {out} is turned down by as much")
    channels = f", {n_channels} channels" if n_channels > 1 else ""
    say(f"{', '.join(texts)} -> {out} ({n_samples / sound.sample_rate:.2f} s, {sound.sample_rate} Hz{channels})")


@dataclass(frozen=True)
class _Asked:
    """The options as given, in the order of their application; None where one was not."""

    pitch: float | None
    shift: float | None
    reverb: float | None
    response: Path | None
    noise: float | None
    noise_color: Literal["white", "pink", "brown"] | None
    high_pass: float | None
    low_pass: float | None
    gain: float | None
    clip: float | None
    seed: int


def _check_options(asked: _Asked) -> None:
    """Refuse what is wrong whatever the sound is."""
    changes = (
        *(asked.pitch, asked.shift, asked.reverb, asked.response, asked.noise),
        *(asked.high_pass, asked.low_pass, asked.gain, asked.clip),
    )
    if asked.noise_color is not None and asked.noise is None:
        raise UserError(f"--noise-color {asked.noise_color} has no effect without --noise; add it, such as --noise 20")
    if all(change is None for change in changes):
        raise UserError("nothing to do; give at least one transform, such as --pitch 1.5 or --reverb 0.6")
    if asked.reverb is not None and asked.response is not None:
        raise UserError("--reverb and --response are two rooms, and a sound is in one; leave one of them out")
    _check("--pitch", asked.pitch, -12, 12, "semitones")
    _check("--reverb", asked.reverb, 0.1, 10, "s")
    _check("--noise", asked.noise, -MAX_LEVEL_DB, MAX_LEVEL_DB, "dB")
    _check("--gain", asked.gain, -MAX_LEVEL_DB, MAX_LEVEL_DB, "dB")
    _check("--clip", asked.clip, -MAX_LEVEL_DB, 0, "dB against the peak")


def _check_against(asked: _Asked, duration_s: float, sample_rate: int) -> None:
    """Refuse what is wrong for a sound of this length and sample rate."""
    if asked.shift is not None and not abs(asked.shift) < duration_s:
        raise UserError(
            f"--shift {asked.shift:g} s would leave nothing of {duration_s:.2f} s; give less than that either way"
        )
    if asked.reverb is not None and sample_rate < 8000:
        raise UserError(
            f"--reverb makes up rooms for sample rates from 8000 Hz on, not {sample_rate} Hz; give a --response, or "
            "resample the sound first"
        )
    for name, cutoff in (("--high-pass", asked.high_pass), ("--low-pass", asked.low_pass)):
        if cutoff is not None and not LOWEST_CUTOFF_HZ <= cutoff < sample_rate / 2:
            raise UserError(
                f"{name} {cutoff:g} Hz is out of range; give {LOWEST_CUTOFF_HZ:g} Hz to less than {sample_rate / 2:g} "
                "Hz, half the sample rate of the sound"
            )


def _check(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not low <= value <= high:  # also what is not a number
        raise UserError(f"{name} {value:g} is out of range; give {low:g} to {high:g} {unit}")


def _check_places(source: Path, out: Path, response: Path | None) -> None:
    """Refuse an OUT that is one of the inputs, or has no folder to lie in: now, and not after the work."""
    for name, path in (("IN", source), ("--response", response)):
        if path is not None and path.exists() and out.exists() and path.samefile(out):
            raise UserError(f"OUT '{out}' is {name} itself, which would be lost; choose another name")
    if not out.parent.is_dir():
        raise UserError(f"'{out}' cannot be written: its folder does not exist; make it first or choose another")


_Step = tuple["Transform[Any]", "Parameters", str | None]
"""A transform, its parameters for every channel, and what to say of it where the parameters say it less well."""


def _steps(asked: _Asked, n_channels: int, sample_rate: int) -> Iterator[_Step]:
    """Make the transforms that are asked for, in the order in which they are applied."""
    import numpy as np

    from cohear import transforms
    from cohear.keys import key
    from cohear.transforms.clipping import ClippingParameters
    from cohear.transforms.filters import HighPassParameters, LowPassParameters
    from cohear.transforms.gain import GainParameters
    from cohear.transforms.noise import AddNoiseParameters
    from cohear.transforms.pitch_shift import PitchShiftParameters
    from cohear.transforms.time_shift import TimeShiftParameters

    def every(value: Any) -> Any:
        return np.full(n_channels, value)

    if (semitones := asked.pitch) is not None:
        yield transforms.PitchShift((semitones,), sample_rate), PitchShiftParameters(every(semitones)), None
    if asked.shift is not None:
        shift_s = round(asked.shift * sample_rate) / sample_rate
        limit_s = max(abs(shift_s), 1 / sample_rate)
        yield transforms.TimeShift(limit_s, sample_rate), TimeShiftParameters(every(shift_s)), None
    if asked.reverb is not None:
        yield _made_up_room(asked.reverb, n_channels, sample_rate, asked.seed)
    if asked.response is not None:
        yield _measured_room(asked.response, n_channels, sample_rate)
    if (snr_db := asked.noise) is not None:
        color = asked.noise_color or "white"
        noise_key = np.full(n_channels, key(asked.seed, "cohear augment"), np.uint64)
        parameters = AddNoiseParameters(every(snr_db), noise_key, every(color))
        yield transforms.AddNoise((snr_db, snr_db), color, sample_rate), parameters, None
    if (hz := asked.high_pass) is not None:
        yield transforms.HighPass((hz, hz), sample_rate), HighPassParameters(every(hz)), None
    if (hz := asked.low_pass) is not None:
        yield transforms.LowPass((hz, hz), sample_rate), LowPassParameters(every(hz)), None
    if (gain_db := asked.gain) is not None:
        yield transforms.Gain((gain_db, gain_db)), GainParameters(every(gain_db)), None
    if (threshold_db := asked.clip) is not None:
        yield transforms.Clipping((threshold_db, threshold_db)), ClippingParameters(every(threshold_db)), None


def _made_up_room(rt60_s: float, n_channels: int, sample_rate: int, seed: int) -> _Step:
    import numpy as np

    from cohear.transforms import Reverb
    from cohear.transforms.reverb import ReverbParameters

    parameters = ReverbParameters(response=np.zeros(n_channels, np.int64), rt60_s=np.full(n_channels, rt60_s))
    return Reverb(1, (rt60_s, rt60_s), sample_rate, seed), parameters, f"room RT60 {rt60_s:.2f} s"


def _measured_room(path: Path, n_channels: int, sample_rate: int) -> _Step:
    import numpy as np

    from cohear.data.measured_responses import read_response
    from cohear.dsp.response_bank import ResponseBank
    from cohear.transforms import Reverb

    bank = ResponseBank(read_response(path, sample_rate)[None], sample_rate, (path.name,))
    reverb = Reverb(sample_rate=sample_rate, bank=bank)
    return reverb, reverb.draw(np.zeros(n_channels, np.uint64)), None  # one response: there is nothing to choose
