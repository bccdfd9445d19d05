"""`shortlist serve`: answer over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from shortlist.cli.options import HERE, Folder


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    tensorflow_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Another port for clients of TensorFlow Serving; without it "
            "serve.tensorflow_port, and 0 for none.",
        ),
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="The port of the gRPC services; without it serve.grpc_port, and 0 for none.",
        ),
    ] = None,
    folder: Folder = HERE,
) -> None:
    """Serve the current release until Ctrl-C; a new release is picked up by itself."""
    from shortlist.serve.run import serve as run

    run(folder, host, port, workers, tensorflow_port, grpc_port)
