"""The query log of `[data.queries]`: what was asked, and what was clicked of the answers."""

from __future__ import annotations

from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.config.schema import QueriesSection
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.engine import engine, stored
from shortlist.offline.data.query_log import QueryLog, numbered
from shortlist.offline.data.scan import readable, require
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.values import as_id, as_time


def read_queries(section: QueriesSection, folder: Path, vocabulary: Vocabulary) -> QueryLog:
    """The query log; rows without a query, or without a time where times are kept, are left out.

    Args:
        section: `[data.queries]`.
        folder: the project folder.
        vocabulary: the catalogue's ids and rows.

    Raises:
        DataError: the source cannot be read or lacks a column.
    """
    with engine(folder / ".shortlist" / "queries.scratch") as con:
        source = locate(section, folder)
        table = open_source(con, source, section.item)
        keys = ("query", "item", "user", "time", "place")
        wanted = {key: getattr(section, key) for key in keys if getattr(section, key)}
        require(table.columns, wanted, section.path)
        nothing = ibis.null("string")
        with readable(section.path):
            chosen = table.select(
                query=table[section.query].cast("string").strip().nullif(""),
                item=as_id(table[section.item]) if section.item else nothing,
                user=as_id(table[section.user]) if section.user else nothing,
                time=as_time(table[section.time]) if section.time else ibis.null("int64"),
                place=as_id(table[section.place]) if section.place else nothing,
            )
            log = stored(con, chosen, "queries")
        log = log.filter(log["query"].notnull())
        if section.time:
            log = log.filter(log["time"].notnull())
        found = con.to_pyarrow(
            log.order_by("time", "query", "user", "item", "place")
        ).combine_chunks()
    return _columns(found, vocabulary)


def _columns(found: pa.Table, vocabulary: Vocabulary) -> QueryLog:
    texts, query = numbered(found["query"].combine_chunks())
    item = vocabulary.rows(pc.fill_null(found["item"], "").to_pylist())
    users = found["user"].combine_chunks().dictionary_encode()
    user = pc.fill_null(users.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    alone = user < 0
    user[alone] = len(users.dictionary) + np.arange(int(alone.sum()), dtype=np.int32)
    places = found["place"].combine_chunks().dictionary_encode()
    least = int(np.iinfo(np.int64).min)
    return QueryLog(
        texts,
        query,
        item,
        user,
        pc.fill_null(found["time"], least).to_numpy().astype(np.int64),
        tuple(users.dictionary.to_pylist()),
        tuple(places.dictionary.to_pylist()),
        pc.fill_null(places.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32),
    )
