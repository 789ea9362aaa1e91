"""What is answered, request by request, by the page itself; and the port that it takes."""

import asyncio
import os
import socket

import pytest

from cohear.app import server
from cohear.app.page import build_page
from cohear.app.server import address_of, guarded, is_loopback, offline_gradio, take_port
from cohear.cli import run
from cohear.errors import UserError

pytest.importorskip("gradio")
SITE = "evil.example"


@pytest.fixture(scope="module")
def answered(classifier, noise, tmp_path_factory):
    """Ask the page for a path, and return status and body."""
    from fastapi.testclient import TestClient

    with pytest.MonkeyPatch.context() as environment:
        uploads = tmp_path_factory.mktemp("uploads")
        environment.setenv("GRADIO_TEMP_DIR", str(uploads))

        environment.setattr(server, "MAX_UPLOAD_MIB", 1)

        async def build():  # where no event loop runs, Gradio makes one and leaves it open
            page = build_page(classifier, "run", "made-up sounds", {"noise": lambda: noise})
            return guarded(page, uploads, {"localhost"})

        with TestClient(asyncio.run(build()), base_url="http://localhost", follow_redirects=False) as client:

            def ask(path, method="GET", **request):
                return client.request(method, path, **request)

            ask.uploads = uploads
            yield ask


def test_the_page_asks_for_nothing_from_outside(answered):
    for path in ("/", "/config", "/theme.css"):
        answer = answered(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/docs", "/openapi.json", "/monitoring", "/gradio_api/info", "/gradio_api/run/x", "/gradio_api/call/x",
        "/gradio_api/proxy=https://x.hf.space/", "/gradio_api/file=/etc/passwd", "/gradio_api/file//etc/passwd",
        "/gradio_api/file=https://example.org/", "/gradio_api/file=config.json", "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/gradio_api/component_server", "/nothing",
    ],
)  # fmt: skip
def test_nothing_but_the_page_is_there(answered, path):
    assert answered(path).status_code in (403, 404)


def test_only_uploads_are_served(answered):
    folder = answered.uploads
    (folder.parent / "secret").write_text("a secret")
    (folder / "link").symlink_to(folder.parent / "secret")
    sent = answered("/gradio_api/upload", "POST", files={"files": ("../../a.html", b"<script>alert(1)</script>")})
    (path,) = sent.json()
    assert folder in type(folder)(path).resolve().parents
    back = answered(f"/gradio_api/file={path}")
    assert (back.status_code, back.content) == (200, b"<script>alert(1)</script>")
    assert back.headers["content-disposition"].startswith("attachment")
    for path in (folder, folder / "link", f"{folder}/../secret", f"{folder}/%2e%2e/secret", f"{folder}x/a.wav"):
        assert answered(f"/gradio_api/file={path}").status_code == 404, path


@pytest.mark.parametrize("nested", [False, True])
def test_an_event_reaches_the_page_with_uploads_and_no_other_file(answered, nested):
    def event(*paths):
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
        data = [2, None, [{"deep": files}]] if nested else files
        body = {"data": data, "fn_index": 0, "session_hash": "s"}
        return answered("/gradio_api/queue/join", "POST", json=body).status_code

    upload = str(answered.uploads / "1" / "a.wav")
    assert event(upload) == event(upload, upload) == 200
    for path in ("/etc/passwd", "http://127.0.0.1/", "https://example.org/a.wav", f"{upload}/../../../x", "a.wav", 3):
        assert event(upload, path) == event(path) == 403, path


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 90_000, b'{"p\\u0061th": "/etc/passwd"}'], ids=range(5))
def test_an_event_that_cannot_be_looked_through_is_refused(answered, body):
    assert answered("/gradio_api/queue/join", "POST", content=body).status_code in (400, 403)


def test_other_names_and_other_sites_are_refused(answered):
    for host in ("localhost:1", "127.0.0.1:7860", "[::1]:1", "192.0.2.1"):
        assert answered("/", headers={"host": host}).status_code == 200, host
    for host in (SITE, f"{SITE}:7860", f"127.0.0.1.{SITE}", f"localhost.{SITE}", f"{SITE}#@127.0.0.1", "[evil", ""):
        assert answered("/", headers={"host": host}).status_code == 421, host
    for origin in (f"http://{SITE}", "http://localhost:8000", "null", ""):
        assert answered("/gradio_api/upload", "POST", headers={"origin": origin}).status_code == 403, origin
    assert answered("/config", headers={"origin": "http://localhost"}).status_code == 200


def test_huge_uploads_are_refused(answered):
    files = {"files": ("a.wav", bytes((1 << 20) + 1))}
    assert answered("/gradio_api/upload", "POST", files=files).status_code == 413


def test_a_port_is_taken_at_once_and_by_one(monkeypatch):
    with take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener, "127.0.0.1") == address_of(listener, "0.0.0.0") == f"http://127.0.0.1:{port}/"
        assert address_of(listener, "::") == f"http://[::1]:{port}/"
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(UserError, match=rf"--port {port} of 127.0.0.1"):
            take_port("127.0.0.1", port)
        monkeypatch.setattr(server, "USUAL_PORT", port)
        with take_port("127.0.0.1", None) as other:
            assert 0 < other.getsockname()[1] != port
    with take_port("127.0.0.1", None) as listener:
        assert listener.getsockname()[1] == port
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1"):  # RFC 5737: nobody's
        take_port("192.0.2.1", None)


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_a_page_is_on_this_machine_alone_unless_another_host_is_given(monkeypatch, capsys, tmp_path, host, alone):
    import cohear
    from cohear.app import page, sounds

    served = []
    monkeypatch.setattr(cohear, "load", lambda run: None)
    monkeypatch.setattr(sounds, "examples", lambda *_: ("", {}))
    monkeypatch.setattr(page, "build_page", lambda *_: None)
    monkeypatch.setattr(server, "serve", lambda _, listener, *__: served.append(is_loopback(listener)))
    options = [] if host == "127.0.0.1" else ["--host", host]
    assert run(["listen", str(tmp_path), *options, "--port", "0", "--no-open"]) == 0
    assert served == [alone]
    assert len(capsys.readouterr().err.splitlines()) == (1 if alone else 2)


def test_gradio_is_kept_offline_and_its_files_are_gone_at_the_end(monkeypatch):
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    with offline_gradio() as uploads:
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["GRADIO_TEMP_DIR"] == str(uploads)
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        (uploads / "a.wav").write_text("a recording")
    assert not uploads.exists()
