"""What the surroundings of a search say of items: the hour and the place it is asked from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.core.times import HOUR
from shortlist.features import ItemStatistics, floor_hour

HOURS = 24
PRIOR = 10.0
"""An item counts as if it had been taken so many times more, at hours like everything else."""
PLACES = ("keyword", "keywords")


def taken_now(
    statistics: ItemStatistics, instant: int, rows: NDArray[np.int32], times: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How much more than others each item is taken at this time of day, `float32[items]`.

    The logarithm of its share of interactions within an hour of this one (UTC, of the last 30
    days) over that of all items, shrunk to 0 for items that are taken seldom.

    Args:
        statistics: the release's.
        instant: now; counted is what is before its hour.
        rows, times: interactions since the release.
    """
    hour = floor_hour(instant) // HOUR
    out = np.zeros(statistics.items, np.float32)
    _taken_now(
        statistics.offsets, statistics.hours, statistics.base, hour, rows, times // HOUR, out
    )
    return out


def nearness(
    catalogue: Catalogue, attribute: str, place: str, rows: NDArray[np.int32]
) -> NDArray[np.float32]:
    """1 for items at a place, -1 for those elsewhere, 0 where either is unknown; `float32[n]`.

    Args:
        catalogue: the items.
        attribute: a keyword or a list of keywords: where each item is.
        place: where the search is asked from; case does not matter.
        rows: `int32[n]`.
    """
    column = catalogue.columns.get(attribute)
    out = np.zeros(len(rows), np.float32)
    if not place or column is None or column.kind not in PLACES:
        return out
    code = column.code(place)
    if code < 0:
        wanted = place.casefold()
        code = next((n for n, term in enumerate(column.terms) if term.casefold() == wanted), -1)
    if column.kind == "keyword":
        told = column.arrays["codes"][rows]
        out[told >= 0] = -1
        out[(told == code) & (told >= 0)] = 1
    else:
        _nearness(column.arrays["offsets"], column.arrays["codes"], code, rows, out)
    return out


@kernel
def _taken_now(
    offsets: NDArray[np.int64],
    hours: NDArray[np.uint16],
    base: int,
    now: int,
    more_rows: NDArray[np.int32],
    more_hours: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    items = len(offsets) - 1
    near = np.zeros(HOURS, np.bool_)
    for beside in (now - 1, now, now + 1):
        near[beside % HOURS] = True
    every = np.zeros(items, np.float64)
    close = np.zeros(items, np.float64)
    for row in range(items):
        for at in range(offsets[row], offsets[row + 1]):
            hour = base + np.int64(hours[at])
            if hour < now:
                every[row] += 1
                close[row] += near[hour % HOURS]
    for i in range(len(more_rows)):
        if 0 <= more_rows[i] < items and more_hours[i] < now:
            every[more_rows[i]] += 1
            close[more_rows[i]] += near[more_hours[i] % HOURS]
    share = (close.sum() + 1) / (every.sum() + HOURS / 3)
    for row in range(items):
        if every[row] > 0:
            got = (close[row] + PRIOR * share) / (every[row] + PRIOR)
            out[row] = np.log(got / share)


@kernel
def _nearness(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    wanted: int,
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    for i in range(len(rows)):
        for at in range(offsets[rows[i]], offsets[rows[i] + 1]):
            if codes[at] == wanted:
                out[i] = 1
                break
            out[i] = -1
