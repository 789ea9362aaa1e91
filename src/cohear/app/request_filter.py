"""What the server answers to: its own page, asked for by its own name, and nothing that leads elsewhere.

Gradio serves more than a page needs, and opens whatever file or address a request names in place of an upload. Here
only what the page asks for passes, with no files but uploads; other sites can neither read nor post (their origin, or
a name of theirs that they let point here, is refused); nothing says on whose behalf somebody asks; and a content
security policy forbids the browser to load anything from anywhere else.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""What a browser on this machine calls it."""

_ASKED_FOR = re.compile(
    r"/|/config|/theme\.css|/manifest\.json|/favicon\.ico|/(assets|static)/.*"
    r"|/gradio_api/(startup-events|upload|upload_progress|queue/join|queue/data|heartbeat/\w+|file=.*)"
)
_FILE, _EVENT = "/gradio_api/file=", "/gradio_api/queue/join"
_MAX_EVENT_BYTES, _MAX_PATH = 100_000, 1000
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        b"connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class _Refusal(NamedTuple):
    status: int
    reason: str


class RequestFilter:
    """Refuse every request that is not the page's own.

    Args:
        app: what answers the others.
        uploads: the one folder from which files are taken and served.
        names: host names by which the page may be asked for, in small letters.
        any_address: whether it may be asked for by any address in digits as well, which nobody can let point elsewhere.
        max_bytes: of a request.
    """

    def __init__(
        self, app: App, uploads: Path, names: frozenset[str], max_bytes: int, *, any_address: bool = False
    ) -> None:
        self._app, self._uploads, self._max_bytes = app, uploads.resolve(), max_bytes
        self._names, self._any_address = names, any_address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":  # the server's own beginning and end
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and scope["path"] == _EVENT:
            body = await _read(receive)
            if body is not None and self._has_only_uploads(body):
                receive = _once(body)
            else:
                refusal = _Refusal(403, "files are taken as uploads only")
        if refusal is None:
            await self._app({**scope, "headers": _for_oneself(scope["headers"])}, receive, _with_headers(send))
        else:
            await _refuse(send, refusal)

    def _refusal(self, scope: Message) -> _Refusal | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        if not self._is_called(_part(f"//{host}", "hostname")):
            return _Refusal(421, "this page does not go by that name; ask for it by its address")
        if origin is not None and (not host or _part(origin, "netloc") != host):
            return _Refusal(403, "other sites may not ask here")
        path = unquote(scope["path"])
        if len(path) > _MAX_PATH:
            return _Refusal(414, "no path here is so long")
        if not _ASKED_FOR.fullmatch(path) or (path.startswith(_FILE) and not self._is_upload(path[len(_FILE) :])):
            return _Refusal(404, "nothing is here")
        length = headers.get(b"content-length", "" if b"transfer-encoding" in headers else "0")  # chunks tell no length
        if not length.isdigit() or int(length) > self._max_bytes:
            return _Refusal(413, f"at most {self._max_bytes} bytes are taken")
        return None

    def _is_called(self, name: str) -> bool:
        return name in self._names or (self._any_address and _is_address(name))

    def _is_upload(self, name: Any) -> bool:
        return isinstance(name, str) and Path(name).is_absolute() and self._uploads in Path(name).resolve().parents

    def _has_only_uploads(self, body: bytes) -> bool:
        """Look for files in an event; Gradio knows them by their `path`, wherever it stands."""
        paths: list[Any] = []

        def look(pairs: list[tuple[str, Any]]) -> None:
            paths.extend(value for name, value in pairs if name == "path")

        try:
            json.loads(body, object_pairs_hook=look)
        except (ValueError, RecursionError):
            return False
        return all(self._is_upload(path) for path in paths)


def _part(address: str, part: str) -> str:
    """Return a part of an address; nothing where it is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # or what is none would pass, as in `localhost:80.example.org`
        return getattr(parts, part) or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _for_oneself(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out what proxies say: there is none, and Gradio would write such a name into its page."""
    return [(name, value) for name, value in headers if not name.startswith((b"x-forwarded-", b"forwarded"))]


async def _read(receive: Receive) -> bytes | None:
    """Receive a whole body; None where it is too long for an event, or the sender is gone."""
    body = b""
    while len(body) <= _MAX_EVENT_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body
    return None


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _refuse(send: Send, refusal: _Refusal) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{refusal.reason}\n".encode()})
