"""`shortlist serve`: answer over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from shortlist.cli.options import HERE, Folder


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    folder: Folder = HERE,
) -> None:
    """Serve the current release over HTTP until Ctrl-C; a new release is picked up by itself."""
    from shortlist.serve.run import serve as run

    run(folder, host=host, port=port, workers=workers)
