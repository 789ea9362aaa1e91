"""What a page of HTML or Markdown is made of, and what names made of it."""

import base64
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt


@dataclass
class Outline(HTMLParser):
    """What a page is made of."""

    elements: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    torn: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, tuple(sorted(name for name, _ in attrs))))
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "img", "br", "link", "input", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag != "path" and (not self.open or self.open.pop() != tag):
            self.torn = self.torn or f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.elements.add(("comment", (data[:40],)))


def _outline(file: Path) -> Outline:
    outline = Outline()
    outline.feed(file.read_text("utf-8"))
    outline.close()
    return outline


def page_problem(harmless: Path, hostile: Path, shown: Sequence[str]) -> str | None:
    """Say what names did to a page, beside the same page with harmless ones; `shown` must be on it."""
    plain, found = _outline(harmless), _outline(hostile)
    if more := sorted(found.elements - plain.elements):
        return f"{len(more)} elements are new, as {more[0]}"
    if found.torn or found.open:
        return f"elements do not nest: {found.torn or found.open}"
    if elsewhere := [address for address in found.addresses if not address.startswith("data:")]:
        return f"it leads to {elsewhere[0]!r:.80}"
    text = " ".join(found.text.split())
    if hidden := [name for name in shown if " ".join(name.split()) not in text]:
        return f"{hidden[0]!r} is not on it"
    return _pictures_problem(plain.addresses, found.addresses)


def _pictures_problem(harmless: Sequence[str], hostile: Sequence[str]) -> str | None:
    """Say what is wrong with pictures that names are written in."""
    known = {element for address in harmless for element in _svg_elements(address)}
    for address in hostile:
        try:
            found = set(_svg_elements(address))
        except ElementTree.ParseError as error:
            return f"a picture cannot be read: {error}"
        if more := sorted(found - known):
            return f"a picture has {more[0]}"
    return None


def _svg_elements(address: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    kind, _, content = address.partition(",")
    if "svg" in kind:
        data = base64.b64decode(content) if "base64" in kind else urllib.parse.unquote_to_bytes(content)
        for element in ElementTree.fromstring(data).iter():
            yield element.tag, tuple(sorted(name for name in element.attrib if name.startswith("on") or "href" in name))


def markdown_problem(harmless: Path, hostile: Path) -> str | None:
    """Say what names did to a page of Markdown."""
    known, found = (_markdown(file.read_text("utf-8")) for file in (harmless, hostile))
    if more := sorted(set(found) - set(known)):
        return f"new are {more}"
    return f"{len(found)} parts in place of {len(known)}" if len(found) != len(known) else None


def _markdown(text: str) -> list[str]:
    """List the kinds of the parts of a text, code and plain text aside."""
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = [token.type for token in parsed]
    inner = [child.type for token in parsed for child in token.children or ()]
    return kinds + [kind for kind in inner if kind not in ("text", "softbreak", "code_inline", "text_special")]
