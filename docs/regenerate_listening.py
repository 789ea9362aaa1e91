"""Make the pictures of `docs/listening.md` anew: `python docs/regenerate_listening.py RUN`.

RUN is a finished run whose data are still there. The tests of the page drive it with the same functions.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

FOLDER = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FAKE_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

# A server that reaches for anything says so, and fails.
SERVER = """
import socket, sys
from cohear.cli import main

def refuse(self, address):
    print("it tried to reach", address, file=sys.stderr)
    raise OSError("no network")

socket.socket.connect = socket.socket.connect_ex = refuse
main(["listen", *sys.argv[1:], "--port", "0", "--no-open"])
"""


def chromium() -> str | None:
    """Return the browser: what COHEAR_BROWSER says, else the first of the usual names that is installed."""
    chosen = os.environ.get("COHEAR_BROWSER")
    return shutil.which(chosen) if chosen else next(filter(None, map(shutil.which, CHROMIUM)), None)


@dataclass
class Served:
    """A page that is being served."""

    process: subprocess.Popen
    address: str = ""
    said: list[str] = field(default_factory=list)
    """What the server wrote to stderr, once it was stopped."""

    def stop(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read().splitlines()
        self.process.stderr.close()
        return self.process.wait(30)


@contextmanager
def served(run: Path, **environment: str) -> Iterator[Served]:
    """Serve the page of a run on a free port, by a process that cannot reach anything."""
    command = [sys.executable, "-c", SERVER, str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    server = Served(process)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.match(r"listening at (http\S+)", line):
                server.address = found[1]
                break
            server.said.append(line)
        assert server.address, server.said
        yield server
    finally:
        if process.poll() is None:
            server.stop()


@contextmanager
def browsing(executable: str) -> Iterator[Browser]:
    """Run a browser without a window, with a microphone that beeps."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-background-networking", *FAKE_MICROPHONE]
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, width: int = 1180, height: int = 900, **options: object) -> Iterator[Page]:
    """Open a page; what would be loaded from elsewhere is aborted, and at the end an AssertionError names it all."""
    left: list[str] = []

    def keep_in(route: Route) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            left.append(route.request.url)
            route.abort()

    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.grant_permissions(["microphone"])
    context.route("**/*", keep_in)
    context.route_web_socket("**/*", lambda socket: left.append(socket.url))
    page = context.new_page()
    page.on("console", lambda message: "Content Security Policy" in message.text and left.append(message.text))
    try:
        page.goto(address)
        page.wait_for_selector("#slider-masks input[type=range]")
        yield page
    finally:
        context.close()
    assert not left, left


def move(page: Page, slider: str, amount: str) -> None:
    """Move a slider, and wait until its view has followed."""
    before = page.inner_text(f"#view-{slider} .done")
    page.fill(f"#slider-{slider} input[type=range]", amount)
    page.wait_for_function(
        "([place, before]) => document.querySelector(place).innerText !== before", arg=[f"#view-{slider} .done", before]
    )


def picture(page: Page) -> bytes:
    """Take the picture of what is in sight of a page, in few colors, which compress well."""
    smaller = io.BytesIO()
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    taken.quantize(128, dither=Image.Dither.NONE).save(smaller, "png", optimize=True)
    return smaller.getvalue()


def regenerate(run: Path, example: str) -> None:
    """Write `listening.png` and `listening-phone.png`."""
    executable = chromium()
    assert executable, "no Chromium: make browser"
    with served(run) as server, browsing(executable) as browser:
        for name, width, height in (("listening", 1180, 970), ("listening-phone", 390, 780)):
            with opened(browser, server.address, width, height) as page:
                page.click(f"#offered label:has-text('{example}')")
                page.wait_for_function(
                    "label => document.querySelector('#offered .selected').innerText === label", arg=example
                )
                move(page, "pitch", "5")
                move(page, "masks", "40")
                page.evaluate("place => window.scrollTo(0, place)", 0 if width > 700 else 1110)
                (FOLDER / f"{name}.png").write_bytes(picture(page))


if __name__ == "__main__":
    regenerate(Path(sys.argv[1]), *sys.argv[2:] or ["crackling_fire"])
