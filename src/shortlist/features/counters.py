"""Declared aggregates over everybody's events, online: a release's series and what came after it.

A series holds, for each key (an item row, the code of an attribute's value, or a pair of such a
one and of a user's value, an hour or a context: `features.pairs`), running totals at the times of
its events; a value over a window is the difference of two of them. A release keeps what values of
any instant from its watermark on need. Posted events are appended to chains, newest first, that go
on from the release's totals: one costs the same whatever came before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.context import value_code
from shortlist.core.errors import ReleaseError
from shortlist.core.users import UserTable
from shortlist.core.vocabulary import open_array
from shortlist.features.contract import View
from shortlist.features.counter_kernels import (
    DISTINCT,
    LAST,
    RATIO,
    TOTAL,
    accumulate,
    append,
    meet,
    read,
)
from shortlist.features.declared import Aggregate
from shortlist.features.pairs import (
    Places,
    Terms,
    crossed,
    of_each,
    terms_of_codes,
    terms_of_items,
    terms_of_moments,
    terms_of_users,
)

FORMAT = 2
SERIES = "features/series"
"""Where a release holds them, a folder for each feature."""
NEVER = np.iinfo(np.int64).min
_HOW = {
    "count": TOTAL,
    "sum": TOTAL,
    "mean": RATIO,
    "rate": RATIO,
    "last": LAST,
    "distinct": DISTINCT,
}
_ARRAYS = ("offsets", "times", "x", "y", "values", "pairs")


@dataclass(frozen=True)
class Log:
    """Events as columns, in any order.

    Attributes:
        item: `int32[n]` catalogue rows.
        user: `uint64[n]`, the key of each event's user.
        time: `int64[n]`, microseconds.
        kind: `uint32[n]`, `core.keys.kind_code`.
        context: name → `int64[n]`, `core.context.value_code`; -1 for none.
    """

    item: NDArray[np.int32]
    user: NDArray[np.uint64]
    time: NDArray[np.int64]
    kind: NDArray[np.uint32]
    context: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def joined(self, other: Log) -> Log:
        """The events of both, which know the same contexts."""
        return Log(
            np.concatenate([self.item, other.item]),
            np.concatenate([self.user, other.user]),
            np.concatenate([self.time, other.time]),
            np.concatenate([self.kind, other.kind]),
            {n: np.concatenate([of, other.context[n]]) for n, of in self.context.items()},
        )

    def where(self, there: NDArray[np.bool_] | NDArray[np.int64]) -> Log:
        """Some of the events."""
        columns = (self.item[there], self.user[there], self.time[there], self.kind[there])
        return Log(*columns, {name: of[there] for name, of in self.context.items()})


@dataclass(frozen=True)
class Series:
    """One feature's events in a release.

    Attributes:
        until: every event is strictly before this instant.
        newest: the time of the newest event of the log.
        offsets: `int64[keys + 1]`.
        times: `int64[m]`, of each key ascending.
        x, y: `float64[m]`, running totals; decayed to their own time where the feature decays. For
            `distinct`, x is the time of the key's event before with the same value, and y unused.
        values: `int64[m]`, what `distinct` tells apart; else empty.
        pairs: `int64[keys]`, ascending, the pairs that keys are the places of; empty where the
            feature is of no attribute of users, part of time or context.
    """

    until: int
    newest: int
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: NDArray[np.int64]
    pairs: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        feature: Aggregate,
        log: Log,
        catalogue: Catalogue,
        until: int,
        users: UserTable | None = None,
    ) -> Series:
        """The series of a log; events that are not before `until` are passed over."""
        log = log.where(log.time < until)
        newest = int(log.time.max(initial=NEVER))
        event, keys, x, y, values = _lines(feature, log, catalogue, users)
        pairs = np.empty(0, np.int64)
        if feature.paired:
            pairs, keys = np.unique(keys, return_inverse=True)
        times = log.time[event]
        order = np.lexsort((times, keys))
        keys, times, x, y, values = keys[order], times[order], x[order], y[order], values[order]
        size = len(pairs) if feature.paired else keys_of(feature, catalogue)
        offsets = np.searchsorted(keys, np.arange(size + 1))
        if feature.section.value == "distinct":
            x = _before(keys, values, times)
        else:
            accumulate(offsets, times, x, y, float(feature.half_life or 0))
        keep = _needed(feature, offsets, times, x, until)
        return cls(
            until,
            newest,
            np.searchsorted(keys[keep], np.arange(size + 1)),
            times[keep],
            x[keep],
            y[keep],
            values[keep] if feature.section.value == "distinct" else np.empty(0, np.int64),
            pairs,
        )

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        about = {"format": FORMAT, "until": self.until, "newest": self.newest}
        (folder / "series.json").write_text(json.dumps(about))

    @classmethod
    def load(cls, folder: Path) -> Series:
        """Open a saved series, memory-mapped.

        Raises:
            ReleaseError: the folder was written in another format.
        """
        about = json.loads((folder / "series.json").read_text())
        if about["format"] != FORMAT:
            raise ReleaseError(
                f"the series of a feature has format {about['format']}, this version reads "
                f"{FORMAT}.",
                remedy="Train again, or open the release with the version that wrote it.",
                where=str(folder / "series.json"),
            )
        arrays = {name: open_array(folder / f"{name}.npy") for name in _ARRAYS}
        return cls(about["until"], about["newest"], **arrays)


class Counter:
    """A series and the events since: what one feature is online. Not safe for several threads."""

    def __init__(
        self,
        feature: Aggregate,
        series: Series,
        catalogue: Catalogue,
        users: UserTable | None = None,
    ) -> None:
        self._feature, self._series = feature, series
        self._catalogue, self._users = catalogue, users
        self.newest = series.newest
        """The time of the newest event that is known, of whatever item."""
        self._how = _HOW[feature.section.value]
        self._window = feature.window or 0
        self._half_life = float(feature.half_life or 0)
        self._prior = feature.prior
        self._pairs = Places(series.pairs) if feature.paired else None
        self._head = np.full(len(series.offsets) - 1 + bool(self._pairs), -1, np.int64)
        self._size = 0
        self._next, self._times, self._values = (np.empty(64, np.int64) for _ in range(3))
        self._x, self._y = np.empty(64), np.empty(64)

    def add(self, log: Log) -> None:
        """Count events; those before the release's watermark are in it already."""
        fresh = (log.time >= self._series.until) & (log.item >= 0)
        if not fresh.any():
            return
        log = log.where(fresh)
        self.newest = max(self.newest, int(log.time.max()))
        event, keys, x, y, values = _lines(self._feature, log, self._catalogue, self._users)
        if self._pairs is not None:
            keys = self._pairs.add(keys)
        self._room(len(keys))
        series = self._series
        times = log.time[event]
        if self._how == DISTINCT:
            meet(
                *(keys, values, times, self._head, self._next, self._times, self._x, self._values),
                *(self._size, series.offsets, series.times, series.values),
            )
        else:
            append(
                *(keys, times, x, y, self._head, self._next, self._times, self._x, self._y),
                *(self._size, series.offsets, series.times, series.x, series.y, self._half_life),
            )
        self._size += len(keys)

    def read(self, view: View, default: float, out: NDArray[np.float32]) -> None:
        """Write the value of each candidate into `out`, `float32[n]`."""
        feature, now = self._feature, view.now
        rows = view.rows if feature.key else view.rows[:1]  # else all have the same
        told = np.empty(len(rows), np.float32)
        starts, terms = terms_of_items(view.catalogue, feature.key, rows)
        newer = terms >= keys_of(feature, self._catalogue)  # than the release
        keys = np.where(newer, -1, terms).astype(np.int32)
        if self._pairs is not None:
            own = _of_request(feature, view, self._users)
            starts, pairs = crossed(of_each(own, len(rows)), (starts, keys))
            keys = self._pairs.of(pairs).astype(np.int32)
        series = self._series
        read(
            *(starts, keys, now, self._how, self._window, self._half_life, default, *self._prior),
            *(self._head, self._next, self._times, self._x, self._y),
            *(series.offsets, series.times, series.x, series.y),
            told,
        )
        out[:] = told

    def _room(self, more: int) -> None:
        if self._pairs is not None and len(self._pairs) > len(self._head):
            grown = np.full(max(len(self._pairs), 2 * len(self._head)), -1, np.int64)
            grown[: len(self._head)] = self._head
            self._head = grown
        size = len(self._next)
        while size < self._size + more:
            size *= 2
        if size > len(self._next):
            for name in ("_next", "_times", "_values", "_x", "_y"):
                grown = np.empty(size, getattr(self, name).dtype)
                grown[: self._size] = getattr(self, name)[: self._size]
                setattr(self, name, grown)


