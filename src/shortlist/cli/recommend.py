"""`shortlist recommend`: a user's shortlist."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from shortlist.cli.options import HERE, Count, Exclude, Folder, Json, Where


def recommend(
    *,
    user: Annotated[str, typer.Option(help="The user's id; nobody in particular without it.")] = "",
    k: Count = 10,
    where: Where = "",
    exclude: Exclude = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which sources found each item.")
    ] = False,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What it is asked in; repeat it for more."),
    ] = None,
    json: Json = False,
    folder: Folder = HERE,
) -> None:
    """Print a user's shortlist."""
    from shortlist.cli.answers import print_shortlist
    from shortlist.core.errors import RequestError
    from shortlist.project import Project

    for pair in context or []:
        if "=" not in pair:
            raise RequestError(
                f"{pair!r} gives no value.", remedy="Write NAME=VALUE.", where="--context"
            )
    project = Project(folder)
    with closing(project.open()) as engine:
        answer = engine.recommend(
            user=user,
            k=k,
            where=where,
            exclude=exclude or [],
            explain=explain,
            context=dict(pair.split("=", 1) for pair in context or []),
        )
        print_shortlist(project, engine, answer, json=json)
