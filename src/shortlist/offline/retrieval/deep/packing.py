"""Histories as columns, and batches of them made by compiled kernels, no object per row.

Batches come in two shapes. `chunks` gives stretches of a history with the next item as the target
at every place (a transformer learns from all of them at once); stretches of like length go into a
batch, so that little of it is padding. `Windows` gives single examples: the newest n items before
an event, padded on the left exactly as they are when serving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.data.training import TrainingData


@dataclass(frozen=True)
class Histories:
    """Each user's interactions, oldest first; those of user `u` are at `starts[u]:stops[u]`.

    Items are numbered by `rows`, so that only items somebody took have a number.

    Attributes:
        rows: `int32[m]`, ascending: the catalogue row of each numbered item.
        place: `int64[items]`, the number of each catalogue row, -1 for none.
        starts, stops: `int64[users]`; a user without interactions is not there.
        item: `int32[n]`, item numbers.
        time: `int64[n]`, microseconds.
        until: just after the log, microseconds.
    """

    rows: NDArray[np.int32]
    place: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    until: int

    @classmethod
    def of(cls, data: TrainingData, *, every: bool = False) -> Histories:
        """The histories of a log (sorted by user, then time, as `TrainingData` is).

        Args:
            data: the log.
            every: number every catalogue row, not only those that somebody took.
        """
        if every:
            rows, item = np.arange(data.items, dtype=np.int32), data.item
        else:
            rows, numbers = np.unique(data.item, return_inverse=True)
            item = numbers.astype(np.int32)
        place = np.full(data.items, -1, np.int64)
        place[rows] = np.arange(len(rows))
        ends = np.flatnonzero(np.append(data.user[1:] != data.user[:-1], len(data) > 0)) + 1
        starts = np.append(0, ends[:-1]) if len(ends) else ends
        return cls(
            rows,
            place,
            starts.astype(np.int64),
            ends.astype(np.int64),
            item,
            data.time,
            data.until,
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many interactions each user has."""
        return self.stops - self.starts

    @property
    def examples(self) -> int:
        """How many interactions have one before them: what can be learnt from."""
        return int(np.maximum(self.lengths - 1, 0).sum())

    def share(self) -> NDArray[np.float32]:
        """Each item's share of the targets, `float32[m]`, above 0."""
        counts = np.bincount(self.item[self.targets()], minlength=len(self.rows)) + 1e-3
        return np.asarray(counts / counts.sum(), np.float32)

    def targets(self) -> NDArray[np.int64]:
        """Where the interactions are that have one before them, `int64[examples]`."""
        return _targets(self.starts, self.stops)

    def hold_out(self, most: int, seed: int) -> tuple[Histories, Held]:
        """Take the last interaction of some users away, to measure on.

        Args:
            most: at most how many users; no more than a fifth of those with three interactions.
            seed: chooses them.
        """
        able = np.flatnonzero(self.lengths >= 3)
        rng = np.random.default_rng([seed, 0x4E1D])
        users = np.sort(rng.permutation(able)[: min(most, len(able) // 5)])
        stops = self.stops.copy()
        stops[users] -= 1
        kept = Histories(
            self.rows, self.place, self.starts, stops, self.item, self.time, self.until
        )
        return kept, Held(self.starts[users], stops[users])

    def windows(
        self, first: NDArray[np.int64], at: NDArray[np.int64], reach: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The newest `reach` interactions before each place, padded on the left.

        Args:
            first: `int64[b]`, where each history begins.
            at: `int64[b]`, the places; what is at a place is not in its window.
            reach: n.

        Returns:
            Item numbers `int64[b, n]`, -1 where there is none, and times `int64[b, n]`, 0 there.
        """
        return _windows(self.item, self.time, first, at, reach)


@dataclass(frozen=True)
class Held:
    """Held-out interactions: where they are, and where their user's history begins, `int64[h]`."""

    first: NDArray[np.int64]
    at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)


def chunks(
    histories: Histories, reach: int, tokens: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut histories into stretches and group them into batches, for one pass.

    A history longer than `reach + 1` is cut, at an offset that differs between passes; a stretch
    begins with the last item of the one before it, so every interaction but a user's first is a
    target once.

    Args:
        histories: what to learn from.
        reach: the most places a stretch has.
        tokens: at most how many places, padding included, a batch has.
        rng: offsets and order.

    Returns:
        begin `int64[c]` and size `int64[c]` of stretches (size counts the last target, so it is
        the places and one more), in batch order, and `int64[batches + 1]` offsets of batches.
    """
    shift = rng.integers(0, reach, len(histories.starts))
    begin, size = _cut(histories.starts, histories.stops, reach, shift)
    order = np.lexsort((rng.random(len(size)), size))
    begin, size = begin[order], size[order]
    groups = _group(size, tokens)
    shuffled = rng.permutation(len(groups) - 1)
    spans = np.diff(groups)[shuffled]
    offsets = np.append(0, np.cumsum(spans))
    place = np.repeat(groups[:-1][shuffled] - offsets[:-1], spans) + np.arange(len(size))
    return begin[place], size[place], offsets.astype(np.int64)


def fill(
    item: NDArray[np.int32], begin: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets of one batch of stretches, `int64[b, longest]`, -1 after the end."""
    return _fill(item, begin, size, int(size.max()) - 1)


@kernel
def _targets(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    total = 0
    for u in range(len(starts)):
        total += max(0, stops[u] - starts[u] - 1)
    out = np.empty(total, np.int64)
    n = 0
    for u in range(len(starts)):
        for at in range(starts[u] + 1, stops[u]):
            out[n] = at
            n += 1
    return out


@kernel
def _windows(
    item: NDArray[np.int32],
    time: NDArray[np.int64],
    first: NDArray[np.int64],
    at: NDArray[np.int64],
    reach: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    items = np.full((len(at), reach), -1, np.int64)
    times = np.zeros((len(at), reach), np.int64)
    for i in range(len(at)):
        for back in range(1, min(reach, at[i] - first[i]) + 1):
            items[i, reach - back] = item[at[i] - back]
            times[i, reach - back] = time[at[i] - back]
    return items, times


@kernel
def _cut(
    starts: NDArray[np.int64], stops: NDArray[np.int64], reach: int, shift: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    most = 0
    for u in range(len(starts)):
        most += (stops[u] - starts[u]) // reach + 2
    begin = np.empty(most, np.int64)
    size = np.empty(most, np.int64)
    n = 0
    for u in range(len(starts)):
        at, stop = starts[u], stops[u]
        if stop - at > reach + 1 and shift[u] > 0:
            begin[n], size[n] = at, shift[u] + 1
            at += shift[u]
            n += 1
        while at < stop - 1:
            begin[n], size[n] = at, min(reach + 1, stop - at)
            at += reach
            n += 1
    return begin[:n], size[:n]


@kernel
def _group(size: NDArray[np.int64], tokens: int) -> NDArray[np.int64]:
    """Offsets of batches over ascending sizes."""
    out = np.empty(len(size) + 1, np.int64)
    out[0] = 0
    n = 0
    for i in range(len(size)):
        if i > out[n] and (size[i] - 1) * (i + 1 - out[n]) > tokens:
            n += 1
            out[n] = i
    if len(size):
        n += 1
        out[n] = len(size)
    return out[: n + 1]


@kernel
def _fill(
    item: NDArray[np.int32], begin: NDArray[np.int64], size: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    inputs = np.full((len(begin), longest), -1, np.int64)
    targets = np.full((len(begin), longest), -1, np.int64)
    for i in range(len(begin)):
        for j in range(size[i] - 1):
            inputs[i, j] = item[begin[i] + j]
            targets[i, j] = item[begin[i] + j + 1]
    return inputs, targets
