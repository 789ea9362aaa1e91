"""The page against clients that mean no good: other files, other names, strange methods, too much, too slow."""

import itertools
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import soundfile

from cohear.app.patience import PATIENCE_S
from faults.strangers_server import Answer, Server, ask, send, served
from faults.tally import Tally

LOOPBACK = "The page is on loopback alone unless another host is given"
FILES = "The page serves no file but its own and what was uploaded to it"
NAMES = "Requests by another name, for another site or on somebody's behalf are refused"
METHODS = "Requests of other methods, of no length or of two, and of other protocols are refused"
SIZE = "Uploads of more than 100 MiB or ten minutes are refused, and none lands outside its folder"
SLOW = "Clients that send slowly or not at all stop nobody, and are hung up on"

_ROOTS = (
    *("/", "//", "/file=", "/file/", "/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/theme.css/"),
    *("/custom_component/", "/gradio_api/custom_component/", "/proxy=", "/gradio_api/proxy=", "/gradio_api/stream/"),
    *("/svelte/", "/gradio_api/file=./", "/static/fonts/", "/gradio_api/queue/", "/gradio_api/upload/"),
)
_ELSEWHERE = (
    *("{0}", "..{0}", "../../../../../../../../../..{0}", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{0}"),
    *("..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..{0}", "..%252f..%252f..%252f..%252f..%252f..%252f..%252f{0}"),
    *("..\\..\\..\\..\\..\\..\\..{0}", "%5c..%5c..%5c..%5c..{0}", "....//....//....//....//....//..{0}", "{1}"),
    *("{2}/../..{0}", "{2}/%2e%2e/%2e%2e{0}", "{2}{0}", "{2}/link", "{0}%00.wav", "file://{0}", ";{0}", "?{0}", "~/x"),
    *("http://127.0.0.1:{3}/config", "https://example.org/", "//example.org/", "{2}", "{2}/"),
)
"""After a root: 0 a secret file, 1 the same quoted, 2 the folder of uploads, 3 the page's own port."""
_CLOSED = (
    *("/docs", "/redoc", "/openapi.json", "/login", "/logout", "/token", "/user", "/monitoring", "/app_id", "/mcp"),
    *("/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/api/x", "/gradio_api/run/0", "/gradio_api/call/0"),
    *("/gradio_api/component_server", "/gradio_api/deep_link", "/gradio_api/vibe-edit/", "/gradio_api/dev/reload"),
    *("/gradio_api/mcp/sse", "/gradio_api/reset", "/gradio_api/cancel", "/gradio_api/process_recording", "/robots.txt"),
    *("/.env", "/.git/config", "/config.json", "/model.safetensors", "/run", "/page.css", "/api", "/queue/join"),
)


def trials(scene: Path, scratch: Path, quick: bool) -> Iterator[Tally]:
    """Serve a page and attack it."""
    secret = scratch / "secret.txt"
    secret.write_text("a secret of the machine")
    with served(scene / "model.cohear", scratch / "page") as server:
        yield _loopback(server, scene, scratch, quick)
        yield _files(server, secret)
        yield _names(server)
        yield _methods(server)
        yield _size(server, scratch, quick)
        yield _slow(server, 50 if quick else 120)


def _loopback(server: Server, scene: Path, scratch: Path, quick: bool) -> Tally:
    """Look where a page can be reached that was given no host, and what one says that was."""
    hosts = {} if quick else {"localhost": {"127.0.0.1", "::1"}, "127.0.0.1": {"127.0.0.1"}}
    tally = Tally(LOOPBACK, 2 + len(hosts))
    tally.judge("by default", _reached_at(server, {"127.0.0.1"}))
    for host, expected in hosts.items():
        with served(scene / "model.cohear", scratch / f"page of {host}", "--host", host) as other:
            tally.judge(f"--host {host}", _reached_at(other, expected))
    with served(scene / "model.cohear", scratch / "open page", "--host", "0.0.0.0") as other:
        refused, answered = ask(other, "/", host="rebound.example"), ask(other, "/", host=f"192.0.2.1:{other.port}")
        problem = None if (refused.status, answered.status) == (421, 200) else f"{refused.status}, {answered.status}"
        tally.judge("--host 0.0.0.0 answers by address, and by no name of the internet", problem)
    return tally


def _reached_at(server: Server, expected: set[str]) -> str | None:
    """Say where else than expected the system has the port open."""
    found = set()
    for family, table in ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6")):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if int(port, 16) == server.port and state == "0A":  # it listens
                words = np.array([int(address[k : k + 8], 16) for k in range(0, len(address), 8)], ">u4")
                found.add(socket.inet_ntop(family, words.byteswap().tobytes()))
    return None if found and found <= expected else f"it is open at {sorted(found)}"


def _files(server: Server, secret: Path) -> Tally:
    """Ask for other files in every way."""
    uploads = next(server.temporary.glob("cohear-listen-*"))
    (uploads / "link").symlink_to(secret)
    quoted = quote(str(secret), safe="")
    ends = [end.format(secret, quoted, uploads, server.port) for end in _ELSEWHERE]
    ends += [end.format("/etc/passwd", "%2fetc%2fpasswd", uploads, server.port) for end in _ELSEWHERE[:9]]
    paths = [*(root + end for root, end in itertools.product(_ROOTS, ends)), *_CLOSED]
    tally = Tally(FILES, len(paths))
    for path in paths:
        answer = ask(server, path.replace(" ", "%20"))
        leaked = next((word for word in (b"a secret of", b"root:", b"Example Domain") if word in answer.body), None)
        is_page = path in ("/", "//") or path.startswith(("/?", "//?"))
        wrong = answer.status == 200 and not is_page
        tally.judge(path, f"status {answer.status}, {leaked!r}: {answer.body[:60]!r}" if leaked or wrong else None)
    (uploads / "link").unlink()
    return tally


def _names(server: Server) -> Tally:
    """Ask by other names, from other sites, and for others."""
    port, other = server.port, "rebound.example"
    hosts = [other, f"{other}:{port}", f"127.0.0.1.{other}", f"localhost.{other}:{port}", f"127.0.0.1@{other}", ""]
    hosts += [f"{other}#@127.0.0.1", "[::1", "[evil]", "0.0.0.0", "192.0.2.1", f"127.0.0.2:{port}", None]
    origins = [
        f"http://{other}",
        f"https://{server.name}.{other}",
        "null",
        "file://",
        "http://127.0.0.1:1",
        "http://[::1",
    ]
    origins += [f"http://localhost:{port}", "", f"http://user@{server.name}"]
    wanted = [("/", "GET", {"host": host}, (421, 400)) for host in hosts]
    for path, method in (
        ("/", "GET"),
        ("/config", "GET"),
        ("/gradio_api/upload", "POST"),
        ("/gradio_api/queue/join", "POST"),
    ):
        wanted += [(path, method, {"origin": origin}, (403,)) for origin in origins]
    tally = Tally(NAMES, len(wanted) + 5)
    for path, method, headers, statuses in wanted:
        answer = ask(server, path, method, b"{}" if method == "POST" else b"", **headers)
        tally.judge(f"{method} {path} {headers}", None if answer.status in statuses else f"status {answer.status}")
    for name in ("x_forwarded_host", "x_forwarded_for", "x_forwarded_prefix", "forwarded", "x_forwarded_server"):
        answer = ask(server, "/config", **{name: other})
        problem = "it is in the answer" if other.encode() in answer.body else None
        tally.judge(name, problem or (None if answer.status == 200 else f"status {answer.status}"))
    return tally


def _methods(server: Server) -> Tally:
    """Ask in other ways than a browser."""
    pages = ("/", "/config", "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/queue/data", "/static/x")
    methods = ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "PROPFIND", "PRI", "get")
    line = f"\r\nHost: {server.name}\r\n"
    post, get = f"POST /gradio_api/upload HTTP/1.1{line}", f"GET /gradio_api/queue/join HTTP/1.1{line}"
    event = post.replace("upload", "queue/join")
    raw = {
        "in chunks": f"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "an event in chunks": f"{event}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n",
        "two lengths": f"{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "length and chunks": f"{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a negative length": f"{post}Content-Length: -5\r\n\r\nhello",
        "a length with a sign": f"{post}Content-Length: +5\r\n\r\nhello",
        "another number's digits": f"{post}Content-Length: \u00b2\r\n\r\nhello",
        "no length": f"{post}\r\nhello",
        "two hosts": f"GET / HTTP/1.1{line}Host: rebound.example\r\n\r\n",
        "another address": f"GET http://rebound.example/ HTTP/1.1{line}Connection: close\r\n\r\n",
        "no host": "GET / HTTP/1.0\r\n\r\n",
        "a web socket": f"{get}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a folded head": f"GET / HTTP/1.1{line}X: a\r\n b\0\r\n\r\n",
        "a huge head": f"GET / HTTP/1.1{line}X: {'x' * 200_000}\r\n\r\n",
        "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "another method's name": f"{post}X-HTTP-Method-Override: PUT\r\nContent-Length: 0\r\n\r\n",
    }
    tally = Tally(METHODS, len(pages) * len(methods) + len(raw))
    for method, path in itertools.product(methods, pages):
        answer = ask(server, path, method)
        tally.judge(f"{method} {path}", _is_refusal(answer))
    for name, request in raw.items():
        tally.judge(name, _is_refusal(send(server, request.encode("latin-1"), 25)))
    tally.judge("and then a browser", None if ask(server, "/").status == 200 else "it has no answer")
    return tally


def _is_refusal(answer: Answer) -> str | None:
    refused = answer.status == 0 or 400 <= answer.status < 500
    return None if refused else f"status {answer.status}: {answer.body[:80]!r}"


def _size(server: Server, scratch: Path, quick: bool) -> Tally:
    """Upload too much, too long, and under strange names."""
    names = (
        "../../../../escaped.wav",
        "/escaped.wav",
        "..\\..\\escaped.wav",
        "..",
        ".",
        "",
        "a%2f..%2fb",
        "~/x",
        "a\0b",
    )
    tally = Tally(SIZE, 3 + len(names) + 2)
    for length in (101 << 20, 10**12, 10**30):
        head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {server.name}\r\nContent-Length: {length}\r\n\r\n"
        answer = send(server, head.encode())
        tally.judge(f"{length} bytes", None if answer.status in (400, 413) else f"status {answer.status}")
    for name in names:
        answer = upload(server, name, b"nothing")
        away = [str(path) for path in scratch.rglob("*escaped*") if "cohear-listen" not in str(path)]
        away += [str(path) for path in server.temporary.iterdir() if not path.name.startswith("cohear-listen-")]
        tally.judge(f"as {name!r}", f"it made {away[0]}" if away or answer.status >= 500 else None)
    for name in ("evil.html", "evil.svg"):
        path = json.loads(upload(server, name, b"<script>alert(1)</script>").body)[0]
        head = ask(server, f"/gradio_api/file={path}").head.lower()
        is_safe = "content-disposition: attachment" in head and "nosniff" in head
        tally.judge(f"{name} is given back to keep and not to show", None if is_safe else head)
    durations = {"599 s": 599, "601 s": 601} if quick else {"599 s": 599, "601 s": 601, "a day": 86_400}
    for name, duration_s in durations.items():
        file = scratch / "long.flac"
        soundfile.write(file, np.zeros(duration_s * 8000, np.int16), 8000)
        said = hear(server, json.loads(upload(server, "long.flac", file.read_bytes()).body)[0])
        is_refused, is_right = "lasts longer than 10 minutes" in said, duration_s > 600
        tally.judge(f"a sound of {name}", None if is_refused == is_right else said[:300])
    for path in ("/etc/passwd", "http://127.0.0.1/", "../../secret.txt"):
        said = hear(server, path)
        tally.judge(f"an event on {path}", None if said.startswith("403") else said[:300])
    return tally


def upload(server: Server, name: str, content: bytes) -> Answer:
    """Upload a file as the page does."""
    head = f'--X\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: audio/flac\r\n\r\n'
    body = head.encode() + content + b"\r\n--X--\r\n"
    return ask(server, "/gradio_api/upload", "POST", body, content_type="multipart/form-data; boundary=X")


def hear(server: Server, path: str) -> str:
    """Have the page hear a file, and return all that it says of it."""
    config = json.loads(ask(server, "/config").body)
    uploading = next(its["id"] for its in config["dependencies"] if [name for _, name in its["targets"]] == ["upload"])
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, "orig_name": "long.flac"}
    event = {"data": [file, None, 2, 0.6, 20], "fn_index": uploading, "session_hash": "s", "trigger_id": None}
    joined = ask(server, "/gradio_api/queue/join", "POST", json.dumps(event).encode(), content_type="application/json")
    if joined.status != 200:
        return f"{joined.status} {joined.body!r}"
    request = f"GET /gradio_api/queue/data?session_hash=s HTTP/1.1\r\nHost: {server.name}\r\nConnection: close\r\n\r\n"
    return send(server, request.encode(), 60).body.decode(errors="replace")


