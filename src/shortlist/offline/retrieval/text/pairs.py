"""Pairs of texts that belong together: neighbours in a session, a query and what it led to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.data.training import TrainingData

HELD = 2_000
"""At most so many pairs are kept back, to measure on."""
FEWEST = 10
"""With fewer there is nothing to tell epochs apart by."""


@dataclass(frozen=True)
class Pairs:
    """Texts that belong together, by number; items come first, queries after them.

    Attributes:
        anchor: `int32[n]`, what is asked with.
        target: `int32[n]`, what should be found, an item.
        user: `int32[n]`, whose it was: another text of the same user is not a negative.
    """

    anchor: NDArray[np.int32]
    target: NDArray[np.int32]
    user: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.anchor)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.anchor[which], self.target[which], self.user[which])

    def joined(self, other: Pairs) -> Pairs:
        """These and others."""
        return Pairs(
            np.concatenate([self.anchor, other.anchor]),
            np.concatenate([self.target, other.target]),
            np.concatenate([self.user, other.user]),
        )

    def readable(self, known: NDArray[np.bool_]) -> Pairs:
        """The pairs of which both texts are known, `bool[texts]`."""
        return self.take(known[self.anchor] & known[self.target])

    def hold_out(self, seed: int) -> tuple[Pairs, Pairs]:
        """These without a few users' pairs, and those pairs: at most `HELD`, at most a tenth."""
        if len(self) < FEWEST * 10:
            return self, self.take(np.zeros(0, np.int64))
        rng = np.random.default_rng([seed, 0x4E1E])
        users, numbers = np.unique(self.user, return_inverse=True)
        place = rng.permutation(len(users))
        order = np.argsort(place[numbers], kind="stable")
        held = np.sort(order[: min(HELD, len(self) // 10)])
        away = np.zeros(len(users), np.bool_)
        away[numbers[held]] = True
        return self.take(~away[numbers]), self.take(held)


def session_pairs(data: TrainingData, window: int) -> Pairs:
    """Different items of one session, up to `window` events apart, the earlier one first.

    Sessions are those of `prepare.session_gap`.
    """
    anchor, target, at = _adjacent(data.session, data.item, window)
    return Pairs(anchor, target, data.user[at])


@kernel
def _adjacent(
    session: NDArray[np.int64], item: NDArray[np.int32], window: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    most = 0
    for i in range(len(item)):
        for j in range(i + 1, min(len(item), i + 1 + window)):
            most += session[j] == session[i]
    anchor, target = np.empty(most, np.int32), np.empty(most, np.int32)
    at = np.empty(most, np.int64)
    n = 0
    for i in range(len(item)):
        for j in range(i + 1, min(len(item), i + 1 + window)):
            if session[j] == session[i] and item[j] != item[i]:
                anchor[n], target[n], at[n] = item[i], item[j], i
                n += 1
    return anchor[:n].copy(), target[:n].copy(), at[:n].copy()
