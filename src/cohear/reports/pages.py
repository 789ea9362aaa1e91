"""One HTML file that holds everything it shows: style, pictures and sounds, nothing from a network."""

import base64
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from cohear.reports.tables import nats_text
from cohear.runtime.files import write_text

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cohear.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["nats"] = nats_text


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


def write_page(path: Path, template: str, **content: Any) -> Path:
    """Fill a template of this package and write the page, whole or not at all; every text in it is escaped.

    Raises:
        UserError: where the place cannot be written.
    """
    write_text(path, _TEMPLATES.get_template(template).render(**content))
    return path
