"""Terms of items, of users, of moments, and pairs of them: what events and requests share.

A pair of terms is one integer, and its place among the pairs that have been met is a key of the
counters. Pairs are far fewer than terms of items times terms of users.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.users import UserTable
from shortlist.features.clock import parts_of
from shortlist.features.tastes import values_of

Terms = tuple[NDArray[np.int64], NDArray[np.integer]]
"""`int64[n + 1]` starts, and the terms of each line between two of them; -1 for none."""


def terms_of_items(catalogue: Catalogue, key: str, rows: NDArray[np.int32]) -> Terms:
    """The row of each item, the codes of its attribute, or 0 for all where the key is empty."""
    if key in ("", "item"):
        return np.arange(len(rows) + 1), rows if key else np.zeros_like(rows)
    return values_of(catalogue.columns[key], rows)


def terms_of_users(users: UserTable | None, attribute: str, rows: NDArray[np.int32]) -> Terms:
    """The codes of each user's attribute; none for users at -1."""
    known = rows >= 0
    widths = np.zeros(len(rows) + 1, np.int64)
    if users is None or not known.any():
        return widths, np.empty(0, np.int32)
    starts, codes = values_of(users.columns[attribute], rows[known])
    widths[1:][known] = np.diff(starts)
    return np.cumsum(widths), codes


def terms_of_moments(part: str, times: NDArray[np.int64]) -> Terms:
    """The hour or weekday of each instant."""
    return np.arange(len(times) + 1), parts_of(part, times)


def of_each(terms: Terms, lines: int) -> Terms:
    """The terms of one line as those of each of several."""
    _, codes = terms
    return np.arange(lines + 1) * len(codes), np.tile(codes, lines)


def crossed(others: Terms, items: Terms) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of a term of a user or a moment and one of an item, line by line: an integer."""
    (own_starts, own), (starts, theirs) = others, items
    sizes = np.diff(own_starts) * np.diff(starts)
    bounds = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=bounds[1:])
    line = np.repeat(np.arange(len(sizes)), sizes)
    within, width = np.arange(bounds[-1]) - bounds[line], np.diff(starts)[line]
    left = own[own_starts[line] + within // width].astype(np.int64)
    right = theirs[starts[line] + within % width].astype(np.int64)
    return bounds, np.where((left >= 0) & (right >= 0), right << 32 | left, -1)


class Places:
    """Pairs and their places: those of a release, then one that is nobody's, then newer ones."""

    def __init__(self, pairs: NDArray[np.int64]) -> None:
        self._pairs = pairs
        self._newer = np.empty(0, np.int64)
        self._places = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._pairs) + 1 + len(self._newer)

    def of(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each pair: nobody's where it has not been met, -1 where it is none."""
        places = np.full(len(pairs), len(self._pairs), np.int64)
        for known, place in ((self._pairs, None), (self._newer, self._places)):
            if len(known):
                at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
                found = known[at] == pairs
                places[found] = at[found] if place is None else place[at[found]]
        places[pairs < 0] = -1
        return places

    def add(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each pair, which is a new one where it has not been met."""
        unmet = np.unique(pairs[self.of(pairs) == len(self._pairs)])
        if len(unmet):
            at = np.searchsorted(self._newer, unmet)
            places = np.arange(len(self), len(self) + len(unmet))
            self._newer = np.insert(self._newer, at, unmet)
            self._places = np.insert(self._places, at, places)
        return self.of(pairs)
