"""`shortlist hide` and `show`: take items out of every answer at once, and bring them back."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from shortlist.cli.options import HERE, Folder

Items = Annotated[list[str], typer.Option("--item", help="An item id; repeat it for more.")]


def hide(item: Items, folder: Folder = HERE) -> None:
    """Hide items from every answer, servers that run included, until they are shown again."""
    from shortlist.project import Project

    with closing(Project(folder).open()) as engine:
        engine.hide(item)
    typer.echo(f"Hidden: {', '.join(item)}")


def show(item: Items, folder: Folder = HERE) -> None:
    """Show items that were hidden."""
    from shortlist.project import Project

    with closing(Project(folder).open()) as engine:
        engine.show(item)
    typer.echo(f"Shown: {', '.join(item)}")
