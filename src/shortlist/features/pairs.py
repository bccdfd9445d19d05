"""Terms of items, users, moments and contexts, and pairs of them: what events and requests share.

A pair of terms is one integer, and its place among the pairs that have been met is a key of the
counters. Pairs are far fewer than terms of items times terms of users.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError
from shortlist.core.jit import kernel
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


def terms_of_users(
    users: UserTable | None, attributes: Sequence[str], rows: NDArray[np.int32]
) -> Terms:
    """The codes of each user's attribute, or of each pair of values of two; none for users at -1.

    Raises:
        ConfigError: two attributes have more pairs than a term can tell apart.
    """
    known = rows >= 0
    widths = np.zeros(len(rows) + 1, np.int64)
    if users is None or not known.any():
        return widths, np.empty(0, np.int32)
    first, *more = (users.columns[name] for name in attributes)
    starts, codes = values_of(first, rows[known])
    for column in more:
        size = len(column.terms)
        if size * len(first.terms) > 1 << 32:
            raise ConfigError(
                f"the attributes {' and '.join(attributes)} of users have more pairs of values "
                "than events can be counted by.",
                remedy="Count by one of them, or write coarser values.",
                where="features",
            )
        starts, pairs = crossed(values_of(column, rows[known]), (starts, codes))
        codes = np.where(pairs >= 0, (pairs >> 32) * size + (pairs & 0xFFFFFFFF), -1)
    widths[1:][known] = np.diff(starts)
    return np.cumsum(widths), codes


def terms_of_moments(part: str, times: NDArray[np.int64]) -> Terms:
    """The hour or weekday of each instant."""
    return terms_of_codes(parts_of(part, times))


def terms_of_codes(codes: NDArray[np.int64]) -> Terms:
    """One code of each line; -1 for none."""
    return np.arange(len(codes) + 1), codes


def of_each(terms: Terms, lines: int) -> Terms:
    """The terms of one line as those of each of several."""
    _, codes = terms
    return np.arange(lines + 1) * len(codes), np.tile(codes, lines)


def crossed(others: Terms, items: Terms) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of what is shared with a request and a term of an item, line by line: an integer.

    Terms have at most 32 bits, those of items 31.
    """
    plain = (np.ascontiguousarray(part, np.int64) for terms in (others, items) for part in terms)
    return _cross(*plain)


@kernel
def _cross(
    own_starts: NDArray[np.int64],
    own: NDArray[np.int64],
    starts: NDArray[np.int64],
    theirs: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    bounds = np.zeros(len(starts), np.int64)
    for n in range(len(starts) - 1):
        size = (own_starts[n + 1] - own_starts[n]) * (starts[n + 1] - starts[n])
        bounds[n + 1] = bounds[n] + size
    pairs = np.empty(bounds[-1], np.int64)
    at = 0
    for n in range(len(starts) - 1):
        for left in own[own_starts[n] : own_starts[n + 1]]:
            for right in theirs[starts[n] : starts[n + 1]]:
                pairs[at] = right << 32 | left if left >= 0 and right >= 0 else -1
                at += 1
    return bounds, pairs


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
        return _find(self._pairs, self._newer, self._places, pairs)

    def add(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each pair, which is a new one where it has not been met."""
        unmet = np.unique(pairs[self.of(pairs) == len(self._pairs)])
        if len(unmet):
            at = np.searchsorted(self._newer, unmet)
            places = np.arange(len(self), len(self) + len(unmet))
            self._newer = np.insert(self._newer, at, unmet)
            self._places = np.insert(self._places, at, places)
        return self.of(pairs)


@kernel
def _find(
    known: NDArray[np.int64],
    newer: NDArray[np.int64],
    places: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> NDArray[np.int64]:
    """See `Places.of`; `known` and `newer` ascend."""
    out = np.full(len(pairs), len(known), np.int64)
    for n in range(len(pairs)):
        pair = pairs[n]
        if pair < 0:
            out[n] = -1
            continue
        at = np.searchsorted(known, pair)
        if at < len(known) and known[at] == pair:
            out[n] = at
            continue
        at = np.searchsorted(newer, pair)
        if at < len(newer) and newer[at] == pair:
            out[n] = places[at]
    return out
