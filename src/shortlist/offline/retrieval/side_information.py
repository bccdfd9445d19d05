"""Side information: what the catalogue says of items, as codes that items share.

What Wang et al. (KDD 2018, section 3.3) call side information: category, brand, price level. A
code is one value of one attribute that at least two items have, and not all of them: what only
one item has says no more than its id, and what all have says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue, Column
from shortlist.core.errors import ConfigError, did_you_mean

BUCKETS = 10
"""Numbers and times are cut into so many quantiles, each a value."""

SHARED = 0.5
"""An attribute is informative if this share of the items with a value have one that tells."""

COMMON = 0.95
"""A value that this share of the items has tells nothing apart."""


@dataclass(frozen=True)
class SideInformation:
    """The codes of every item, attribute by attribute.

    Attributes:
        names: the attributes, in the catalogue's order.
        offsets: `int64[items * attributes + 1]` into `codes`; those of item `i` and attribute `a`
            are at `offsets[i * attributes + a]` and after.
        codes: `int32[k]`, ascending within an item and attribute, each once.
        size: how many different codes there are.
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    size: int

    def present(self) -> NDArray[np.bool_]:
        """Which attributes each item has a code of, `bool[items, attributes]`."""
        if not self.names:
            return np.zeros((0, 0), np.bool_)
        return (np.diff(self.offsets) > 0).reshape(-1, len(self.names))

    @classmethod
    def of(
        cls, catalogue: Catalogue, attributes: list[str] | Literal["auto"], known: NDArray[np.bool_]
    ) -> SideInformation:
        """The codes of a catalogue.

        Args:
            catalogue: the items.
            attributes: their names, or `auto` for every informative one: of the items with a
                value at least half have one that others have, and not all others.
            known: `bool[items]`, the items that training knows. Buckets are quantiles of theirs,
                and a value that none of them has gets no code: nothing is learnt of it.

        Raises:
            ConfigError: an attribute is not in the catalogue, or is a text.
        """
        n = len(catalogue)
        names: list[str] = []
        rows, places, codes = [], [], []
        size = 0
        for name in _asked(catalogue, attributes):
            (row, code), enough = _telling(_values(catalogue.columns[name], known), known)
            if not enough and (attributes == "auto" or not len(row)):
                continue
            rows.append(row)
            places.append(np.full(len(row), len(names)))
            codes.append(code + size)
            size += int(code.max(initial=-1)) + 1
            names.append(name)
        if not names:
            return cls((), np.zeros(1, np.int64), np.empty(0, np.int32), 0)
        slot = np.concatenate(rows) * len(names) + np.concatenate(places)
        order = np.argsort(slot, kind="stable")
        offsets = np.zeros(n * len(names) + 1, np.int64)
        np.cumsum(np.bincount(slot, minlength=n * len(names)), out=offsets[1:])
        return cls(tuple(names), offsets, np.concatenate(codes)[order].astype(np.int32), size)


Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Item rows and values, ascending, each pair once."""


def _asked(catalogue: Catalogue, attributes: list[str] | Literal["auto"]) -> list[str]:
    able = [name for name, column in catalogue.columns.items() if column.kind != "text"]
    if attributes == "auto":
        return able
    for name in attributes:
        if name not in able:
            kind = "is a text" if name in catalogue.columns else "is not in the catalogue"
            raise ConfigError(
                f"attributes: {name!r} {kind}.",
                remedy=did_you_mean(name, able) or "There are no attributes: write [].",
            )
    return [name for name in able if name in attributes]


def _values(column: Column, known: NDArray[np.bool_]) -> Pairs:
    """Every item's values as numbers: codes of keywords, buckets of numbers and times."""
    if column.kind in ("keyword", "keywords"):
        offsets, codes = column.lists()
        row = np.repeat(np.arange(len(column)), np.diff(offsets))
        pairs = np.unique(row * max(1, len(column.terms)) + codes)
        return pairs // max(1, len(column.terms)), pairs % max(1, len(column.terms))
    values = column.arrays["values"]
    there = values != NO_TIME if column.kind == "time" else np.isfinite(values)
    learnt = values[there & known]
    if not len(learnt):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if len(np.unique(learnt)) > BUCKETS:
        edges = np.unique(np.quantile(learnt, np.arange(1, BUCKETS) / BUCKETS))
    else:
        edges = np.unique(learnt)[1:]
    row = np.flatnonzero(there)
    return row, np.searchsorted(edges, values[row], "right").astype(np.int64)


def _telling(pairs: Pairs, known: NDArray[np.bool_]) -> tuple[Pairs, bool]:
    """The values that tell items apart, numbered anew, and whether enough items have one."""
    row, value = pairs
    size = int(value.max(initial=-1)) + 1
    learnt = known[row]
    filled = len(np.unique(row[learnt]))
    items, among = np.bincount(value, minlength=size), np.bincount(value[learnt], minlength=size)
    telling = (items >= 2) & (among >= 1) & (among < COMMON * filled)
    keep = telling[value]
    number = np.cumsum(telling) - 1
    enough = len(np.unique(row[keep & learnt])) >= max(2, SHARED * filled)
    return (row[keep], number[value[keep]]), enough
