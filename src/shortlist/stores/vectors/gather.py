"""What a new segment is made of: the rows of several views that are alive, by sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Column
from shortlist.index.ivf import SMALLEST
from shortlist.stores.vectors.block import Block
from shortlist.stores.vectors.columns import take
from shortlist.stores.vectors.contract import StoreSchema
from shortlist.stores.vectors.lists import Member, Source
from shortlist.stores.vectors.metric import Floats
from shortlist.stores.vectors.segment import Content, Held, Segment
from shortlist.stores.vectors.view import View

_LISTS_FROM = 3_000_000
"""Numbers (rows x width) from which lists are worth training: a scan of so many takes 1 ms."""
_HALF_MOST = 60_000.0
"""Lists keep vectors at half precision, which can hold this; larger numbers are scanned."""
_HALF_LEAST = 1e-3
"""Vectors of smaller numbers only are scanned too: halves have few digits of those."""
_CHUNK = 8_192


def gathered(
    views: Sequence[View], segments: Sequence[View], schema: StoreSchema
) -> Content | None:
    """The content of a new segment; None where no row is alive.

    Args:
        views: whose rows.
        segments: all that the store has; the largest family among them is taken on.
        schema: what records are made of.
    """
    views = [view for view in views if view.alive]
    if not views:
        return None
    sequences = np.concatenate([view.sequences[view.alive_rows] for view in views])
    order = np.argsort(sequences, kind="stable")
    sorted_already = bool((order[1:] > order[:-1]).all())
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    ends = np.cumsum([view.alive for view in views])
    to = np.split(places, ends[:-1])

    def columns(of: list[Column]) -> Column:
        joined = take([(col, view.alive_rows) for col, view in zip(of, views, strict=True)])
        return joined if sorted_already else take([(joined, order)])

    return Content(
        sequences[order],
        columns([_ids(view) for view in views]),
        {
            name: columns([view.part.column(name, view.n) for view in views])
            for name in schema.attributes
        },
        {field.name: _held(views, segments, to, field.name) for field in schema.fields},
    )


def _held(
    views: Sequence[View], segments: Sequence[View], to: list[NDArray[np.int64]], field: str
) -> Held:
    known = [member for view in segments if (member := _member(view, field)) is not None]
    # The newest family, by its smallest lists: what is read of them are the clusters.
    newest = max(known, key=lambda member: member.family.trained, default=None)
    near = None
    if newest is not None:
        same = [member for member in known if member.family.name == newest.family.name]
        near = min(same, key=lambda member: member.path.stat().st_size)
    n = sum(view.alive for view in views)
    width = views[0].part.held(field, views[0].alive_rows[:1]).shape[1]
    lists = n >= SMALLEST and (near is not None or n * width >= _LISTS_FROM)
    lists = lists and all(_fits(view, field) for view in views)
    vectors = np.empty((n, width), np.float16 if lists else np.float32)
    for view, rows in zip(views, to, strict=True):
        for some, part in _chunks(view, field):
            vectors[rows[some]] = part
    if not lists:
        return Held(vectors)
    sources = [
        Source(member, view.n, view.alive_rows, rows)
        for view, rows in zip(views, to, strict=True)
        if (member := _member(view, field)) is not None
    ]
    return Held(vectors, near, sources)


def _chunks(view: View, field: str) -> Iterator[tuple[slice, Floats]]:
    """The vectors that are alive, a few at a time."""
    for start in range(0, view.alive, _CHUNK):
        some = slice(start, start + _CHUNK)
        yield some, view.part.held(field, view.alive_rows[some])


def _fits(view: View, field: str) -> bool:
    """Whether half precision can hold the vectors, and not too few of their digits."""
    if _member(view, field) is not None:
        return True
    for _, part in _chunks(view, field):
        largest = np.abs(part).max(axis=1)
        if largest.max() >= _HALF_MOST or largest[largest > 0].min(initial=1.0) < _HALF_LEAST:
            return False
    return True


def _member(view: View, field: str) -> Member | None:
    return view.part.member(field) if isinstance(view.part, Segment) else None


def _ids(view: View) -> Column:
    if isinstance(view.part, Segment):
        return view.part.id_column
    assert isinstance(view.part, Block)
    return Column.text(view.part.ids(np.arange(view.n)))
