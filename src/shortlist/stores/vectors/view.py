"""What one search sees: segments and blocks at one instant, and which of their rows are alive."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, count, pack
from shortlist.core.cache import BudgetedCache
from shortlist.core.catalogue import Column
from shortlist.core.expression import Expression, matches
from shortlist.stores.vectors.block import CAPACITY, Block
from shortlist.stores.vectors.columns import attribute, catalogue
from shortlist.stores.vectors.contract import Hits, StoreSchema, VectorField
from shortlist.stores.vectors.manifest import Sequences
from shortlist.stores.vectors.metric import Floats, asked, scored
from shortlist.stores.vectors.segment import Segment
from shortlist.stores.vectors.together import Found, Kin, search_together

Filters = BudgetedCache[tuple[str, str], Bitmap]
"""Bitmaps of filters over parts that no longer change, by the part's name and the filter."""


class _Columns(Mapping[str, Column]):
    """Attributes of the first n rows of a part, made when a filter asks for them."""

    def __init__(self, part: Segment | Block, n: int, names: Collection[str]) -> None:
        self._part, self._n, self._names = part, n, names

    def __getitem__(self, name: str) -> Column:
        return self._part.column(name, self._n)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class View:
    """The first n rows of a segment or block.

    Attributes:
        part: whose rows.
        n: how many are seen.
        dead: `bool[n]`, rows that were replaced or deleted; None for none.
    """

    part: Segment | Block
    n: int
    dead: NDArray[np.bool_] | None = None

    @property
    def sequences(self) -> Sequences:
        """`int64[n]`, ascending."""
        return self.part.sequences[: self.n]

    @cached_property
    def alive(self) -> int:
        """How many rows are alive."""
        return self.n if self.dead is None else self.n - int(self.dead.sum())

    @cached_property
    def alive_rows(self) -> NDArray[np.int64]:
        """The rows that are alive, ascending."""
        return np.arange(self.n) if self.dead is None else np.flatnonzero(~self.dead)

    @cached_property
    def _members(self) -> Bitmap | None:
        return None if self.dead is None else pack(~self.dead)

    def without(self, sequences: Sequences) -> View:
        """The same view, where the rows of some sequences are dead."""
        if not len(sequences) or not self.n:
            return self
        own = self.sequences
        places = np.minimum(np.searchsorted(own, sequences), self.n - 1)
        hit = places[own[places] == sequences]
        if not len(hit):
            return self
        dead = np.zeros(self.n, np.bool_) if self.dead is None else self.dead.copy()
        dead[hit] = True
        return replace(self, dead=dead)

    def grown(self, n: int) -> View:
        """A view of the block's first n rows."""
        if self.dead is None:
            return replace(self, n=n)
        dead = np.zeros(n, np.bool_)
        dead[: self.n] = self.dead
        return replace(self, n=n, dead=dead)

    def allowed(
        self, text: str, expression: Expression, names: Collection[str], filters: Filters
    ) -> Bitmap:
        """The rows that are alive and that a filter allows."""

        def evaluate() -> Bitmap:
            columns = _Columns(self.part, self.n, names)
            return pack(matches(expression, catalogue(columns)))

        settled = isinstance(self.part, Segment) or self.n == CAPACITY
        bitmap = filters.get((self.part.name, text), evaluate) if settled else evaluate()
        return bitmap if self._members is None else bitmap & self._members

    def search(
        self, field: str, queries: Floats, k: int, allow: Bitmap | None
    ) -> tuple[NDArray[np.int32], Floats]:
        """Rows `int32[q, ≤k]` and products; -inf past the last."""
        allow = self._members if allow is None else allow
        return self.part.search(field, queries, k, self.n, allow)


