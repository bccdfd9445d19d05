"""Triples out of a Neo4j database: a Cypher query over Bolt, written as a Parquet file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.core.errors import DataError
from shortlist.core.progress import Progress, Silent
from shortlist.offline.data.files import replacing

if TYPE_CHECKING:
    from neo4j import Record

CYPHER = (
    "MATCH (h)-[r]->(t) "
    "RETURN coalesce(h.id, h.name, elementId(h)) AS head, type(r) AS relation, "
    "coalesce(t.id, t.name, elementId(t)) AS tail, coalesce(r.weight, 1.0) AS weight"
)
"""What is asked for unless something else is: every relationship, nodes by id or name."""

SCHEMA = pa.schema(
    [
        ("head", pa.string()),
        ("relation", pa.string()),
        ("tail", pa.string()),
        ("weight", pa.float64()),
    ]
)
Triple = dict[str, str | float]
_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_NEEDED = ("head", "relation", "tail")
_BATCH = 10_000


def import_triples(
    url: str,
    out: Path,
    *,
    user: str = "neo4j",
    password: str = "",
    database: str | None = None,
    cypher: str = CYPHER,
    progress: Progress | None = None,
) -> int:
    """Copy triples from a Neo4j database into a Parquet file that `[data.knowledge]` can name.

    The answer is streamed; the file appears complete or not at all.

    Args:
        url: `bolt://host:7687`, `neo4j://…`, or one of their forms with TLS (`bolt+s://…`).
        out: the Parquet file.
        user: who asks.
        password: theirs; empty to ask without authentication.
        database: which database of the server; its default one without.
        cypher: returns columns `head`, `relation`, `tail`, and `weight` if triples have one.
        progress: receives the number of triples.

    Returns:
        How many triples were written.

    Raises:
        DataError: the driver is not installed, the server cannot be reached or refuses, the query
            is wrong or does not return those columns, or a triple has an empty part or a weight
            that is no number above 0.
    """
    try:
        import neo4j
        from neo4j.exceptions import AuthError, ConfigurationError, DriverError, Neo4jError
    except ImportError:
        raise DataError(
            "the driver of Neo4j is not installed.",
            remedy='Install it with `pip install "shortlist[neo4j]"`.',
        ) from None
    if url.partition("://")[0] not in _SCHEMES:
        raise _no_address(url, "its beginning is none of " + ", ".join(_SCHEMES))
    report = progress or Silent()
    report.step("Import triples")
    credentials = neo4j.basic_auth(user, password) if password else None
    count = 0
    try:
        with (
            neo4j.GraphDatabase.driver(url, auth=credentials) as driver,
            driver.session(database=database, default_access_mode=neo4j.READ_ACCESS) as session,
            replacing(out) as beside,
        ):
            result = session.run(neo4j.Query(cypher))
            _check_columns(result.keys())
            with pq.ParquetWriter(beside, SCHEMA) as writer:
                for triples in _batches(_triples(result)):
                    writer.write_table(pa.Table.from_pylist(triples, SCHEMA))
                    count += len(triples)
                    report.advance(len(triples))
            if not count:
                raise DataError(
                    "the query found no triple.",
                    remedy="Correct the Cypher query, or name another database.",
                    where=url,
                )
    except AuthError as error:
        raise DataError(
            f"the server does not let {user!r} in: {error.message}",
            remedy="Name the user with --user, and put the password in NEO4J_PASSWORD.",
            where=url,
        ) from error
    except (ConfigurationError, ValueError) as error:
        raise _no_address(url, str(error)) from error
    except Neo4jError as error:
        raise DataError(
            f"the server refuses the query: {error.message}",
            remedy="Correct the Cypher query, or name another database.",
            where=url,
        ) from error
    except DriverError as error:
        raise DataError(
            f"the server cannot be asked: {error}",
            remedy="Check that it runs and that the address and the port are right.",
            where=url,
        ) from error
    finally:
        out.with_name(f".{out.name}.tmp").unlink(missing_ok=True)
    return count


def _no_address(url: str, why: str) -> DataError:
    return DataError(
        f"this is no address of a Neo4j server: {why}.",
        remedy="Write one such as bolt://localhost:7687.",
        where=url,
    )


def _check_columns(columns: Sequence[str]) -> None:
    for name in _NEEDED:
        if name not in columns:
            raise DataError(
                f"the query returns no column {name!r}, but {', '.join(columns) or 'nothing'}.",
                remedy="Return head, relation and tail, and weight if there is one, with AS.",
                where="cypher",
            )


def _batches(triples: Iterator[Triple]) -> Iterator[list[Triple]]:
    while batch := list(islice(triples, _BATCH)):
        yield batch


def _triples(records: Iterable[Record]) -> Iterator[Triple]:
    for record in records:
        triple: Triple = {}
        for name in _NEEDED:
            value = record[name]
            if value is None or str(value) == "":
                raise DataError(
                    f"a triple has no {name}: {dict(record)}.",
                    remedy="Leave it out in the Cypher query, or give every node a name.",
                    where="cypher",
                )
            triple[name] = str(value)
        weight = record.get("weight", 1.0)
        if not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise DataError(
                f"the weight of a triple is no number above 0: {dict(record)}.",
                remedy="Return a number above 0, such as coalesce(r.weight, 1.0) AS weight.",
                where="cypher",
            )
        triple["weight"] = float(weight)
        yield triple
