"""`TrainingData`: what retrievers learn from, as columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue


@dataclass(frozen=True)
class TrainingData:
    """The interactions before an instant, sorted by user, then time, then item.

    Attributes:
        catalogue: the items; its length is the number of item rows.
        users: the number of user rows (user rows exist while training only).
        user: `int32[n]` user rows.
        item: `int32[n]` catalogue rows.
        time: `int64[n]` microseconds.
        weight: `float32[n]`, above 0.
        session: `int64[n]`, the number of the event's session; sessions do not span users.
        until: every event is strictly before this instant, microseconds.
        min_item_events, min_user_events: what `frequent` keeps.
    """

    catalogue: Catalogue
    users: int
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    weight: NDArray[np.float32]
    session: NDArray[np.int64]
    until: int
    min_item_events: int = 1
    min_user_events: int = 1

    @property
    def items(self) -> int:
        """The number of item rows."""
        return len(self.catalogue)

    def __len__(self) -> int:
        return len(self.item)

    def before(self, until: int) -> TrainingData:
        """The part before an instant: what a model of that instant could have known."""
        keep = self.time < until
        return replace(self._where(keep), until=until)

    def frequent(self) -> TrainingData:
        """The part of items and users with at least the configured number of interactions."""
        items = np.bincount(self.item, minlength=self.items) >= self.min_item_events
        users = np.bincount(self.user, minlength=self.users) >= self.min_user_events
        return self._where(items[self.item] & users[self.user])

    def _where(self, keep: NDArray[np.bool_]) -> TrainingData:
        return replace(
            self,
            user=self.user[keep],
            item=self.item[keep],
            time=self.time[keep],
            weight=self.weight[keep],
            session=self.session[keep],
        )
