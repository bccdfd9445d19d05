"""`shortlist similar`: the neighbours of an item."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from shortlist.cli.options import HERE, Count, Exclude, Folder, Json, Where


def similar(
    *,
    item: Annotated[str, typer.Option(help="The item's id.")],
    k: Count = 10,
    where: Where = "",
    exclude: Exclude = None,
    json: Json = False,
    folder: Folder = HERE,
) -> None:
    """Print the items most like an item."""
    from shortlist.cli.answers import print_shortlist
    from shortlist.project import Project

    project = Project(folder)
    with closing(project.open()) as engine:
        answer = engine.similar(item=item, k=k, where=where, exclude=exclude or [])
        print_shortlist(project, engine, answer, json=json)
