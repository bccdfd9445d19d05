"""`TrainingData`: what retrievers learn from, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.context import NO_CONTEXTS, Contexts
from shortlist.core.keys import kind_code
from shortlist.core.users import UserTable
from shortlist.features.contract import Others
from shortlist.offline.data.query_log import QueryLog


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
        kind: `int16[n]`, the kind of each event as a place in `kinds`; empty where kinds are not
            told apart.
        kinds: names of the kinds.
        queries: what was searched for; None without `[data.queries]`.
        user_keys: `uint64[users]`, the key of each user's id; empty where ids are not known.
        user_table: what is known of users; None without `[data.users]`.
        others: events that are no interactions, of the kinds that features count; None where no
            feature counts any.
        context: what each event happened in.
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
    kind: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    kinds: tuple[str, ...] = ()
    queries: QueryLog | None = None
    user_keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    user_table: UserTable | None = None
    others: Others | None = None
    context: Contexts = NO_CONTEXTS

    @property
    def items(self) -> int:
        """The number of item rows."""
        return len(self.catalogue)

    def __len__(self) -> int:
        return len(self.item)

    def kind_codes(self) -> NDArray[np.uint32]:
        """`core.keys.kind_code` of each event's kind, `uint32[n]`; 0 where kinds are not known."""
        if not len(self.kind):
            return np.zeros(len(self), np.uint32)
        return np.array([kind_code(kind) for kind in self.kinds], np.uint32)[self.kind]

    def owners(self) -> NDArray[np.uint64]:
        """The key of each event's user, `uint64[n]`."""
        assert len(self.user_keys) == self.users, "user_keys are not known"
        return self.user_keys[self.user]

    def before(self, until: int) -> TrainingData:
        """The part before an instant: what a model of that instant could have known."""
        keep = self.time < until
        queries = self.queries.before(until) if self.queries is not None else None
        others = self.others.before(until) if self.others is not None else None
        return replace(self._where(keep), until=until, queries=queries, others=others)

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
            kind=self.kind[keep] if len(self.kind) else self.kind,
            context=self.context[keep],
        )
