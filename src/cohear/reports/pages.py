"""One HTML file that holds everything it shows: style, pictures and sounds, nothing from a network."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from markupsafe import Markup

from cohear.data.wording import duration_text
from cohear.reports.tables import nats_text
from cohear.runtime.files import write_text


def printable(text: str) -> str:
    r"""Replace what a screen cannot show or would obey, such as escape codes in the name of a file.

    Example:
        >>> printable("bird\x1b[2J.wav")
        'bird?[2J.wav'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"nats": nats_text, "printable": printable, "duration": duration_text}
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Hz; the format knows no others."""


def data_uri(content: bytes, media_type: str) -> str:
    """Write bytes as an address that contains them.

    Example:
        >>> data_uri(b"hello", "text/plain")
        'data:text/plain;base64,aGVsbG8='
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def picture(content: bytes, description: str) -> Markup:
    """Write an SVG or PNG file as an `img` element; the description is for those who do not see it."""
    media_type = "image/png" if content.startswith(b"\x89PNG") else "image/svg+xml"
    return Markup('<img src="{}" alt="{}">').format(data_uri(content, media_type), description)


def mp3_bytes(waveform: Float[np.ndarray, " time"], sample_rate: int) -> bytes:
    """Encode a waveform as an MP3 file: every browser plays it, and it is a twelfth of the size of WAV.

    Args:
        waveform: full scale is [-1, 1]; a louder one is turned down as a whole instead of being clipped.
        sample_rate: Hz; a rate that MP3 does not know is resampled to the next one that it does.
    """
    samples = np.asarray(waveform, np.float32)
    rate = min((known for known in _MP3_RATES if known >= sample_rate), default=_MP3_RATES[-1])
    if rate != sample_rate:
        samples = soxr.resample(samples, sample_rate, rate)
    samples = samples / max(1.0, float(np.max(np.abs(samples), initial=0.0)))
    output, how = io.BytesIO(), {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    soundfile.write(output, samples, rate, format="MP3", subtype="MPEG_LAYER_III", **how)
    return output.getvalue()


def write_page(path: Path, template: str, **content: Any) -> Path:
    """Fill a template of this package and write the page, whole or not at all; every text in it is escaped.

    Raises:
        UserError: where the place cannot be written.
    """
    write_text(path, _TEMPLATES.get_template(template).render(**content))
    return path
