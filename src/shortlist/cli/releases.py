"""`shortlist releases`, `publish` and `rollback`: which release serves."""

from __future__ import annotations

from typing import Annotated

import typer

from shortlist.cli.options import HERE, Folder


def releases(folder: Folder = HERE) -> None:
    """List the releases, newest first; the current one carries a star."""
    from shortlist.cli.output import print_table
    from shortlist.project import Project

    held = Project(folder).releases
    manifests, current = held.list(), held.current()
    if not manifests:
        typer.echo(f"There is no release yet. Make one with: shortlist train {folder}")
        return
    rows = [("*" if m.id == current else "", m.id, m.created) for m in manifests]
    print_table("Releases", ["", "id", "created"], rows)


def publish(
    release: Annotated[str, typer.Argument(metavar="ID", help="The release's id.")],
    folder: Folder = HERE,
) -> None:
    """Make a release the current one."""
    from shortlist.project import Project

    Project(folder).releases.promote(release)
    typer.echo(f"Release {release} is current.")


def rollback(folder: Folder = HERE) -> None:
    """Make the release before the current one current again."""
    from shortlist.project import Project

    typer.echo(f"Release {Project(folder).releases.rollback()} is current.")
