"""`shortlist knowledge`: a knowledge graph from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shortlist.cli.guard import guarded

app = typer.Typer(no_args_is_help=True, help="Knowledge graphs.")


def import_graph(
    url: Annotated[str, typer.Argument(metavar="URL", help="bolt://host:7687, or neo4j://….")],
    out: Annotated[Path, typer.Option(help="The Parquet file that is written.")] = Path(
        "knowledge.parquet"
    ),
    cypher: Annotated[
        str, typer.Option(help="A query that returns head, relation, tail and weight.")
    ] = "",
    user: Annotated[str, typer.Option(help="Who asks.", envvar="NEO4J_USERNAME")] = "neo4j",
    password: Annotated[
        str, typer.Option(help="Better in the environment than here.", envvar="NEO4J_PASSWORD")
    ] = "",
    database: Annotated[str, typer.Option(help="Which database of the server.")] = "",
) -> None:
    """Copy the triples of a Neo4j database into a file for [data.knowledge]."""
    from shortlist.cli.progress import RichProgress
    from shortlist.offline.data.neo4j import CYPHER, import_triples

    with RichProgress() as progress:
        count = import_triples(
            url,
            out,
            user=user,
            password=password,
            database=database or None,
            cypher=cypher or CYPHER,
            progress=progress,
        )
    typer.echo(f"Wrote {count:,} triples to {out}. Name the file in [data.knowledge].")


app.command("import")(guarded(import_graph))
app.callback()(lambda: None)
