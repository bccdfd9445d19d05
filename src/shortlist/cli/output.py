"""How results look: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 1_000_000


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Collection[str] = (),
) -> None:
    """Print a table on stdout.

    Args:
        title: stands above it; empty for none.
        columns: the headings.
        rows: the cells; any value that `cell` knows.
        right: the headings of the columns that are set to the right, which numbers are.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            # A cell that is cut off cannot be pasted anywhere.
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    console = Console()
    if not console.is_terminal:  # a pipe has no width to fit into
        console = Console(width=max(Console(width=_WIDE).measure(table).maximum, 1))
    if title:  # not the table's own, which would be broken to fit a narrow table
        console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)


def cell(value: object) -> str:
    """A value as one line; characters that do not print are shown escaped."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
