"""`shortlist init`: look at the files, write a `shortlist.toml`, say what was guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli.options import HERE, Folder

if TYPE_CHECKING:
    from shortlist.config.samples import Guess


def init(
    events: Annotated[
        str, typer.Option(help="The event log: CSV, JSON lines or Parquet, a file or a glob.")
    ],
    items: Annotated[
        str | None, typer.Option(help="The catalogue, likewise; without it, what events name.")
    ] = None,
    folder: Folder = HERE,
) -> None:
    """Look at an event log and a catalogue and write a commented shortlist.toml."""
    from shortlist.project import Project

    guess = Project.init(folder, events, items)
    _print_guess(guess)
    missing = {"data.events.user", "data.events.item", "data.events.time", "data.items.id"}
    path = folder / "shortlist.toml"
    if missing & {doubt.key for doubt in guess.doubts}:
        typer.echo(f"Wrote {path}. Complete the keys marked `# ?` in it.")
    else:
        typer.echo(f"Wrote {path}. Next: shortlist check {folder}")


def _print_guess(guess: Guess) -> None:
    from shortlist.cli.output import print_table
    from shortlist.config.toml import value_text

    rows = [(choice.key, value_text(choice.value), choice.why) for choice in guess.choices]
    print_table("Guessed", ["key", "value", "why"], rows)
    if guess.doubts:
        doubts = [(doubt.key, doubt.why) for doubt in guess.doubts]
        print_table("Could not tell", ["key", "why"], doubts)
