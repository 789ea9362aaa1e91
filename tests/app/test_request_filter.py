"""What the server lets through, request by request."""

import asyncio
import json

import pytest

from cohear.app.request_filter import LOOPBACK_NAMES, RequestFilter

MAX_BYTES = 1000


async def _echo(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "uploads").mkdir()

    def call(path, body=b"", *, any_address=False, parts=1, app=_echo, kind="http", **headers):
        checked = RequestFilter(app, tmp_path / "uploads", LOOPBACK_NAMES, MAX_BYTES, any_address=any_address)
        sent = []
        size = max(1, -(-len(body) // parts))
        pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]

        async def receive():
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        named = {"host": "127.0.0.1:7860", "content-length": str(len(body)), **headers}
        if "transfer_encoding" in headers:
            del named["content-length"]
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()]
        asyncio.run(checked({"type": kind, "path": path, "headers": raw}, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    return call


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/theme.css",
        "/assets/index-1.js",
        "/static/a/b.js",
        "/gradio_api/heartbeat/a1",
        "/gradio_api/upload",
    ],
)
def test_what_the_page_asks_for_passes(ask, path):
    status, headers, body = ask(path, b"hello")
    assert (status, body) == (200, b"hello")
    assert headers[b"x"] == b"y"
    assert b"default-src 'self'" in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/docs", "/openapi.json", "/login", "/monitoring", "/gradio_api/info", "/gradio_api/api/x", "/gradio_api/run/x",
        "/gradio_api/call/x", "/gradio_api/proxy=https://x.hf.space/", "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=https://example.org/", "/gradio_api/file=config.json", "/gradio_api/vibe-edit",
        "/gradio_api/", "/configs", "/\n",
    ],
)  # fmt: skip
def test_nothing_else_is_there(ask, path):
    status, headers, _ = ask(path)
    assert status == 404
    assert b"content-security-policy" in headers


def test_only_uploads_are_served(ask, tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "uploads" / "link").symlink_to(tmp_path / "secret")
    folder = tmp_path / "uploads"
    assert ask(f"/gradio_api/file={folder}/1/a.wav")[0] == 200
    for path in (folder, folder / "link", f"{folder}/../secret", f"{folder}/%2e%2e/secret", f"{folder}x/a.wav"):
        assert ask(f"/gradio_api/file={path}")[0] == 404, path


def test_other_names_and_other_sites_are_refused(ask):
    assert ask("/", host="localhost:1")[0] == ask("/", host="[::1]:1")[0] == 200
    assert ask("/", host="rebound.example:7860")[0] == 421
    assert ask("/", host="")[0] == 421
    for host in (
        "[evil",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example#@127.0.0.1",
        "[::1",
        "127.0.0.1:80.evil.example",
    ):
        assert ask("/", host=host)[0] == 421, host
    assert ask("/gradio_api/upload", origin="http://127.0.0.1:7860")[0] == 200
    for origin in ("http://evil.example", "http://127.0.0.1:8000", "null", "http://[::1", ""):
        assert ask("/gradio_api/upload", origin=origin)[0] == 403


def test_where_others_are_let_in_they_ask_by_address(ask):
    for host in ("192.0.2.1:7860", "[2001:db8::1]:7860", "192.0.2.1", "localhost"):
        assert ask("/", host=host, any_address=True)[0] == 200, host
    assert ask("/", host="192.0.2.1")[0] == 421
    for host in ("rebound.example:7860", "192.0.2.1.rebound.example", "[2001:db8::1", ""):
        assert ask("/", host=host, any_address=True)[0] == 421, host


def test_nobody_says_on_whose_behalf_he_asks(ask):
    async def show(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(scope["headers"]).encode()})

    forwarded = {"x_forwarded_host": "evil.example", "x_forwarded_for": "evil.example", "forwarded": "evil.example"}
    _, _, seen = ask("/", app=show, cookie="a=b", **forwarded)
    assert b"evil.example" not in seen
    assert b"a=b" in seen


def test_endless_paths_and_other_protocols_are_refused(ask):
    assert ask(f"/static/{'x' * 5000}")[0] == 414
    assert ask("/x", kind="websocket")[0] == 404


def test_huge_requests_are_refused_unread(ask):
    assert ask("/gradio_api/upload", content_length=str(MAX_BYTES))[0] == 200
    assert ask("/gradio_api/upload", content_length=str(MAX_BYTES + 1))[0] == 413
    assert ask("/gradio_api/upload", content_length="many")[0] == 413
    assert ask("/gradio_api/upload", transfer_encoding="chunked")[0] == 413


@pytest.mark.parametrize("parts", [1, 7])
def test_events_reach_the_page_with_uploads_and_no_other_file(ask, tmp_path, parts):
    def event(*paths):
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
        body = json.dumps({"data": [2, None, [{"deep": files}]], "fn_index": 0}).encode()
        status, _, answer = ask("/gradio_api/queue/join", body, parts=parts)
        assert status == 403 or answer == body
        return status

    upload = str(tmp_path / "uploads" / "1" / "a.wav")
    assert event() == event(upload) == event(upload, upload) == 200
    for path in (
        "/etc/passwd",
        "http://127.0.0.1/",
        "https://example.org/a.wav",
        f"{upload}/../../../x",
        "a.wav",
        None,
        3,
    ):
        assert event(upload, path) == event(path) == 403, path


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b'{"path": "/etc/passwd", "path": "%b"}', b'{"p\\u0061th": "/etc/passwd"}', b"[" * 90_000,
        b"1" * 200_000,
    ],
    ids=range(7),
)  # fmt: skip
def test_events_that_cannot_be_looked_through_are_refused(ask, tmp_path, body):
    upload = str(tmp_path / "uploads" / "a.wav").encode()
    assert ask("/gradio_api/queue/join", body.replace(b"%b", upload), content_length="9")[0] == 403
