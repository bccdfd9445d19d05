"""`Batch`: what a ranker is asked to score, of one request or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.keys import item_keys

NOBODY = np.uint64(0)
"""The key of somebody without an id."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Candidates of `g` requests, one request's after the other's.

    Attributes:
        x: `float32[f, n]`, finite, one line per feature.
        rows: `int32[n]`, the catalogue rows of the candidates.
        bounds: `int64[g + 1]`, the candidates of each request.
        users: `uint64[g]`, as `user_keys` gives them.
        histories: per request the catalogue rows of the user's newest interactions strictly
            before it, oldest first, at most `features.HISTORY`.
    """

    x: NDArray[np.float32]
    rows: NDArray[np.int32]
    bounds: NDArray[np.int64]
    users: NDArray[np.uint64]
    histories: Sequence[NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, keep: NDArray[np.int64], x: NDArray[np.float32]) -> Batch:
        """Some of the candidates, ascending, with another matrix `float32[·, len(keep)]`."""
        bounds = np.searchsorted(keep, self.bounds)
        return Batch(x, self.rows[keep], bounds, self.users, self.histories)

    def only(self, chosen: NDArray[np.int64]) -> Batch:
        """Some of the candidates of a batch of one request, in that order."""
        bounds = np.array([0, len(chosen)])
        x = np.ascontiguousarray(self.x[:, chosen])
        return Batch(x, self.rows[chosen], bounds, self.users, self.histories)

    @property
    def request(self) -> NDArray[np.int64]:
        """The number of each candidate's request, `int64[n]`."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.bounds))


def user_keys(ids: Sequence[str]) -> NDArray[np.uint64]:
    """64-bit keys of user ids, `uint64[n]`; `NOBODY` for an empty id."""
    keys = item_keys(ids)
    keys[[not id for id in ids]] = NOBODY
    return keys
