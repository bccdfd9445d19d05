"""Compiled kernels of `features.counters`: totals, chains of posted events, and values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.times import DAY
from shortlist.features.declared import OLD

TOTAL, RATIO, LAST, DISTINCT = range(4)
"""What a value is made of totals by."""


@kernel
def span_of(offsets: NDArray[np.int64], key: int) -> tuple[int, int]:
    """Where the events of a key are in a release; nowhere where the key is newer."""
    if key + 1 < len(offsets):
        return offsets[key], offsets[key + 1]
    return 0, 0


@kernel
def accumulate(
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    half_life: float,
) -> None:
    """Turn amounts into running totals of each key."""
    for key in range(len(offsets) - 1):
        for i in range(offsets[key] + 1, offsets[key + 1]):
            fade = 1.0
            if half_life > 0:
                fade = 2.0 ** (-(times[i] - times[i - 1]) / half_life)
            x[i] += x[i - 1] * fade
            y[i] += y[i - 1] * fade


@kernel
def append(
    keys: NDArray[np.int64],
    times: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    head: NDArray[np.int64],
    after: NDArray[np.int64],
    live_times: NDArray[np.int64],
    live_x: NDArray[np.float64],
    live_y: NDArray[np.float64],
    size: int,
    offsets: NDArray[np.int64],
    base_times: NDArray[np.int64],
    base_x: NDArray[np.float64],
    base_y: NDArray[np.float64],
    half_life: float,
) -> None:
    """Put each event into its chain; totals are linear, so later ones are raised by it."""
    for i in range(len(keys)):
        key, time, node = keys[i], times[i], size + i
        newer, older = -1, head[key]
        while older >= 0 and live_times[older] > time:
            fade = 1.0
            if half_life > 0:
                fade = 2.0 ** (-(live_times[older] - time) / half_life)
            live_x[older] += x[i] * fade
            live_y[older] += y[i] * fade
            newer, older = older, after[older]
        before, total_x, total_y = time, 0.0, 0.0
        start, stop = span_of(offsets, key)
        if older >= 0:
            before, total_x, total_y = live_times[older], live_x[older], live_y[older]
        elif stop > start:
            end = stop - 1
            before, total_x, total_y = base_times[end], base_x[end], base_y[end]
        if half_life > 0:
            fade = 2.0 ** (-(time - before) / half_life)
            total_x *= fade
            total_y *= fade
        live_times[node], after[node] = time, older
        live_x[node], live_y[node] = total_x + x[i], total_y + y[i]
        if newer >= 0:
            after[newer] = node
        else:
            head[key] = node


@kernel
def meet(
    keys: NDArray[np.int64],
    values: NDArray[np.int64],
    times: NDArray[np.int64],
    head: NDArray[np.int64],
    after: NDArray[np.int64],
    live_times: NDArray[np.int64],
    live_before: NDArray[np.float64],
    live_values: NDArray[np.int64],
    size: int,
    offsets: NDArray[np.int64],
    base_times: NDArray[np.int64],
    base_values: NDArray[np.int64],
) -> None:
    """Put each event into its chain, and find the one before it with the same value."""
    for i in range(len(keys)):
        key, time, value, node = keys[i], times[i], values[i], size + i
        newer, older, later = -1, head[key], -1
        while older >= 0 and live_times[older] > time:
            if live_values[older] == value:
                later = older
            newer, older = older, after[older]
        found = False
        cursor = older
        while cursor >= 0 and not found:
            if live_values[cursor] == value:
                live_before[node] = live_times[cursor]
                found = True
            cursor = after[cursor]
        start, stop = span_of(offsets, key)
        place = stop - 1
        while place >= start and not found:
            if base_values[place] == value:
                live_before[node] = base_times[place]
                found = True
            place -= 1
        if not found:
            live_before[node] = np.iinfo(np.int64).min
        if later >= 0:
            live_before[later] = time
        live_times[node], live_values[node], after[node] = time, value, older
        if newer >= 0:
            after[newer] = node
        else:
            head[key] = node


@kernel
def first_not_before(times: NDArray[np.int64], low: int, high: int, instant: int) -> int:
    """The first place of `low:high` whose time is not before an instant."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < instant:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _different(
    key: int,
    begin: int,
    now: int,
    head: NDArray[np.int64],
    after: NDArray[np.int64],
    live_times: NDArray[np.int64],
    live_before: NDArray[np.float64],
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    base_before: NDArray[np.float64],
) -> float:
    """How many values a key has in [begin, now): events that are the first there with theirs."""
    count = 0
    node = head[key]
    while node >= 0 and live_times[node] >= begin:
        count += live_times[node] < now and live_before[node] < begin
        node = after[node]
    start, stop = span_of(offsets, key)
    place = first_not_before(times, start, stop, now) - 1
    while place >= start and times[place] >= begin:
        count += base_before[place] < begin
        place -= 1
    return float(count)


