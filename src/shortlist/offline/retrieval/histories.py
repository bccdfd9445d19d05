"""Sequences of a log: each user's events, or each session's, as one CSR array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.offline.data.training import TrainingData

SHORT = 1.5
"""Sessions with fewer events than this on average are no sessions: histories stand in."""


@dataclass(frozen=True)
class Sequences:
    """Events in order; those of sequence `s` are at `offsets[s]:offsets[s + 1]`, oldest first.

    Attributes:
        offsets: `int64[sequences + 1]`.
        items: `int32[n]`.
        weights: `float32[n]`.
        times: `int64[n]`.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def owner(self) -> NDArray[np.int32]:
        """The sequence of each event, `int32[n]`."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.offsets))


def histories(data: TrainingData) -> Sequences:
    """One sequence for each user that has events."""
    return _sequences(data, data.user[1:] != data.user[:-1])


def sessions(data: TrainingData) -> Sequences:
    """One sequence for each session."""
    ends = (data.session[1:] != data.session[:-1]) | (data.user[1:] != data.user[:-1])
    return _sequences(data, ends)


def has_sessions(data: TrainingData) -> bool:
    """Whether sessions say more than single events, and less than whole histories do."""
    cut, whole = len(sessions(data)), len(histories(data))
    return cut > whole and len(data) >= SHORT * cut


def postings(items: NDArray[np.int32], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each item occurs: offsets `int64[n + 1]` into positions `int64[events]`, ascending."""
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(items, minlength=n), out=offsets[1:])
    return offsets, np.argsort(items, kind="stable").astype(np.int64)


def _sequences(data: TrainingData, ends: NDArray[np.bool_]) -> Sequences:
    cuts = np.flatnonzero(ends) + 1
    offsets = np.concatenate([[0], cuts, [len(data)]]) if len(data) else np.zeros(1)
    return Sequences(offsets.astype(np.int64), data.item, data.weight, data.time)
