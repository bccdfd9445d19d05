"""`shortlist vectors …`: a vector store alone, for an existing application."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli.guard import guarded
from shortlist.cli.options import Json

if TYPE_CHECKING:
    from shortlist.stores.vectors import StoreSchema

Store = Annotated[
    str,
    typer.Argument(
        metavar="STORE",
        help="The store's folder, or milvus://[user:password@]host:port/collection.",
    ),
]
MetricName = Annotated[
    str, typer.Option("--metric", help="How vectors are compared: cosine, dot or l2.")
]
EncoderVersion = Annotated[
    str, typer.Option("--encoder", help="The version of the encoder that vectors come from.")
]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A live, durable vector store: make it, fill it, search it, serve it.",
)


def create(
    store: Store,
    field: Annotated[
        list[str] | None,
        typer.Option(help="A vector field: NAME:DIM or NAME:DIM:METRIC; repeat it for more."),
    ] = None,
    dim: Annotated[int | None, typer.Option(min=1, help="The same as --field vector:DIM.")] = None,
    metric: MetricName = "cosine",
    encoder: EncoderVersion = "",
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute: NAME:KIND, of keyword, keywords, integer, number, boolean and "
            "time; repeat it for more."
        ),
    ] = None,
) -> None:
    """Make a store; one that is there already with the same schema is left as it is."""
    from shortlist.cli.vectors_schema import schema_of
    from shortlist.stores.vectors import open_vectors

    fields = ([f"vector:{dim}"] if dim else []) + (field or [])
    schema = schema_of(fields, metric, encoder, attribute or [])
    with closing(open_vectors(store, schema)) as made:
        _print_schema(made.schema)


def import_(
    store: Store,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Parquet files.")],
    id: Annotated[str, typer.Option(help="The column of ids; without it, id or item_id.")] = "",
    metric: MetricName = "cosine",
    encoder: EncoderVersion = "",
) -> None:
    """Write the rows of Parquet files; a store that is not there is made to fit the first.

    Columns are matched by name: lists of floats are vectors, `content` is a hash of what was
    encoded. Rows that are there as they are stay, so an import can be repeated or go on.
    """
    from shortlist.cli.progress import RichProgress
    from shortlist.cli.vectors_file import guess_schema
    from shortlist.cli.vectors_parquet import Imported, import_parquet
    from shortlist.cli.vectors_schema import metric_of
    from shortlist.core.errors import ConfigError
    from shortlist.stores.vectors import open_vectors

    try:
        opened = open_vectors(store)
    except ConfigError:
        schema = guess_schema(files[0], id, metric_of(metric), encoder)
        opened = open_vectors(store, schema)
        _print_schema(opened.schema)
    total = Imported()
    with closing(opened), RichProgress() as progress:
        for file in files:
            done = import_parquet(opened, file, id, progress)
            total.written += done.written
            total.unchanged += done.unchanged
        if total.written:
            progress.step("index what is new")
            opened.compact()
    typer.echo(f"{total.written:,} written, {total.unchanged:,} there as they are")


def info(store: Store, json: Json = False) -> None:
    """What a store holds, and what is wrong with it."""
    from shortlist.cli.output import print_json, print_table
    from shortlist.stores.vectors import open_vectors

    with closing(open_vectors(store)) as opened:
        schema, health = opened.schema, opened.health()
    if json:
        import msgspec

        told = {"records": health.rows, "problems": health.problems, "details": health.details}
        print_json(msgspec.to_builtins(schema) | told)
        return
    _print_schema(schema)
    details = dict(health.details)
    segments = details.pop("segments", [])
    print_table("", ["", "value"], [("records", health.rows), *details.items()])
    if segments:
        columns = ["name", "rows", "alive"]
        rows = [[one[column] for column in columns] for one in segments]
        print_table("Segments", columns, rows, right={"rows", "alive"})
    for problem in health.problems:
        typer.secho(problem, fg="yellow", err=True)


def search(
    store: Store,
    like: Annotated[str, typer.Option(help="The id of a record whose neighbours are wanted.")] = "",
    vector: Annotated[str, typer.Option(help="A query as a JSON list of numbers.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, help="How many records.")] = 10,
    where: Annotated[str, typer.Option(help="A filter over attributes.")] = "",
    field: Annotated[
        str, typer.Option(help="Which vector field; needed where there are several.")
    ] = "",
    json: Json = False,
) -> None:
    """Print the records nearest to a record or to a vector."""
    from shortlist.cli.output import print_json, print_table
    from shortlist.cli.vectors_schema import query_of
    from shortlist.core.errors import RequestError
    from shortlist.core.times import iso
    from shortlist.stores.vectors import open_vectors
    from shortlist.stores.vectors.checks import MAX_K

    if like and k >= MAX_K:
        raise RequestError(
            f"is {k:,}, and the record itself comes first.",
            remedy=f"Ask for 1 to {MAX_K - 1:,} with --like.",
            where="k",
        )
    with closing(open_vectors(store)) as opened:
        query = query_of(opened, like, vector, field)
        names = list(opened.schema.attributes)
        (hits,) = opened.search(query, k + bool(like), where, field, attributes=names)
    found = [
        {"id": id, "score": score, **{name: hits.attributes[name][i] for name in names}}
        for i, (id, score) in enumerate(zip(hits.ids, hits.scores.tolist(), strict=True))
        if id != like
    ][:k]
    if json:
        print_json(found)
        return
    columns = ["id", "score", *names]
    times = {name for name, kind in opened.schema.attributes.items() if kind == "time"}
    rows = [
        [
            iso(one[column]) if column in times and one[column] is not None else one[column]
            for column in columns
        ]
        for one in found
    ]
    print_table("", columns, rows, right={"score"})


def serve(
    store: Store,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port of HTTP.")] = 8090,
    grpc_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port of gRPC; none without it.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
) -> None:
    """Serve a store over HTTP and gRPC until Ctrl-C."""
    from shortlist.serve.vectors.run import serve_vectors

    serve_vectors(store, host, port, workers, grpc_port)


def _print_schema(schema: StoreSchema) -> None:
    from shortlist.cli.output import print_table

    fields = [(one.name, one.dim, one.metric, one.encoder) for one in schema.fields]
    print_table("Vectors", ["field", "dim", "metric", "encoder"], fields, right={"dim"})
    if schema.attributes:
        print_table("Attributes", ["name", "kind"], list(schema.attributes.items()))


COMMANDS: dict[str, Callable[..., None]] = {
    "create": create,
    "import": import_,
    "info": info,
    "search": search,
    "serve": serve,
}
for name, command in COMMANDS.items():
    app.command(name)(guarded(command))
