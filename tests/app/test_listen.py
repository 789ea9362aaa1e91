"""`cohear listen` refuses in a sentence, and takes a port."""

import os
import re
import socket

import pytest

from cohear.app import server
from cohear.app.server import address_of, check_gradio, is_loopback, offline_gradio, take_port
from cohear.cli import run
from cohear.errors import UserError


def _refusal(capsys, *words):
    assert run(["listen", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_without_gradio_one_sentence_says_how_to_install_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    assert _refusal(capsys, str(tmp_path)) == (
        "cohear: `cohear listen` needs Gradio, which is not installed; run pip install 'cohear[app]'\n"
    )
    monkeypatch.undo()
    check_gradio()


def test_what_is_no_run_is_refused(capsys, tmp_path):
    assert _refusal(capsys, str(tmp_path / "none")).startswith(f"cohear: '{tmp_path / 'none'}' is no run")


def test_a_port_is_taken_at_once_and_by_one():
    with take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert address_of(listener, "0.0.0.0") == f"http://127.0.0.1:{port}/"
        assert address_of(listener, "::") == f"http://[::1]:{port}/"
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(UserError, match=rf"--port {port} of 127.0.0.1 cannot be used \(Address already in use\)"):
            take_port("127.0.0.1", port)


def test_where_the_usual_port_is_taken_a_free_one_is(monkeypatch):
    with take_port("127.0.0.1", 0) as taken:
        monkeypatch.setattr(server, "USUAL_PORT", taken.getsockname()[1])
        with take_port("127.0.0.1", None) as listener:
            assert 0 < listener.getsockname()[1] != server.USUAL_PORT
    with take_port("127.0.0.1", None) as listener:
        assert listener.getsockname()[1] == server.USUAL_PORT


def test_only_addresses_of_this_machine_can_be_answered_at():
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1 cannot be used"):  # RFC 5737: nobody's
        take_port("192.0.2.1", None)


@pytest.mark.parametrize(("host", "alone"), [("127.0.0.1", True), ("127.0.1.1", True), ("0.0.0.0", False)])
def test_a_port_is_on_loopback_by_its_address_and_not_by_its_name(monkeypatch, host, alone):
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 0))]
    )
    with take_port("127.someone.example", 0) as listener:
        assert is_loopback(listener) == alone


@pytest.mark.parametrize(("host", "name"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1")])
def test_an_address_that_stands_for_all_is_said_to(monkeypatch, capsys, tmp_path, host, name):
    pytest.importorskip("gradio")
    import cohear
    from cohear.app import examples, page

    try:
        take_port(host, 0).close()
    except UserError:
        pytest.skip(f"this machine has no {host}")
    monkeypatch.setattr(cohear, "load", lambda run: None)
    monkeypatch.setattr(examples, "examples", lambda *_: ("", []))
    monkeypatch.setattr(page, "build_page", lambda *_: None)
    monkeypatch.setattr(server, "serve", lambda *_: None)
    assert run(["listen", str(tmp_path), "--host", host, "--port", "0", "--no-open"]) == 0
    *opened, at = capsys.readouterr().err.splitlines()
    everywhere = ", and at every other address of this machine" if host != "127.0.0.1" else ""
    assert re.fullmatch(rf"listening at http://{re.escape(name)}:\d+/{everywhere} \(Ctrl-C ends it\)", at)
    assert [line.split(" can use the page;")[0] for line in opened] == (
        ["whoever reaches this machine by any of its addresses"] if everywhere else []
    )


def test_gradio_is_kept_offline_and_its_files_are_gone_at_the_end(monkeypatch):
    monkeypatch.setenv("GRADIO_ALLOWED_PATHS", "/")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    with offline_gradio() as uploads:
        assert {name: value for name, value in os.environ.items() if name.startswith("GRADIO_")} == {
            "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(uploads),
        }  # fmt: skip
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        (uploads / "a.wav").write_text("a recording")
    assert not uploads.exists()
    assert os.environ["GRADIO_ALLOWED_PATHS"] == "/"
    assert "GRADIO_TEMP_DIR" not in os.environ
