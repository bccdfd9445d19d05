"""`ItemStatistics`: what a release holds to say every item's counts and age as of any hour."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ReleaseError
from shortlist.core.jit import kernel
from shortlist.core.times import DAY, HOUR
from shortlist.core.vocabulary import open_array
from shortlist.features.items import ITEM_DEFAULTS, NO_AGE, WINDOWS

FORMAT = 1
SPAN = max(WINDOWS.values()) * DAY
UNSEEN = np.iinfo(np.int64).max
"""The first time of an item without interactions."""

Extra = tuple[NDArray[np.int32], NDArray[np.int64]]


def floor_hour(instant: int) -> int:
    """The start of the UTC hour that an instant lies in."""
    return instant // HOUR * HOUR


@dataclass(frozen=True)
class ItemStatistics:
    """Interactions per item, exact as of every hour from that of `until` on.

    For earlier hours totals are exact back to `until` - 30 days, windows as far as they reach.

    Attributes:
        until: every interaction is strictly before this instant, microseconds.
        base: the hour (since the epoch) that `hours` count from.
        offsets: `int64[items + 1]` into `hours`.
        hours: `uint16[m]`, the hour of each interaction of the last 30 days, per item, ascending.
        totals: `int64[items]`, all interactions.
        first: `int64[items]`, the time of the first interaction; `UNSEEN` without one.
    """

    until: int
    base: int
    offsets: NDArray[np.int64]
    hours: NDArray[np.uint16]
    totals: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(
        cls, rows: NDArray[np.int32], times: NDArray[np.int64], items: int, until: int
    ) -> ItemStatistics:
        """The statistics of interactions.

        Args:
            rows: `int32[n]` catalogue rows, in any order.
            times: `int64[n]`, microseconds; those not before `until` are passed over.
            items: the number of catalogue rows.
            until: the instant that the log ends at.
        """
        base = (floor_hour(until) - SPAN) // HOUR
        offsets, hours, totals, first = _build(rows, times, items, until, base)
        return cls(until, base, offsets, hours, totals, first)

    @property
    def items(self) -> int:
        """The number of item rows."""
        return len(self.totals)

    def at(self, now: int, extra: Extra | None = None) -> dict[str, NDArray[np.float32]]:
        """Every item column as of the start of `now`'s hour, name → `float32[items]`.

        Args:
            now: an instant, microseconds. The answer is the same for the whole hour.
            extra: rows `int32[n]` and times `int64[n]` of interactions since `until`; earlier
                ones are in the statistics already and are passed over, as are later ones than
                the hour and rows that are not of this catalogue.
        """
        rows, times = extra or (np.empty(0, np.int32), np.empty(0, np.int64))
        # one item's values lie together: a request gathers all columns of scattered rows
        columns = np.empty((self.items, len(ITEM_DEFAULTS)), np.float32).T
        _columns(
            self.until,
            floor_hour(now),
            self.base,
            self.offsets,
            self.hours,
            self.totals,
            self.first,
            rows,
            times,
            columns,
        )
        return dict(zip(ITEM_DEFAULTS, columns, strict=True))

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("offsets", "hours", "totals", "first"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        about = {"format": FORMAT, "until": self.until, "base": self.base}
        (folder / "statistics.json").write_text(json.dumps(about))

    @classmethod
    def load(cls, folder: Path) -> ItemStatistics:
        """Open saved statistics, memory-mapped.

        Raises:
            ReleaseError: the folder was written in another format.
        """
        about = json.loads((folder / "statistics.json").read_text())
        if about["format"] != FORMAT:
            raise ReleaseError(
                f"item statistics have format {about['format']}, this version reads {FORMAT}.",
                remedy="Train again, or open the release with the version that wrote it.",
                where=str(folder / "statistics.json"),
            )
        offsets, hours, totals, first = (
            open_array(folder / f"{name}.npy") for name in ("offsets", "hours", "totals", "first")
        )
        return cls(about["until"], about["base"], offsets, hours, totals, first)


@kernel
def _build(
    rows: NDArray[np.int32], times: NDArray[np.int64], items: int, until: int, base: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.int64], NDArray[np.int64]]:
    """Totals and first times in one pass, the tails by counting sorts: by hour, then by row."""
    totals = np.zeros(items, np.int64)
    first = np.full(items, UNSEEN, np.int64)
    offsets = np.zeros(items + 1, np.int64)
    start = base * HOUR
    span = (until - start) // HOUR + 1
    by_hour = np.zeros(span + 1, np.int64)
    for i in range(len(rows)):
        row, time = rows[i], times[i]
        if time < until:
            totals[row] += 1
            first[row] = min(first[row], time)
            if time >= start:
                offsets[row + 1] += 1
                by_hour[(time - start) // HOUR + 1] += 1
    offsets = np.cumsum(offsets)
    by_hour = np.cumsum(by_hour)
    sorted_rows = np.empty(offsets[items], np.int32)
    place = by_hour[:-1].copy()
    for i in range(len(rows)):
        time = times[i]
        if start <= time < until:
            hour = (time - start) // HOUR
            sorted_rows[place[hour]] = rows[i]
            place[hour] += 1
    hours = np.empty(offsets[items], np.uint16)
    place = offsets[:-1].copy()
    for hour in range(span):
        for row in sorted_rows[by_hour[hour] : by_hour[hour + 1]]:
            hours[place[row]] = hour
            place[row] += 1
    return offsets, hours, totals, first


@kernel
def _columns(
    until: int,
    now: int,
    base: int,
    offsets: NDArray[np.int64],
    hours: NDArray[np.uint16],
    totals: NDArray[np.int64],
    first: NDArray[np.int64],
    extra_rows: NDArray[np.int32],
    extra_times: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` with the columns in the order of `ITEM_DEFAULTS`, as of the hour `now`."""
    items = len(totals)
    hour = now // HOUR - base
    day, week, month = hour - 24, hour - 7 * 24, hour - 30 * 24
    for row in range(items):
        start, stop = offsets[row], offsets[row + 1]
        # Windows end near the newest event: walk back from it, and forward only to the month.
        end = stop
        while end > start and hours[end - 1] >= hour:
            end -= 1
        since = end
        while since > start and hours[since - 1] >= day:
            since -= 1
        out[0, row] = end - since
        while since > start and hours[since - 1] >= week:
            since -= 1
        out[1, row] = end - since
        since = start
        while since < end and hours[since] < month:
            since += 1
        out[2, row] = end - since
        out[3, row] = totals[row] - (stop - end)
        out[5, row] = (now - first[row]) / DAY if first[row] < now else NO_AGE
    for i in range(len(extra_rows)):
        row, time = extra_rows[i], extra_times[i]
        if 0 <= row < items and until <= time < now:
            event = time // HOUR - base
            out[0, row] += event >= day
            out[1, row] += event >= week
            out[2, row] += event >= month
            out[3, row] += 1
            if out[5, row] < 0 or first[row] >= until:
                out[5, row] = max(out[5, row], (now - time) / DAY)
    for row in range(items):
        out[4, row] = (out[0, row] + 1.0) / (out[1, row] / 7.0 + 1.0)
