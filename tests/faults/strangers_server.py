"""A real page on loopback, and requests to it byte by byte, as no browser would send them."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVE = "import sys; from cohear.cli import main; main(['listen', *sys.argv[1:], '--port', '0', '--no-open'])"


@dataclass(frozen=True)
class Server:
    """A page that is being served."""

    process: subprocess.Popen
    port: int
    temporary: Path
    """Where it keeps uploads."""

    @property
    def name(self) -> str:
        """What a browser on this machine calls it."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def served(model: Path, temporary: Path, *options: str) -> Iterator[Server]:
    """Serve a page on a free port until the end of the block."""
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SERVE, str(model), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.match(r"listening at http://\S+:(\d+)/", line):
                yield Server(process, int(found[1]), temporary)
                break
        else:
            raise AssertionError(f"no page: {said}")
    finally:
        process.send_signal(signal.SIGINT)
        process.stderr.close()
        process.wait(30)


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where the line was cut without an answer."""

    status: int
    head: str
    body: bytes


def send(server: Server, raw: bytes, timeout_s: float = 20) -> Answer:
    """Send bytes and read until the server closes, or says no more for a while."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as line:
        try:
            line.sendall(raw)
            received = _read(line)
        except (ConnectionError, TimeoutError):
            received = b""
    head, _, body = received.partition(b"\r\n\r\n")
    first = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    return Answer(int(first[1]) if first else 0, head.decode("latin-1"), body)


def ask(server: Server, path: str, method: str = "GET", body: bytes = b"", **headers: str | None) -> Answer:
    """Send a request as a browser would, but for what `headers` says; None leaves one out."""
    named: dict[str, str | None] = {"host": server.name, "connection": "close"}
    if body or method not in ("GET", "HEAD"):
        named["content-length"] = str(len(body))
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value is not None)]
    return send(server, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _read(line: socket.socket) -> bytes:
    received = b""
    while part := line.recv(1 << 16):
        received += part
        head, found, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"\ncontent-length: (\d+)", head, re.IGNORECASE)
        if found and length and len(body) >= int(length[1]):
            break
    return received
