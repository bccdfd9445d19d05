"""The command line: which commands there are."""

from __future__ import annotations

from collections.abc import Callable

import typer

from shortlist.cli.check import check
from shortlist.cli.demo import demo
from shortlist.cli.evaluate import evaluate
from shortlist.cli.features import features
from shortlist.cli.guard import guarded
from shortlist.cli.index import app as index
from shortlist.cli.ingest import ingest
from shortlist.cli.init import init
from shortlist.cli.knowledge import app as knowledge
from shortlist.cli.recommend import recommend
from shortlist.cli.releases import publish, releases, rollback
from shortlist.cli.search import search
from shortlist.cli.serve import serve
from shortlist.cli.similar import similar
from shortlist.cli.train import train
from shortlist.cli.vectors import app as vectors
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
    features,
    recommend,
    similar,
    search,
    serve,
    ingest,
    releases,
    publish,
    rollback,
    hide,
    show,
    demo,
]
for command in COMMANDS:
    app.command()(guarded(command))
app.add_typer(vectors, name="vectors")
app.add_typer(index, name="index")
app.add_typer(knowledge, name="knowledge")


def main() -> None:
    """The `shortlist` command."""
    app()
