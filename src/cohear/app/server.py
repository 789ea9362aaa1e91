"""A page on a port of this machine, until somebody stops it."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cohear.app.excerpts import MAX_UPLOAD_MIB
from cohear.app.patience import patient_protocol
from cohear.app.request_filter import LOOPBACK_NAMES, RequestFilter
from cohear.errors import UserError

if TYPE_CHECKING:
    import gradio

USUAL_PORT = 7860
_OFFLINE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


def check_gradio() -> None:
    """Refuse to go on without Gradio.

    Raises:
        UserError: that says how to install it.
    """
    if find_spec("gradio") is None:
        raise UserError("`cohear listen` needs Gradio, which is not installed; run pip install 'cohear[app]'")


def take_port(host: str, port: int | None) -> socket.socket:
    """Take a port, so that nobody else can and its address can be told.

    Args:
        host: name or address of this machine.
        port: 0: a free one; None: 7860, or a free one where that is taken.

    Raises:
        UserError: where the port is taken or not permitted, or the host is not this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UserError(f"--host {host} is no address of this machine ({error.strerror}); leave it out") from error
    refusal = OSError()
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address[0], wanted))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            refusal = error
    place = f"--port {port} of {host}" if port else f"--host {host}"
    raise UserError(f"{place} cannot be used ({refusal.strerror}); give another, or leave it out") from refusal


def is_loopback(listener: socket.socket) -> bool:
    """Say whether only this machine reaches a port, by its address: a machine's name may mean either."""
    return ip_address(listener.getsockname()[0]).is_loopback


def is_everywhere(listener: socket.socket) -> bool:
    """Say whether a port is one of every address that this machine has."""
    return ip_address(listener.getsockname()[0]).is_unspecified


def own_names() -> set[str]:
    """Return what others in the same network may call this machine; names of the internet may be anybody's."""
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


def address_of(listener: socket.socket, host: str) -> str:
    """Return what to type into a browser on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}/"


@contextmanager
def offline_gradio() -> Iterator[Path]:
    """Make Gradio tell nobody, and keep what it is given in one folder, which is gone at the end.

    To be entered before Gradio is imported. What the environment says to other Gradio pages does not count here.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    try:
        with tempfile.TemporaryDirectory(prefix="cohear-listen-") as uploads:
            os.environ.update(_OFFLINE, GRADIO_TEMP_DIR=uploads)
            yield Path(uploads)
    finally:
        os.environ.clear()
        os.environ.update(before)


def serve(page: "gradio.Blocks", listener: socket.socket, host: str, uploads: Path) -> None:
    """Serve a page until a signal comes, which is then given to whoever waited for it before.

    Args:
        page: what is served.
        listener: from `take_port`.
        host: for which it was taken.
        uploads: from `offline_gradio`.
    """
    import fastapi
    import gradio as gr
    import uvicorn

    from cohear.app.style import style

    # Not `page.launch`, which asks the network whether it is there, by way of a proxy if there is one.
    outer = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        outer,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=MAX_UPLOAD_MIB << 20,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        show_error=False,
        **style(),
    )
    is_open = not is_loopback(listener)
    names = LOOPBACK_NAMES | {host.lower()} | (own_names() if is_open else set())
    app = RequestFilter(outer, uploads, names, max_bytes=(MAX_UPLOAD_MIB + 1) << 20, any_address=is_open)
    config = uvicorn.Config(
        app,
        http=patient_protocol(),
        ws="none",
        log_level="critical",
        timeout_graceful_shutdown=1,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
