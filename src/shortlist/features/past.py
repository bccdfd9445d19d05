"""Declared aggregates by user, online: over the user's newest interactions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.times import DAY
from shortlist.features.contract import View
from shortlist.features.counters import amounts
from shortlist.features.declared import OLD, Aggregate
from shortlist.features.tastes import values_of


def over_history(feature: Aggregate, view: View, out: NDArray[np.float32]) -> None:
    """Write the value of each candidate into `out`, `float32[n]`."""
    rows, times = view.history_rows, view.history_times
    x, y = amounts(feature, view.catalogue, rows, view.history_kinds)
    if feature.window is not None:
        inside = times >= view.now - feature.window
        x, y = x * inside, y * inside
    counts = (x != 0) | (y != 0)
    if feature.half_life is not None:
        fade = 2.0 ** (-(view.now - times) / feature.half_life)
        x, y = x * fade, y * fade
    if not feature.key:
        match = np.ones((1, len(rows)), np.bool_)
        starts, event = np.array([0, 1]), np.arange(len(rows))
    elif feature.key == "item":
        match = view.rows[:, None] == rows[None, :]
        starts, event = np.arange(len(view.rows) + 1), np.arange(len(rows))
    else:
        column = view.catalogue.columns[feature.key]
        past_starts, past = values_of(column, rows)
        starts, codes = values_of(column, view.rows)
        event = np.repeat(np.arange(len(rows)), np.diff(past_starts))
        match = (codes[:, None] == past[None, :]) & (codes >= 0)[:, None]
    values = _values(feature, view, match & counts[event], event, x, y)
    if feature.key in ("", "item"):
        out[:] = np.where(np.isnan(values), feature.default, values)
        return
    values[codes < 0] = np.nan
    out[:] = _by_candidate(feature, values, starts)


def _values(
    feature: Aggregate,
    view: View,
    met: NDArray[np.bool_],
    event: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The value of each line of `met`, bool[m, e]; NaN where there is none."""
    match feature.section.value:
        case "count" | "sum":
            return np.asarray(met @ x[event], np.float64)
        case "last":
            newest = np.max(np.where(met, view.history_times[event], -1), axis=1, initial=-1)
            return np.where(newest >= 0, (view.now - newest) / DAY, np.nan)
        case "distinct":
            return _distinct(feature, view, met, event)
        case _:
            below = met @ y[event]
            below[below < 2.0**-OLD] = 0.0
            more, below = feature.prior[0], below + feature.prior[1]
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(below > 0, (met @ x[event] + more) / below, np.nan)


def _distinct(
    feature: Aggregate, view: View, met: NDArray[np.bool_], event: NDArray[np.int64]
) -> NDArray[np.float64]:
    of = feature.section.of
    if of == "item":
        told = view.history_rows[event]
    else:
        starts, codes = values_of(view.catalogue.columns[of], view.history_rows[event])
        met = np.repeat(met, np.diff(starts), axis=1) & (codes >= 0)
        told = codes
    _, place = np.unique(told, return_inverse=True)
    different = np.zeros((len(met), int(place.max(initial=-1)) + 1), np.bool_)
    lines, columns = np.nonzero(met)
    different[lines, place[columns]] = True
    return np.asarray(different.sum(axis=1), np.float64)


def _by_candidate(
    feature: Aggregate, values: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean (of `last`, the least) over the values of each candidate's attribute."""
    size = len(starts) - 1
    candidate = np.repeat(np.arange(size), np.diff(starts))
    there = ~np.isnan(values)
    candidate, values = candidate[there], values[there]
    counts = np.bincount(candidate, minlength=size)
    if feature.section.value == "last":
        least = np.full(size, np.inf)
        np.minimum.at(least, candidate, values)
        return np.where(counts > 0, least, feature.default)
    sums = np.bincount(candidate, values, minlength=size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), feature.default)