@dataclass(frozen=True)
class Snapshot:
    """All that is alive at one instant.

    Attributes:
        version: `rows.State.version` of the instant.
        manifest: `rows.State.manifest` that `segments` is of; the rows written since then are in
            `blocks`, so it may be older than the instant's.
        indexed: `rows.State.indexed` of that manifest.
        gone: entries of `gone` up to here are applied.
        sequence: rows up to here are in it.
        segments: views of the segments.
        blocks: views of the blocks.
        damaged: what is wrong with segments that cannot be used, by name; their rows are in
            blocks.
    """

    version: int = -1
    manifest: int = -1
    indexed: int = 0
    gone: int = 0
    sequence: int = 0
    segments: tuple[View, ...] = ()
    blocks: tuple[View, ...] = ()
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def views(self) -> tuple[View, ...]:
        """Segments and blocks."""
        return self.segments + self.blocks

    @cached_property
    def alive(self) -> int:
        """How many records there are."""
        return sum(view.alive for view in self.views)

    @cached_property
    def waiting(self) -> int:
        """How many rows of blocks are alive."""
        return sum(view.alive for view in self.blocks)


@dataclass(frozen=True)
class Searcher:
    """Searches of snapshots of one schema; filters are kept between them."""

    schema: StoreSchema
    filters: Filters

    def count(self, snapshot: Snapshot, where: str, expression: Expression | None) -> int:
        """How many records a filter allows."""
        if expression is None:
            return snapshot.alive
        return sum(count(self._allowed(view, where, expression)) for view in snapshot.views)

    def _allowed(self, view: View, where: str, expression: Expression) -> Bitmap:
        return view.allowed(where, expression, self.schema.attributes, self.filters)

    def search(
        self,
        snapshot: Snapshot,
        queries: Floats,
        k: int,
        of: VectorField,
        where: str,
        expression: Expression | None,
        attributes: Sequence[str],
    ) -> list[Hits]:
        """The k nearest of each query, nearest first; equal ones in the order of writing."""
        views = [view for view in snapshot.views if view.alive]
        prepared = asked(queries, of.metric)
        together = _together(views, of.name, prepared, k) if expression is None else {}
        rows, products, origins, sequences = [], [], [], []
        for number, view in enumerate(views):
            if number in together:
                found, product = together[number]
            else:
                allow = None if expression is None else self._allowed(view, where, expression)
                found, product = view.search(of.name, prepared, k, allow)
            rows.append(found)
            products.append(product)
            origins.append(np.full(found.shape, number, np.int32))
            sequences.append(view.sequences[found])
        if not views:
            return [Hits([], np.empty(0, np.float32), {n: [] for n in attributes}) for _ in queries]
        all_rows, all_products = np.concatenate(rows, 1), np.concatenate(products, 1)
        all_origins, all_sequences = np.concatenate(origins, 1), np.concatenate(sequences, 1)
        scores = scored(all_products, queries, of.metric)
        hits = []
        for q in range(len(queries)):
            order = np.lexsort((all_sequences[q], -all_products[q]))[:k]
            order = order[all_products[q, order] > -np.inf]
            hits.append(
                self._hits(
                    views, all_origins[q, order], all_rows[q, order], scores[q, order], attributes
                )
            )
        return hits

    def _hits(
        self,
        views: Sequence[View],
        origins: NDArray[np.int32],
        rows: NDArray[np.int32],
        scores: Floats,
        attributes: Sequence[str],
    ) -> Hits:
        ids: list[str] = [""] * len(rows)
        values: dict[str, list[Any]] = {name: [None] * len(rows) for name in attributes}
        for number in np.unique(origins).tolist():
            view, places = views[number], np.flatnonzero(origins == number)
            for place, id in zip(places.tolist(), view.part.ids(rows[places]), strict=True):
                ids[place] = id
            for name in attributes:
                column, kind = view.part.column(name, view.n), self.schema.attributes[name]
                for place in places.tolist():
                    values[name][place] = attribute(kind, column.value(int(rows[place])))
        return Hits(ids, scores, values)


def _together(views: Sequence[View], field: str, queries: Floats, k: int) -> dict[int, Found]:
    """What the segments of families find, by their places in `views`."""
    families: dict[str, list[tuple[int, Kin]]] = {}
    for number, view in enumerate(views):
        part = view.part
        if not isinstance(part, Segment):
            continue
        member, lists = part.member(field), part.lists(field)
        if member is not None and lists is not None:
            kin = Kin(lists, view.dead, view.alive)
            families.setdefault(member.family.name, []).append((number, kin))
    found: dict[int, Found] = {}
    for family in families.values():
        parts = search_together([kin for _, kin in family], queries, k)
        if parts is not None:
            found.update(zip((number for number, _ in family), parts, strict=True))
    return found