Counters = Mapping[str, Counter]

Lines = tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
]


def keys_of(feature: Aggregate, catalogue: Catalogue) -> int:
    """How many keys items have."""
    if feature.key == "item":
        return len(catalogue)
    return len(catalogue.columns[feature.key].terms) if feature.key else 1


def matched(feature: Aggregate, kinds: NDArray[np.integer]) -> tuple[NDArray[np.bool_], ...]:
    """Which events count above the line, and below it."""
    up = np.isin(kinds, feature.kinds) if feature.kinds else np.ones(len(kinds), np.bool_)
    down = np.isin(kinds, feature.among) if feature.among else np.ones(len(kinds), np.bool_)
    return up, down if feature.section.value == "rate" else up


def amounts(
    feature: Aggregate, catalogue: Catalogue, item: NDArray[np.int32], kind: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each event adds above and below the line; both 0 where it does not count."""
    up, down = matched(feature, kind)
    x, y = up.astype(np.float64), down.astype(np.float64)
    if feature.section.value in ("sum", "mean"):
        of = feature.section.of
        if of == "weight":
            value = feature.weight_of(kind)
        else:
            value = np.asarray(catalogue.columns[of].arrays["values"][item], np.float64)
        known = np.isfinite(value)
        x, y = np.where(known, value, 0.0) * x, y * known
    return x, y


def _lines(feature: Aggregate, log: Log, catalogue: Catalogue, users: UserTable | None) -> Lines:
    """The place of each event, its key, x, y and value; once for each key that it has."""
    x, y = amounts(feature, catalogue, log.item, log.kind)
    event = np.flatnonzero((x != 0) | (y != 0))
    terms = terms_of_items(catalogue, feature.key, log.item[event])
    if feature.paired:
        terms = crossed(_of_events(feature, log.where(event), users), terms)
    starts, codes = terms
    event, keys = np.repeat(event, np.diff(starts)), codes.astype(np.int64)
    event, keys = event[keys >= 0], keys[keys >= 0]
    told = log.user.view(np.int64) if feature.section.of == "user" else log.item.astype(np.int64)
    return event, keys, x[event], y[event], told[event]


def _of_events(feature: Aggregate, log: Log, users: UserTable | None) -> Terms:
    """What each event shares with a request besides its item's term."""
    match feature.side:
        case "time":
            return terms_of_moments(feature.names[0], log.time)
        case "context":
            return terms_of_codes(log.context[feature.names[0]])
        case _:
            assert users is not None, "[data.users] is not there"
            return terms_of_users(users, feature.names, users.vocabulary.rows_of_keys(log.user))


def _of_request(feature: Aggregate, view: View, users: UserTable | None) -> Terms:
    """The same of a request."""
    match feature.side:
        case "time":
            return terms_of_moments(feature.names[0], np.array([view.now]))
        case "context":
            value = view.context.get(feature.names[0], "")
            return terms_of_codes(np.array([value_code(value)]))
        case _:
            return terms_of_users(users, feature.names, np.array([view.user_row], np.int32))


def _before(
    keys: NDArray[np.int64], values: NDArray[np.int64], times: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The time of the event before with the same key and value; `NEVER` for the first."""
    order = np.lexsort((np.arange(len(keys)), values, keys))
    same = (keys[order][1:] == keys[order][:-1]) & (values[order][1:] == values[order][:-1])
    out = np.full(len(keys), float(NEVER))
    out[order[1:][same]] = times[order[:-1][same]]
    return out


def _needed(
    feature: Aggregate,
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    x: NDArray[np.float64],
    until: int,
) -> NDArray[np.bool_]:
    """The events that values of instants from `until` on are made of."""
    if feature.section.value == "distinct":
        if feature.window is None:
            return np.asarray(x == float(NEVER), np.bool_)
        inside: NDArray[np.bool_] = times >= until - feature.window
        return inside
    last = np.zeros(len(times), np.bool_)
    last[offsets[1:][offsets[1:] > offsets[:-1]] - 1] = True
    if feature.window is None:
        return last
    # The newest event before the window holds the total that the window begins from.
    inside = times >= until - feature.window
    entry = np.zeros(len(times), np.bool_)
    entry[:-1] = ~inside[:-1] & inside[1:]
    return np.asarray(inside | entry | last, np.bool_)
