"""The command line: which commands there are."""

from __future__ import annotations

from collections.abc import Callable

import typer

from shortlist.cli.check import check
from shortlist.cli.demo import demo
from shortlist.cli.evaluate import evaluate
from shortlist.cli.guard import guarded
from shortlist.cli.init import init
from shortlist.cli.recommend import recommend
from shortlist.cli.releases import publish, releases, rollback
from shortlist.cli.serve import serve
from shortlist.cli.similar import similar
from shortlist.cli.train import train
from shortlist.cli.visibility import hide, show

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From millions of items to a ranked shortlist. FOLDER is the project's folder; without "
    "it, the current one.",
)
COMMANDS: list[Callable[..., None]] = [
    init,
    check,
    train,
    evaluate,
    recommend,
    similar,
    serve,
    releases,
    publish,
    rollback,
    hide,
    show,
    demo,
]
for command in COMMANDS:
    app.command()(guarded(command))


def main() -> None:
    """The `shortlist` command."""
    app()
