"""`cohear augment`: hear one transform, or several, with parameters of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cohear.cli.progress import say
from cohear.errors import UserError

_Db = typer.Option(min=-100, max=100, metavar="DB")
_Hz = typer.Option(min=1, metavar="HZ")


def augment(
    source: Annotated[Path, typer.Argument(metavar="IN")],
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    pitch: Annotated[float | None, typer.Option(metavar="SEMITONES")] = None,
    shift: Annotated[float | None, typer.Option(metavar="SECONDS")] = None,
    reverb: Annotated[float | None, typer.Option(metavar="RT60_S")] = None,
    response: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    noise: Annotated[float | None, _Db] = None,
    noise_color: Literal["white", "pink", "brown"] = "white",
    high_pass: Annotated[float | None, _Hz] = None,
    low_pass: Annotated[float | None, _Hz] = None,
    gain: Annotated[float | None, _Db] = None,
    clip: Annotated[float | None, typer.Option(min=-100, max=0, metavar="DB")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Change a sound by one transform or several, to hear what they do.

    However the options are given, they are applied in this order, which is the sound's own way: its source (--pitch,
    --shift), the room (--reverb, --response), the noise there (--noise), then the recorder (--high-pass, --low-pass,
    --gain, --clip).

    Length, sample rate and channels stay as they are; each channel gets the same change, and ratios and thresholds are
    those of the channel. WAV and FLAC have 16 bits. Nothing is cut off at full scale: a WAV file whose peak is over it
    has 32-bit floats instead, and FLAC and OGG are turned down. An OUT that exists is replaced.

    cohear augment street.wav higher.wav --pitch 1.5

    cohear augment street.wav hall.flac --reverb 1.8 --noise 20 --noise-color pink

    Args:
        source: A sound file.
        out: A name that ends in .wav, .flac or .ogg.
        pitch: Shift the pitch, -12 to 12; the duration stays.
        shift: Move later, or with -0.5 earlier; silence comes in.
        reverb: Put into a made-up room, reverberation time 0.1 to 10 s.
        response: Or into a real room: a measured impulse response.
        noise: Add noise at this signal-to-noise ratio.
        noise_color: Of --noise: flat, -3 or -6 dB per octave.
        high_pass: Remove what is below, from 1 Hz to half the sample rate.
        low_pass: Remove what is above.
        gain: Make louder, or with -6 softer.
        clip: Cut off at this level against the peak, as -6.
        seed: Another seed is another made-up room and another noise.
    """
    from cohear.data.audio_writing import check_written_name, write_audio

    check_written_name(out)
    for name, path in (("IN", source), ("--response", response)):
        if path is not None and path.exists() and out.exists() and path.samefile(out):
            raise UserError(f"OUT '{out}' is {name} itself, which would be lost; choose another name")

    import numpy as np
    import torch

    from cohear import transforms
    from cohear.data.audio_decoding import decode_channels
    from cohear.data.recordings import read_sound
    from cohear.dsp.response_bank import ResponseBank
    from cohear.keys import key
    from cohear.transforms.time_shift import TimeShiftParameters

    sound = decode_channels(source)
    rate, (n_channels, n_samples) = sound.sample_rate, sound.waveforms.shape
    if sound.shortfall_s:
        say(f"{source} is {sound.shortfall_s:.2f} s shorter than it declares")

    def in_real_room(path: Path) -> transforms.Reverb:
        bank = ResponseBank(read_sound(path, rate)[None], rate, (path.name,))
        return transforms.Reverb(sample_rate=rate, bank=bank)

    # Each transform has a range that is the one point asked for, and refuses what it cannot do.
    steps: list[tuple[str, Any, Callable[[Any], Any]]] = [
        ("--pitch", pitch, lambda semitones: transforms.PitchShift((semitones,), rate)),
        ("--shift", shift, lambda shift_s: transforms.TimeShift(max(abs(shift_s), 1 / rate), rate)),
        ("--reverb", reverb, lambda rt60_s: transforms.Reverb(1, (rt60_s, rt60_s), rate, seed)),
        ("--response", response, in_real_room),
        ("--noise", noise, lambda snr_db: transforms.AddNoise((snr_db, snr_db), noise_color, rate)),
        ("--high-pass", high_pass, lambda hz: transforms.HighPass((hz, hz), rate)),
        ("--low-pass", low_pass, lambda hz: transforms.LowPass((hz, hz), rate)),
        ("--gain", gain, lambda gain_db: transforms.Gain((gain_db, gain_db))),
        ("--clip", clip, lambda threshold_db: transforms.Clipping((threshold_db, threshold_db))),
    ]
    batch, texts = torch.from_numpy(sound.waveforms), []
    one_key = np.full(n_channels, key(seed, "cohear augment"), np.uint64)  # every channel gets the same
    with torch.inference_mode():
        for option, value, make in steps:
            if value is None:
                continue
            try:
                transform = make(value)
            except ValueError as error:
                raise UserError(f"{option} {value}: {error}") from error
            parameters = transform.draw(one_key)
            if option == "--shift":  # it has a limit, and no range that could be a point
                parameters = TimeShiftParameters(np.full(n_channels, value))
            batch = transform.apply(batch, parameters)
            texts.append(parameters.describe()[0])
    if not texts:
        raise UserError("nothing to do; give at least one transform, such as --pitch 1.5 or --reverb 0.6")
    written = write_audio(out, batch.numpy(), rate)
    if written.over_db:
        what = "has 32-bit floats, which keep it" if written.is_float else "is turned down by as much"
        say(f"the peak is {written.over_db:.1f} dB over full scale: {out} {what}")
    channels = f", {n_channels} channels" if n_channels > 1 else ""
    say(f"{', '.join(texts)} -> {out} ({n_samples / rate:.2f} s, {rate} Hz{channels})")