def _slow(server: Server, n_lines: int) -> Tally:
    """Hold lines open in every way, and ask as a browser meanwhile."""
    host = f"Host: {server.name}\r\n"
    part = '--X\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    slow_upload = f"POST /gradio_api/upload HTTP/1.1\r\n{host}Content-Type: multipart/form-data; boundary=X\r\n"
    beginnings = {
        "nothing": "",
        "half a line": "GET / HT",
        "half a head": f"GET / HTTP/1.1\r\n{host}X: ",
        "half a body": f"{slow_upload}Content-Length: 50000000\r\n\r\n{part}",
        "half an event": f"POST /gradio_api/queue/join HTTP/1.1\r\n{host}Content-Length: 5000\r\n\r\n{{",
        "a refused body": f"PUT / HTTP/1.1\r\n{host}Content-Length: 5000\r\n\r\nx",
    }
    tally = Tally(SLOW, 1 + len(beginnings))
    lines: dict[str, list[socket.socket]] = {name: [] for name in beginnings}
    for _, (name, beginning) in itertools.product(range(n_lines), beginnings.items()):
        line = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        line.sendall(beginning.encode())
        lines[name].append(line)
    begun = time.monotonic()
    answer = ask(server, "/config")
    waited_s = time.monotonic() - begun
    problem = None if answer.status == 200 and waited_s < 5 else f"status {answer.status} after {waited_s:.1f} s"
    tally.judge(f"another client beside {n_lines} lines of each kind", problem)
    for name, its in lines.items():
        held = [line for line in its if not _is_closed(line, begun + 2 * PATIENCE_S + 5)]
        tally.judge(f"{n_lines} lines with {name}", f"{len(held)} are held longer than promised" if held else None)
        for line in its:
            line.close()
    tally.figures = f"another client waited {waited_s:.1f} s beside {n_lines * len(beginnings)} slow ones"
    return tally


def _is_closed(line: socket.socket, until: float) -> bool:
    """Wait until the server has closed a line."""
    try:
        while True:
            line.settimeout(max(0.01, until - time.monotonic()))
            if not line.recv(1 << 16):
                return True
    except TimeoutError:
        return False
    except ConnectionError:
        return True
