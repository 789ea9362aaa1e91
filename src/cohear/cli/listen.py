"""`cohear listen`: a page on which a trained classifier can be tried."""

from typing import Annotated

import typer

from cohear.cli import options
from cohear.cli.progress import say
from cohear.errors import UserError


def listen(
    run: options.Run,
    host: Annotated[str, typer.Option(metavar="NAME")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, metavar="N", show_default="7860, or a free one")] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open")] = True,
) -> None:
    """Open a page on which a classifier listens: to your sounds, and to what you do to them.

    Drop a sound, record one, or take an example. It is heard as it is, higher or lower, in a room and with gaps, by as
    much as three sliders say; the probabilities and the divergence of the four answers follow at once.

    The page is on this machine alone and needs no network. Ctrl-C ends it. It needs the extra: pip install
    'cohear[app]'.

    cohear listen runs/my-run

    cohear listen runs/my-run --port 8000 --no-open

    Args:
        run: A finished run folder, or a .cohear file.
        host: Address to answer at; any but the default lets others in.
        port: Port to answer at; 0: a free one.
        open_browser: Open the page in a browser.
    """
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise UserError("`cohear listen` needs Gradio, which is not installed; run pip install 'cohear[app]'")

    import cohear
    from cohear.app import server
    from cohear.app.page import build_page
    from cohear.app.sounds import examples

    classifier = cohear.load(run)
    with server.take_port(host, port) as listener, server.offline_gradio() as uploads:
        page = build_page(classifier, run.resolve().name, *examples(classifier, run))
        address = server.address_of(listener, host)
        if not server.is_loopback(listener):
            say("whoever reaches this machine can use the page; sounds can be recorded on this machine alone")
        say(f"listening at {address} (Ctrl-C ends it)")
        if open_browser:
            import webbrowser

            webbrowser.open(address)
        server.serve(page, listener, host, uploads)
