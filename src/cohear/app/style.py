"""How the page looks: the colors of the reports, the fonts of the system."""

from importlib.resources import files
from typing import Any

_ACCENT, _INK, _QUIET, _LINE, _PAPER = "#0072b2", "#1c2430", "#5a6573", "#dfe4ea", "#f5f7f9"
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")


def style() -> dict[str, Any]:
    """Return theme and style sheet as Gradio takes them; the page is light whatever the browser prefers."""
    from gradio.themes import Base

    light = {
        "body_background_fill": _PAPER,
        "body_text_color": _INK,
        "body_text_color_subdued": _QUIET,
        "background_fill_primary": "#ffffff",
        "background_fill_secondary": _PAPER,
        "block_background_fill": "#ffffff",
        "block_border_color": _LINE,
        "block_label_background_fill": "#ffffff",
        "block_label_text_color": _QUIET,
        "block_title_text_color": _QUIET,
        "border_color_primary": _LINE,
        "border_color_accent": _ACCENT,
        "color_accent": _ACCENT,
        "color_accent_soft": "#e5f1f8",
        "checkbox_label_background_fill": "#ffffff",
        "checkbox_label_text_color": _INK,
        "input_background_fill": "#ffffff",
        "input_border_color": _LINE,
        "slider_color": _ACCENT,
    }
    theme = Base(font=_FONT, font_mono=("ui-monospace", "monospace"))
    dark = {f"{name}_dark": value for name, value in light.items() if hasattr(theme, f"{name}_dark")}
    return {"theme": theme.set(**light, **dark), "css": (files("cohear.app") / "page.css").read_text("utf-8")}
