"""Sounds inside a page: MP3, since every browser plays it and it is a twelfth of the size of WAV."""

import io

import numpy as np
import soundfile
import soxr
from jaxtyping import Float

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Hz; the format knows no others."""


def mp3_bytes(waveform: Float[np.ndarray, " time"], sample_rate: int) -> bytes:
    """Encode a waveform as an MP3 file.

    Args:
        waveform: full scale is [-1, 1]; a louder one is turned down as a whole instead of being clipped.
        sample_rate: Hz; a rate that MP3 does not know is resampled to the next one that it does.
    """
    samples = np.asarray(waveform, np.float32)
    rate = min((known for known in _MP3_RATES if known >= sample_rate), default=_MP3_RATES[-1])
    if rate != sample_rate:
        samples = soxr.resample(samples, sample_rate, rate)
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak > 1:
        samples = samples / peak
    output = io.BytesIO()
    soundfile.write(
        output,
        samples,
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=0.5,
    )
    return output.getvalue()
