"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout; progress goes to stderr.")
]
Count = Annotated[int, typer.Option("-k", min=1, max=1_000, help="How many items.")]
Where = Annotated[
    str, typer.Option(help="A filter over attributes: 'language == \"ko\" and price < 100'.")
]
Exclude = Annotated[
    list[str] | None, typer.Option(help="An item id that must not appear; repeat it for more.")
]
HERE = Path()
