"""The words of items written since the release, ranked beside its inverted index.

BM25 is that of the release: rarities and lengths are of its items, so that scores of both compare.
A word that no item of the release has is as rare as a word can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, held
from shortlist.core.catalogue import Value
from shortlist.core.order import best_first
from shortlist.core.vocabulary import UNKNOWN
from shortlist.index.lexical import Wanted
from shortlist.index.lexical.forward import Forward
from shortlist.online.live.columns import sealed
from shortlist.online.live.vectors import NO_ROWS, Found
from shortlist.text.analyzer import Analyzer


class LiveWords:
    """Which words the written items hold, in order.

    Args:
        forward: the release's words.
        analyzer: what they were made by.
        items: rows of the release; words of these stand in for those of its index.
    """

    def __init__(self, forward: Forward, analyzer: Analyzer, items: int) -> None:
        self._forward, self._analyzer, self._items = forward, analyzer, items
        self._numbers: dict[str, int] = {}
        self._fresh = 0
        self._tokens: list[list[NDArray[np.int32]]] = []
        self._places: dict[int, int] = {}
        self._rows: NDArray[np.int32] = NO_ROWS
        self._replaced: NDArray[np.int32] = NO_ROWS
        self._arrays: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None
        self._joined = 0
        self._lengths: list[NDArray[np.int64]] = []
        self._flat: list[NDArray[np.int32]] = []
        self._forget()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def replaced(self) -> NDArray[np.int32]:
        """`int32[m]`, rows of the release whose words in the index no longer hold."""
        self._ready()
        return self._replaced

    def set(self, row: int, attributes: Mapping[str, Value]) -> None:
        """The item at a row."""
        tokens = [self._code(attributes.get(field)) for field in self._forward.fields]
        place = self._places.setdefault(row, len(self._places))
        if place < len(self._tokens):
            self._tokens[place] = tokens
            if place < self._joined:
                self._forget()
        else:
            self._tokens.append(tokens)
        self._arrays = None

    def knows(self, term: str) -> bool:
        """Whether a written item holds a term that the release does not know."""
        return self._numbers.get(term, -1) >= len(self._forward.terms)

    def over(
        self,
        terms: Mapping[str, float],
        order: Sequence[str],
        rows: NDArray[np.int32],
        values: NDArray[np.float32],
    ) -> None:
        """Write what `Forward.measure` says of the rows that are here over `values[:, rows]`."""
        if not self._places:
            return
        places = [self._places.get(row, -1) for row in rows.tolist()]
        here = np.flatnonzero(np.array(places, np.int32) >= 0)
        if len(here):
            some = np.array([places[i] for i in here.tolist()], np.int32)
            values[:, here] = self._measure(terms, order, some)

    def join(
        self, found: Found, wanted: Wanted, k: int, allow: Bitmap, banned: NDArray[np.int32]
    ) -> Found:
        """The k best of what the index found and of the items here, by BM25, best first."""
        if not self._places or wanted.empty:
            return found
        self._ready()
        rows = self._rows
        kept = held(allow, rows)
        kept &= ~np.isin(rows, banned)
        every = np.arange(len(rows), dtype=np.int32)
        scores = self._measure(wanted.terms, (), every)[0]
        if wanted.terms:
            kept &= scores > 0
        for phrase in wanted.phrases:
            told = self._measure(dict.fromkeys(phrase, 1.0), phrase, every)
            kept &= (told[4::2] >= 1).any(axis=0)
        if wanted.prefix:
            kept &= self._begins(wanted.prefix, wanted.begun)
        joined = np.concatenate([found[1], scores[kept]])
        best = best_first(joined, k)
        return np.concatenate([found[0], rows[kept]])[best], joined[best]

    def _measure(
        self, terms: Mapping[str, float], order: Sequence[str], places: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """As `Forward.measure`, `float32[len(names), len(places)]`."""
        offsets, tokens = self._ready()
        forward = self._forward
        known = self._look_up(list(terms))
        wanted = known[known != UNKNOWN]
        weights = np.array(list(terms.values()), np.float32)[known != UNKNOWN]
        frequencies = np.zeros((len(forward.fields) + 1, len(wanted)), np.int32)
        old = wanted < len(forward.terms)
        frequencies[:, old] = forward.frequencies[:, wanted[old]]
        sequence = self._look_up(list(order))
        return forward.match(wanted, weights, sequence, frequencies, offsets, tokens, places)

    def _look_up(self, terms: list[str]) -> NDArray[np.int32]:
        """Numbers of terms: the release's, then of those that are new; -1 for others."""
        numbers = self._forward.terms.rows(terms)
        for i in np.flatnonzero(numbers == UNKNOWN).tolist():
            numbers[i] = self._numbers.get(terms[i], UNKNOWN)
        return numbers

    def _code(self, value: Value) -> NDArray[np.int32]:
        """The numbers of an attribute's terms in order; new terms get the next numbers."""
        parts = value if isinstance(value, list) else [str(value)] if value else []
        terms = [term for part in parts for term in self._analyzer.terms(part)]
        missing = [term for term in dict.fromkeys(terms) if term not in self._numbers]
        for term, row in zip(missing, self._forward.terms.rows(missing).tolist(), strict=True):
            number = row
            if row == UNKNOWN:
                number = len(self._forward.terms) + self._fresh
                self._fresh += 1
            self._numbers[term] = number
        return np.array([self._numbers[term] for term in terms], np.int32)

    def _begins(self, prefix: str, begun: Sequence[str]) -> NDArray[np.bool_]:
        """Which items hold a term with a beginning, or one of those that will do as well."""
        offsets, tokens = self._ready()
        numbers = [number for term, number in self._numbers.items() if term.startswith(prefix)]
        numbers += [self._numbers[term] for term in begun if term in self._numbers]
        there = np.isin(tokens, np.array(numbers, np.int32))
        counted = np.concatenate([[0], np.cumsum(there)])
        return np.asarray((counted[offsets[:, 1:]] - counted[offsets[:, :-1]]).sum(axis=0) > 0)

    def _ready(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Offsets and tokens as `Forward` has them; after a change what is new is joined on."""
        if self._arrays is None:
            fields, n = len(self._forward.fields), len(self._tokens)
            offsets = np.zeros((fields, n + 1), np.int64)
            base = 0
            for f in range(fields):
                fresh = [tokens[f] for tokens in self._tokens[self._joined :]]
                lengths = np.array([len(tokens) for tokens in fresh], np.int64)
                self._lengths[f] = np.concatenate([self._lengths[f], lengths])
                self._flat[f] = np.concatenate([self._flat[f], *fresh])
                np.cumsum(self._lengths[f], out=offsets[f, 1:])
                offsets[f] += base
                base = int(offsets[f, -1])
            self._joined = n
            self._arrays = sealed(offsets), sealed(np.concatenate([*self._flat, NO_ROWS]))
            self._rows = np.array(list(self._places), np.int32)
            self._replaced = self._rows[self._rows < self._items]
        return self._arrays

    def _forget(self) -> None:
        """What was joined is no longer so: an item has other words."""
        fields = len(self._forward.fields)
        self._joined = 0
        self._lengths = [np.empty(0, np.int64) for _ in range(fields)]
        self._flat = [NO_ROWS for _ in range(fields)]
