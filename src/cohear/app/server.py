"""The page on a port of this machine, until somebody stops it; and what is answered there.

Gradio serves more than a page needs, and opens whatever file or address a request names in place of an upload. Here
only what the page asks for passes, with no files but uploads; a web site can neither post here nor let a name of its
own point here; and the browser is forbidden to load anything from anywhere else.
"""

import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cohear.errors import UserError

if TYPE_CHECKING:
    import fastapi
    import gradio

USUAL_PORT = 7860
MAX_UPLOAD_MIB = 100
"""MiB of a file; ten minutes of a CD are 101."""

_OFFLINE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
_FILE, _EVENT = "/gradio_api/file=", "/gradio_api/queue/join"
_ASKED_FOR = re.compile(
    r"/|/config|/theme\.css|/manifest\.json|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|upload|upload_progress|queue/join|queue/data|heartbeat/\w+|file=.*)"
)
_HEADERS = {
    "content-security-policy": "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def take_port(host: str, port: int | None) -> socket.socket:
    """Take a port, so that nobody else can and its address can be told.

    Args:
        host: name or address of this machine.
        port: 0: a free one; None: 7860, or a free one where that is taken.

    Raises:
        UserError: where the port is taken or not permitted, or the host is not this machine.
    """
    family, refusal = socket.AF_INET6 if ":" in host else socket.AF_INET, OSError()
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        try:
            return socket.create_server((host, wanted), family=family)
        except OSError as error:
            refusal = error
    place = f"--port {port} of {host}" if port else f"--host {host}"
    raise UserError(f"{place} cannot be used ({refusal.strerror}); give another, or leave it out") from refusal


def is_loopback(listener: socket.socket) -> bool:
    """Say whether only this machine reaches a port, by its address: a machine's name may mean either."""
    return ip_address(listener.getsockname()[0]).is_loopback


def address_of(listener: socket.socket, host: str) -> str:
    """Return what to type into a browser on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}/"


@contextmanager
def offline_gradio() -> Iterator[Path]:
    """Make Gradio tell nobody, and keep what it is given in one folder, which is gone at the end.

    To be entered before Gradio is imported.
    """
    with tempfile.TemporaryDirectory(prefix="cohear-listen-") as uploads:
        os.environ.update(_OFFLINE, GRADIO_TEMP_DIR=uploads)
        yield Path(uploads)


def serve(page: "gradio.Blocks", listener: socket.socket, host: str, uploads: Path) -> None:
    """Serve a page until a signal comes, which is then given to whoever waited for it before.

    Args:
        page: what is served.
        listener: from `take_port`.
        host: for which it was taken.
        uploads: from `offline_gradio`.
    """
    import uvicorn

    # What others in the same network may call this machine; names of the internet may be anybody's.
    own = socket.gethostname().lower()
    names = {"localhost", host.lower()} | (set() if is_loopback(listener) else {own, f"{own}.local"})
    app = guarded(page, uploads, names)
    config = uvicorn.Config(
        app, ws="none", log_level="critical", timeout_graceful_shutdown=1, proxy_headers=False, server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])


def guarded(page: "gradio.Blocks", uploads: Path, names: set[str]) -> "fastapi.FastAPI":
    """Put a page behind a check of every request.

    Args:
        page: what is served.
        uploads: the one folder from which files are taken and served.
        names: host names by which the page may be asked for, in small letters. Addresses in digits may always: nobody
            can let one point elsewhere.
    """
    import fastapi
    import gradio as gr
    from fastapi.responses import PlainTextResponse
    from gradio.themes import Base

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def check(request: fastapi.Request, answer: Any) -> fastapi.Response:
        body = await request.body() if request.url.path == _EVENT else b"null"
        refusal = _refusal(request.url.path, request.headers, body, uploads.resolve(), names)
        response = PlainTextResponse(f"{refusal[1]}\n", refusal[0]) if refusal else await answer(request)
        response.headers.update(_HEADERS)
        return response

    # Not `page.launch`, which asks the network whether it is there, by way of a proxy if there is one.
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=MAX_UPLOAD_MIB << 20,
        show_error=False,
        theme=Base(font=("system-ui", "sans-serif"), font_mono="monospace"),
        css_paths=Path(__file__).with_name("page.css"),
    )


def _refusal(path: str, headers: Any, body: bytes, uploads: Path, names: set[str]) -> tuple[int, str] | None:
    """Return status and reason where a request is not the page's own."""

    def is_upload(name: Any) -> bool:
        return isinstance(name, str) and Path(name).is_absolute() and uploads in Path(name).resolve().parents

    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_called(host, names):
        return 421, "this page does not go by that name; ask for it by its address"
    if origin is not None and origin.partition("://")[2] != host:
        return 403, "other sites may not ask here"
    if not _ASKED_FOR.fullmatch(path) or (path.startswith(_FILE) and not is_upload(path[len(_FILE) :])):
        return 404, "nothing is here"
    files: list[Any] = []  # Gradio knows them by their `path`, wherever it stands
    try:
        json.loads(body, object_hook=lambda its: files.extend(its[name] for name in its if name == "path"))
    except (ValueError, RecursionError):
        return 400, "no event"
    return None if all(map(is_upload, files)) else (403, "files are taken as uploads only")


def _is_called(host: str, names: set[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in names or bool(ip_address(name))
    except ValueError:
        return False
