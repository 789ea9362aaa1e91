"""`cohear listen`: a page to hear the views, and to see what a classifier says of each."""

from pathlib import Path
from typing import Annotated

import typer

from cohear.cli.progress import say


def listen(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", show_default=False, help="A finished run folder, or a .cohear file.")
    ],
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Address to answer at; any but the default lets others in.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", show_default="7860, or a free one", help="Port to answer at; 0: a free one."
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Open a page on which a classifier listens: to your sounds, and to what you do to them.

    Drop a sound, record one, or take an example. It is heard as it is, higher or lower, in a room and with gaps, by as
    much as three sliders say; the probabilities and the divergence of the four answers follow at once.

    The page is on this machine alone and needs no network. Ctrl-C ends it. It needs the extra: pip install
    'cohear[app]'.

    cohear listen runs/my-run

    cohear listen runs/my-run --port 8000 --no-open
    """
    from cohear.app.server import address_of, check_gradio, is_everywhere, is_loopback, offline_gradio, serve, take_port

    check_gradio()

    import cohear
    from cohear.app.examples import examples
    from cohear.app.page import build_page

    classifier = cohear.load(run)
    with take_port(host, port) as listener, offline_gradio() as uploads:
        whose, offered = examples(classifier, run)
        page = build_page(classifier, run.resolve().name, whose, offered)
        address = address_of(listener, host)
        everywhere = is_everywhere(listener)
        if not is_loopback(listener):
            reached = "by any of its addresses" if everywhere else f"as {host}"
            say(
                f"whoever reaches this machine {reached} can use the page; sounds can be recorded on this machine alone"
            )
        elsewhere = ", and at every other address of this machine" if everywhere else ""
        say(f"listening at {address}{elsewhere} (Ctrl-C ends it)")
        if open_browser:
            import webbrowser

            webbrowser.open(address)
        serve(page, listener, host, uploads)
