"""The triples of `[data.knowledge]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.config.schema import KnowledgeSection
from shortlist.core.errors import DataError, did_you_mean
from shortlist.offline.data.engine import stored
from shortlist.offline.data.scan import readable, require
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.values import as_id
from shortlist.text.knowledge import BACKWARD

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def read_knowledge(con: Backend, section: KnowledgeSection, folder: Path) -> pa.Table:
    """The knowledge source as triples.

    Returns:
        Columns `head`, `relation`, `tail` (text) and `weight` (float64, above 0), sorted by them.
        A triple that the source has twice is there once, with the sum of the weights.

    Raises:
        DataError: the source cannot be read, lacks a column, has a triple with an empty part, or
            a weight that is no number above 0.
    """
    source = locate(section, folder)
    table = open_source(con, source, section.head)
    keys = ("head", "relation", "tail", "weight")
    wanted = {key: getattr(section, key) for key in keys if getattr(section, key)}
    require(table.columns, wanted, section.path)
    said = table[section.weight].cast("string") if section.weight else ibis.literal("1")
    with readable(section.path):
        triples = table.select(
            head=as_id(table[section.head]),
            relation=as_id(table[section.relation]),
            tail=as_id(table[section.tail]),
            said=said,
        )
        triples = stored(con, triples, "triples")
        triples = triples.mutate(weight=triples.said.try_cast("float64"))
    _check(con, triples, section)
    triples = triples.group_by("head", "relation", "tail").aggregate(weight=triples.weight.sum())
    found: pa.Table = con.to_pyarrow(triples.order_by("head", "relation", "tail"))
    return found


def unknown_relations(triples: pa.Table, section: KnowledgeSection) -> dict[str, str]:
    """The entries of `relations` that no triple has → the nearest that there is, in a sentence."""
    kinds = set(pc.unique(triples["relation"]).to_pylist()) - set(section.names)
    return {
        relation: did_you_mean(name, kinds)
        for relation in section.relations
        if (name := relation.removeprefix(BACKWARD)) not in kinds
    }


def _check(con: Backend, triples: ir.Table, section: KnowledgeSection) -> None:
    for key in ("head", "relation", "tail"):
        empty = triples[key].isnull() | (triples[key] == "")
        for triple in con.to_pyarrow(triples.filter(empty).limit(1)).to_pylist():
            raise DataError(
                f"a triple has no {key}: {_said(triple)}.",
                remedy=f"Fill the column {getattr(section, key)!r} in, or remove the row.",
                where=section.path,
            )
    good = triples.weight.notnull() & (triples.weight > 0) & ~triples.weight.isinf()
    good = good & ~triples.weight.isnan()
    for triple in con.to_pyarrow(triples.filter(~good).limit(1)).to_pylist():
        raise DataError(
            f"the weight of a triple is no number above 0: {_said(triple)}.",
            remedy=f"Correct the column {section.weight!r}, or remove the row.",
            where=section.path,
        )


def _said(triple: dict[str, object]) -> str:
    told = {key: triple[key] for key in ("head", "relation", "tail")} | {"weight": triple["said"]}
    return ", ".join(f"{key} {value!r}" for key, value in told.items() if value is not None)
