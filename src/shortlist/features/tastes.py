"""The user's taste in categories: how often, and how long ago.

An item with several values of the attribute belongs to each of them: its affinity is the mean
over its values, its idleness that of the value met last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Column
from shortlist.core.jit import kernel
from shortlist.core.times import DAY
from shortlist.features.contract import HISTORY, AsOf, View
from shortlist.features.users import NEVER

if TYPE_CHECKING:
    import ibis.expr.types as ir

Lists = tuple[NDArray[np.int64], NDArray[np.int32]]
"""Offsets and codes of the values of some items; -1 for no value."""


@dataclass(frozen=True)
class Affinity:
    """`affinity:<attribute>`: share of the last `HISTORY` interactions in the category."""

    attribute: str
    default: float = 0.0

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"affinity:{self.attribute}"

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with both taste columns."""
        return tastes(at, self.attribute)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Tally the history, then look each candidate's values up."""
        column = view.catalogue.columns[self.attribute]
        _affinity(
            *values_of(column, view.history_rows), *values_of(column, view.rows), self.default, out
        )


@dataclass(frozen=True)
class AffinityIdle:
    """`affinity_idle:<attribute>`: days since the last interaction with the category.

    Interactions older than the last `HISTORY` do not count.
    """

    attribute: str
    default: float = NEVER

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"affinity_idle:{self.attribute}"

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with both taste columns."""
        return tastes(at, self.attribute)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Note when each category was met last, then look each candidate's values up."""
        column = view.catalogue.columns[self.attribute]
        _idle(
            *values_of(column, view.history_rows),
            view.history_times,
            *values_of(column, view.rows),
            view.now,
            self.default,
            out,
        )


def values_of(column: Column, rows: NDArray[np.int32]) -> Lists:
    """The values of items as lists, whether the attribute has one or several."""
    codes = column.arrays["codes"]
    if column.kind == "keyword":
        return _singles(codes, rows)
    return _lists(column.arrays["offsets"], codes, rows)


def tastes(at: AsOf, attribute: str) -> ir.Table:
    """Both taste columns for every candidate that has a category."""
    import ibis

    from shortlist.features.windows import history, sequenced_requests, user_log

    values = at.catalogue.select("item", term=at.catalogue[f"attribute:{attribute}"])
    if values.term.type().is_array():
        values = values.select("item", term=values.term.unnest()).distinct()
    values = values.drop_null("term")
    requests = sequenced_requests(at)
    asked = at.candidates.select("request", "item").join(values, "item")
    points = asked.select("request", "term").distinct().join(requests, "request")
    found = history(at, points, user_log(at).join(values, "item"), "term")
    found = found.join(requests.select("request", now="time"), "request")
    found = found.select(
        "request",
        "term",
        share=ibis.ifelse(
            found.sequence > 0,
            found["count"] / ibis.least(found.sequence, HISTORY).cast("float64"),
            None,
        ),
        idle=(found.now - found["last"]) / float(DAY),
    )
    asked = asked.join(found, ["request", "term"])
    return asked.group_by(["request", "item"]).agg(
        **{
            f"affinity:{attribute}": asked.share.mean(),
            f"affinity_idle:{attribute}": asked.idle.min(),
        }
    )


@kernel
def _singles(codes: NDArray[np.int32], rows: NDArray[np.int32]) -> Lists:
    picked = np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        picked[i] = codes[rows[i]]
    return np.arange(len(rows) + 1), picked


@kernel
def _lists(offsets: NDArray[np.int64], codes: NDArray[np.int32], rows: NDArray[np.int32]) -> Lists:
    """Gather lists; a value that a list repeats becomes -1."""
    starts = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(rows)):
        row = rows[i]
        starts[i + 1] = starts[i] + offsets[row + 1] - offsets[row]
    picked = np.empty(starts[-1], np.int32)
    for i in range(len(rows)):
        source = offsets[rows[i]]
        for j in range(starts[i + 1] - starts[i]):
            code = codes[source + j]
            for earlier in range(j):
                if codes[source + earlier] == code:
                    code = np.int32(-1)
                    break
            picked[starts[i] + j] = code
    return starts, picked


@kernel
def _slot(table: NDArray[np.int32], code: int) -> int:
    """Where a code is in an open-addressed table of a power-of-two size, or would be put."""
    mask = len(table) - 1
    slot = (code * 0x9E3779B1 >> 7) & mask
    while table[slot] >= 0 and table[slot] != code:
        slot = (slot + 1) & mask
    return slot


@kernel
def _table(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """An empty table, at most half full once it holds the codes."""
    size = 4
    while size < 2 * len(codes):
        size *= 2
    return np.full(size, -1, np.int32)


@kernel
def _affinity(
    history_starts: NDArray[np.int64],
    history_codes: NDArray[np.int32],
    starts: NDArray[np.int64],
    codes: NDArray[np.int32],
    default: float,
    out: NDArray[np.float32],
) -> None:
    out[:] = default
    length = len(history_starts) - 1
    if length == 0:
        return
    table = _table(history_codes)
    counts = np.zeros(len(table), np.int32)
    for code in history_codes:
        if code >= 0:
            slot = _slot(table, code)
            table[slot] = code
            counts[slot] += 1
    for i in range(len(out)):
        values = 0
        found = 0
        for code in codes[starts[i] : starts[i + 1]]:
            if code >= 0:
                values += 1
                found += counts[_slot(table, code)]
        if values > 0:
            out[i] = found / (values * length)


@kernel
def _idle(
    history_starts: NDArray[np.int64],
    history_codes: NDArray[np.int32],
    history_times: NDArray[np.int64],
    starts: NDArray[np.int64],
    codes: NDArray[np.int32],
    now: int,
    default: float,
    out: NDArray[np.float32],
) -> None:
    table = _table(history_codes)
    last = np.full(len(table), np.iinfo(np.int64).min, np.int64)
    for h in range(len(history_times)):
        for code in history_codes[history_starts[h] : history_starts[h + 1]]:
            if code >= 0:
                slot = _slot(table, code)
                table[slot] = code
                last[slot] = max(last[slot], history_times[h])
    for i in range(len(out)):
        newest = np.iinfo(np.int64).min
        for code in codes[starts[i] : starts[i + 1]]:
            if code >= 0:
                newest = max(newest, last[_slot(table, code)])
        out[i] = default if newest == np.iinfo(np.int64).min else (now - newest) / DAY
