"""Lines on which nothing comes are hung up, and those on which a request or an answer is under way are not."""

import asyncio
import socket
import threading
import time

import pytest

from cohear.app.patience import patient_protocol

uvicorn = pytest.importorskip("uvicorn")
PATIENCE_S = 0.2
SLOW_S = 5 * PATIENCE_S


async def _answer(scope, receive, send):
    """Echo a body; the answer to /slow takes its time."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body, more = body + message["body"], message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port():
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_answer, http=patient_protocol(PATIENCE_S), ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def _closed_after_s(port, *parts, pause_s=0.0):
    """Send parts with pauses between them; return how long until the server closed, and what it said."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=4) as line:
        for part in parts:
            line.sendall(part)
            time.sleep(pause_s)
        said = b""
        while received := line.recv(1000):
            said += received
        return time.monotonic() - begun, said


@pytest.mark.parametrize(
    "head",
    [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_stops_in_the_middle_is_hung_up_on(port, head):
    waited_s, said = _closed_after_s(port, head)
    assert waited_s < 8 * PATIENCE_S
    assert said == b""


def test_a_head_that_comes_byte_by_byte_is_hung_up_on(port):
    head, is_closed = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 30, False
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S / 4) as line:
        for byte in head:
            try:
                line.sendall(bytes([byte]))
                is_closed = line.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                is_closed = True
            if is_closed:
                break
    assert is_closed


def test_a_slow_body_and_a_slow_answer_are_waited_for(port):
    head = b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
    waited_s, said = _closed_after_s(port, head, *(b"x",) * 8, pause_s=0.7 * PATIENCE_S)
    assert said.endswith(b"\r\n\r\nxxxxxxxx")
    assert waited_s > 8 * 0.7 * PATIENCE_S + SLOW_S - 1
