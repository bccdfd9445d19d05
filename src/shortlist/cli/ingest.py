"""`shortlist ingest`: write items in bulk, idempotently."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shortlist.cli.options import HERE, Json

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="[FOLDER] FILE…",
        help="Parquet files with the columns of data.items; the project's folder before them.",
    ),
]


def ingest(paths: Paths, json: Json = False) -> None:
    """Write items into the release that serves: the next answer can return them.

    Texts are encoded where the release has no vector of them. Running it again changes nothing;
    the next training takes the items in.
    """
    from shortlist.cli.output import print_json
    from shortlist.cli.progress import RichProgress
    from shortlist.core.errors import DataError
    from shortlist.project import Project

    folder, files = (paths[0], paths[1:]) if paths[0].is_dir() else (HERE, paths)
    if not files:
        raise DataError("no file is named.", remedy="Name Parquet files of items.")
    project = Project(folder)
    with RichProgress() as progress:
        done = project.ingest(files, progress)
    if json:
        counts = ("written", "unchanged", "encoded", "reused")
        print_json({name: getattr(done, name) for name in counts} | {"encoders": done.encoders})
        return
    typer.echo(
        f"{done.written:,} written, {done.unchanged:,} unchanged; "
        f"{done.encoded:,} texts encoded, {done.reused:,} reused"
    )