@kernel
def _totals(
    key: int,
    instant: int,
    head: NDArray[np.int64],
    after: NDArray[np.int64],
    live_times: NDArray[np.int64],
    live_x: NDArray[np.float64],
    live_y: NDArray[np.float64],
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    base_x: NDArray[np.float64],
    base_y: NDArray[np.float64],
) -> tuple[int, float, float]:
    """The time of a key's last event before an instant, and the totals at it."""
    node = head[key]
    while node >= 0 and live_times[node] >= instant:
        node = after[node]
    if node >= 0:
        return live_times[node], live_x[node], live_y[node]
    start, stop = span_of(offsets, key)
    end = first_not_before(times, start, stop, instant)
    if end > start:
        return times[end - 1], base_x[end - 1], base_y[end - 1]
    return np.iinfo(np.int64).min, 0.0, 0.0


@kernel
def _value(
    now: int,
    how: int,
    half_life: float,
    newest: int,
    x: float,
    y: float,
    above: float,
    below: float,
) -> float:
    """What totals say, a ratio with something added above and below; NaN for nothing."""
    there = newest > np.iinfo(np.int64).min
    if half_life > 0 and there:
        fade = 2.0 ** (-(now - newest) / half_life)
        x *= fade
        y *= fade
        if y < 2.0**-OLD:
            y = 0.0
    if how == TOTAL:
        return x
    if how == LAST:
        return (now - newest) / DAY if there else np.nan
    return (x + above) / (y + below) if y + below > 0 else np.nan


@kernel
def read(
    starts: NDArray[np.int64],
    keys: NDArray[np.int32],
    now: int,
    how: int,
    window: int,
    half_life: float,
    default: float,
    above: float,
    below: float,
    head: NDArray[np.int64],
    after: NDArray[np.int64],
    live_times: NDArray[np.int64],
    live_x: NDArray[np.float64],
    live_y: NDArray[np.float64],
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    base_x: NDArray[np.float64],
    base_y: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """The mean over each row's keys of what they have (of `last`, the least)."""
    never = np.iinfo(np.int64).min
    begin = now - window if window > 0 else never // 2
    for i in range(len(starts) - 1):
        count, total = 0, 0.0
        for key in keys[starts[i] : starts[i + 1]]:
            if key < 0:
                continue
            if how == DISTINCT:
                value = _different(
                    key, begin, now, head, after, live_times, live_x, offsets, times, base_x
                )
            else:
                newest, x, y = _totals(
                    *(key, now, head, after, live_times, live_x, live_y),
                    *(offsets, times, base_x, base_y),
                )
                if newest < begin:
                    newest, x, y = never, 0.0, 0.0
                elif window > 0 and how != LAST:
                    _, before_x, before_y = _totals(
                        *(key, begin, head, after, live_times, live_x, live_y),
                        *(offsets, times, base_x, base_y),
                    )
                    x -= before_x
                    y -= before_y
                value = _value(now, how, half_life, newest, x, y, above, below)
            if not np.isnan(value):
                if how == LAST and count > 0:
                    total = min(total, value)
                else:
                    total += value
                    count += 1
        out[i] = total / count if count > 0 else default
