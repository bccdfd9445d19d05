"""`QueryLog`: what was asked, and what was clicked of the answers, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.core.vocabulary import UNKNOWN

FILE = "queries.parquet"


@dataclass(frozen=True)
class QueryLog:
    """Queries as columns, in the order of time where there are times.

    Attributes:
        texts: different queries, as they were typed, in the order of the alphabet.
        query: `int32[n]`, into `texts`.
        item: `int32[n]`, the catalogue row that was clicked; -1 where none was, or it is unknown.
        user: `int32[n]`, a number for each user; every row its own where users are not kept.
        time: `int64[n]`, microseconds; the smallest int64 where times are not kept.
        users: the ids of users by their numbers; those beyond are of nobody who is known.
        places: different places that were asked from.
        place: `int32[n]`, into `places`, -1 for none; empty where places are not kept.
    """

    texts: list[str]
    query: NDArray[np.int32]
    item: NDArray[np.int32]
    user: NDArray[np.int32]
    time: NDArray[np.int64]
    users: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    place: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.query)

    def before(self, until: int) -> QueryLog:
        """What was asked before an instant; all of it where times are not kept."""
        return self._where(self.time < until)

    def clicked(self) -> QueryLog:
        """The queries that led to a known item."""
        return self._where(self.item != UNKNOWN)

    def counts(self) -> list[tuple[str, int]]:
        """Each query and how often it was asked; queries that never were are left out."""
        often = np.bincount(self.query, minlength=len(self.texts))
        return [(text, n) for text, n in zip(self.texts, often.tolist(), strict=True) if n]

    def _where(self, keep: NDArray[np.bool_]) -> QueryLog:
        return replace(
            self,
            query=self.query[keep],
            item=self.item[keep],
            user=self.user[keep],
            time=self.time[keep],
            place=self.place[keep] if len(self.place) else self.place,
        )

    def user_of(self, number: int) -> str:
        """The id of a user; empty where it is not known."""
        return self.users[number] if number < len(self.users) else ""

    def place_of(self, row: int) -> str:
        """Where a row was asked from; empty where it is not known."""
        number = int(self.place[row]) if len(self.place) else -1
        return self.places[number] if number >= 0 else ""

    def save(self, folder: Path) -> None:
        """Write the log into a folder, as `queries.parquet`."""
        table = pa.table(
            {
                "query": pa.array(self.texts, pa.string()).take(pa.array(self.query)),
                "item": self.item,
                "user": self.user,
                "time": self.time,
                "user_id": _named(self.users, self.user),
                "place": _named(self.places, self.place if len(self.place) else self.query * 0 - 1),
            }
        )
        pq.write_table(table, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> QueryLog | None:
        """What `save` wrote; None where nothing is."""
        if not (folder / FILE).exists():
            return None
        table = pq.read_table(folder / FILE)
        texts, query = numbered(table["query"].combine_chunks())
        item, user, time = (table[name].to_numpy() for name in ("item", "user", "time"))
        known = dict(zip(user.tolist(), table["user_id"].to_pylist(), strict=True))
        users = [known[number] for number in sorted(known) if known[number] is not None]
        places = table["place"].combine_chunks().dictionary_encode()
        return cls(
            texts,
            query,
            item,
            user,
            time,
            tuple(users),
            tuple(places.dictionary.to_pylist()),
            pc.fill_null(places.indices, -1).to_numpy().astype(np.int32),
        )


def _named(names: tuple[str, ...], numbers: NDArray[np.int32]) -> pa.Array:
    """The names of numbers; null for those that have none."""
    there = (numbers >= 0) & (numbers < len(names))
    return pa.array(names, pa.string()).take(pa.array(np.where(there, numbers, 0), mask=~there))


def numbered(texts: pa.StringArray) -> tuple[list[str], NDArray[np.int32]]:
    """Different texts in the order of the alphabet, and which of them each one is, `int32[n]`."""
    different = sorted(pc.unique(texts).to_pylist())
    found = pc.index_in(texts, pa.array(different, pa.string()))
    return different, found.to_numpy(zero_copy_only=False).astype(np.int32)
