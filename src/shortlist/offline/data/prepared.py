"""`Prepared`: the finished folder that prepare writes and everything offline reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.context import COLUMN, Contexts
from shortlist.core.errors import DataError
from shortlist.core.keys import item_keys
from shortlist.core.users import USERS, UserTable
from shortlist.features.contract import Others
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.training import TrainingData
from shortlist.stores.contract import EVENT, Events, kind_code

FORMAT = 2
OTHERS = "others.parquet"
MOST_VALUES = 10_000
"""Different values that a context may have; others are taken for none."""
_BATCH_ROWS = 1 << 18


class Counts(msgspec.Struct, frozen=True):
    """How much there is, and how much was left out.

    Attributes:
        events: all events in the lake.
        interactions, impressions: those that were kept.
        others: events without weight, not impressions, that were kept because a feature counts
            their kind.
        users: user rows.
        items: catalogue rows.
        available: of those, the ones the items source has and calls available.
        sessions: sessions of interactions.
        unknown_items: events left out because the items source does not have their item.
        weightless: events of known items left out because their kind counts 0.
        items_without_id: rows of the items source left out.
    """

    events: int
    interactions: int
    impressions: int
    users: int
    items: int
    available: int
    sessions: int
    unknown_items: int
    weightless: int
    items_without_id: int
    others: int = 0


class Summary(msgspec.Struct, frozen=True):
    """`summary.json`.

    Attributes:
        counts: see `Counts`.
        watermark: the time of the newest interaction or impression, microseconds.
        split: the instant the holdout begins at, microseconds.
        min_item_events, min_user_events: from the config, for `TrainingData.frequent`.
        contexts: `data.events.context` → its values, in order.
    """

    counts: Counts
    watermark: int
    split: int
    min_item_events: int
    min_user_events: int
    format: int = FORMAT
    contexts: dict[str, list[str]] = {}


class Prepared:
    """A prepared log and catalogue. Open with `load`."""

    def __init__(self, path: Path, summary: Summary) -> None:
        self.path = path
        self.summary = summary

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Open what `prepare` left in a project folder.

        Raises:
            DataError: there is nothing, or it is damaged or of another version.
        """
        path = folder / ".shortlist" / "prepared"
        try:
            summary = msgspec.json.decode((path / "summary.json").read_bytes(), type=Summary)
        except FileNotFoundError as error:
            raise DataError(
                "nothing has been prepared here.", remedy="Run `shortlist train`.", where=str(path)
            ) from error
        except msgspec.MsgspecError as error:
            raise _damaged(path, str(error)) from error
        if summary.format != FORMAT:
            raise _damaged(path, f"format {summary.format}, this version reads {FORMAT}")
        return cls(path, summary)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items, memory-mapped."""
        return Catalogue.load(self.path / "catalogue")

    @property
    def split(self) -> int:
        """The instant the holdout begins at, microseconds."""
        return self.summary.split

    @property
    def watermark(self) -> int:
        """The time of the newest event, microseconds."""
        return self.summary.watermark

    @property
    def counts(self) -> Counts:
        """How much there is, and how much was left out."""
        return self.summary.counts

    @property
    def interactions_path(self) -> Path:
        """Parquet: user, item, time, weight, kind, session, `context:<name>`; sorted by user,
        time, item."""
        return self.path / "interactions.parquet"

    @property
    def impressions_path(self) -> Path:
        """Parquet: user, item, time, position, request, propensity, variants, `context:<name>`;
        sorted by time and request."""
        return self.path / "impressions.parquet"

    def training(self) -> TrainingData:
        """All interactions as arrays, holdout included: cut with `.before(prepared.split)`."""
        columns = ["user", "item", "time", "weight", "session"]
        table = pq.read_table(self.interactions_path, columns=columns)
        arrays = {name: table[name].to_numpy() for name in columns}
        told = pq.read_table(self.interactions_path, columns=["kind"], read_dictionary=["kind"])
        kinds = told["kind"].unify_dictionaries().combine_chunks()
        return TrainingData(
            catalogue=self.catalogue,
            users=self.counts.users,
            **arrays,
            until=self.watermark + 1,
            min_item_events=self.summary.min_item_events,
            min_user_events=self.summary.min_user_events,
            kind=kinds.indices.to_numpy().astype(np.int16),
            kinds=tuple(kinds.dictionary.to_pylist()),
            queries=QueryLog.load(self.path),
            user_keys=item_keys(self.user_ids()),
            user_table=self.user_table(),
            others=self.others(),
            context=self._contexts(self.interactions_path),
        )

    def others(self) -> Others | None:
        """Events that are no interactions, of the kinds that features count; None for no kind."""
        path = self.path / OTHERS
        if not path.exists():
            return None
        table = pq.read_table(path, read_dictionary=["kind"])
        kinds = table["kind"].unify_dictionaries().combine_chunks()
        names = kinds.dictionary.to_pylist()
        codes = np.array([kind_code(kind) for kind in names], np.uint32)
        user, item, time = (table[name].to_numpy() for name in ("user", "item", "time"))
        told = codes[kinds.indices.to_numpy()]
        return Others(user, item, time, told, self._contexts(path))

    def _contexts(self, path: Path) -> Contexts:
        """The contexts of a file's events."""
        names = {name: COLUMN + name for name in self.summary.contexts}
        columns = {
            name: pq.read_table(path, columns=[column], read_dictionary=[column])[column]
            for name, column in names.items()
        }
        return contexts_of(columns, self.summary.contexts)

    def user_table(self) -> UserTable | None:
        """What is known of users, memory-mapped; None without `[data.users]`."""
        path = self.path / USERS
        return UserTable.load(path) if path.is_dir() else None

    def user_ids(self) -> list[str]:
        """The id of every user row."""
        ids: list[str] = pq.read_table(self.path / "users.parquet", columns=["id"])[
            "id"
        ].to_pylist()
        return ids

    def histories(
        self, batch: int = 10_000, before: int | None = None
    ) -> Iterator[tuple[list[str], NDArray[np.int64], Events]]:
        """Every user's interactions, as `HistoryStore.load` wants them.

        Args:
            batch: users at a time.
            before: only interactions strictly before this instant, microseconds; None for all.

        Yields:
            ids of users; `offsets` int64[users + 1]; events `EVENT[n]`, those of `ids[i]` at
            `offsets[i]:offsets[i + 1]`, oldest first. Users without any are left out.
        """
        ids = pq.read_table(self.path / "users.parquet", columns=["id"])["id"].combine_chunks()
        keys = self.catalogue.vocabulary.keys()
        for users, offsets, rows in self._by_user(batch, before):
            events = np.empty(len(rows), EVENT)
            events["item"] = keys[rows["item"].to_numpy()]
            events["time"] = rows["time"].to_numpy()
            kinds = rows["kind"].combine_chunks()
            codes = np.array([kind_code(kind.as_py()) for kind in kinds.dictionary], np.uint32)
            events["kind"] = codes[kinds.indices.to_numpy()]
            yield ids.take(pa.array(users)).to_pylist(), offsets, events

    def _by_user(
        self, batch: int, before: int | None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], pa.Table]]:
        """Interactions cut between users: distinct users, offsets and rows, `batch` at a time."""
        pending: pa.Table | None = None
        with pq.ParquetFile(self.interactions_path, read_dictionary=["kind"]) as file:
            columns = ["user", "item", "time", "kind"]
            for record_batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                rows = pa.Table.from_batches([record_batch])
                if before is not None:
                    rows = rows.filter(rows["time"].to_numpy() < before)
                if pending is not None:
                    rows = pa.concat_tables([pending, rows]).unify_dictionaries()
                users, starts = np.unique(rows["user"].to_numpy(), return_index=True)
                complete = (max(len(users) - 1, 0) // batch) * batch
                yield from _slices(rows, users, starts, complete, batch)
                pending = rows.slice(int(starts[complete])) if len(users) else None
        if pending is not None:
            users, starts = np.unique(pending["user"].to_numpy(), return_index=True)
            yield from _slices(pending, users, starts, len(users), batch)


def contexts_of(
    columns: Mapping[str, pa.ChunkedArray], terms: Mapping[str, Sequence[str]]
) -> Contexts:
    """Columns of keywords, encoded as dictionaries, by name.

    Args:
        columns: name → its column.
        terms: name → its values, in order; others are none.
    """
    places = {}
    for name, column in columns.items():
        told = column.unify_dictionaries().combine_chunks()
        known = {value: place for place, value in enumerate(terms[name])}
        place = np.array(
            [*(known.get(one, -1) for one in told.dictionary.to_pylist()), -1], np.int32
        )
        places[name] = place[told.indices.fill_null(len(place) - 1).to_numpy()]
    return Contexts(terms, places)


def _slices(
    rows: pa.Table, users: NDArray[np.int32], starts: NDArray[np.int64], complete: int, batch: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], pa.Table]]:
    bounds = np.append(starts, rows.num_rows).astype(np.int64)
    for first in range(0, complete, batch):
        last = min(first + batch, complete)
        offsets = bounds[first : last + 1]
        part = rows.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
        yield users[first:last], offsets - offsets[0], part


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"what was prepared cannot be read ({reason}).",
        remedy=f"Remove {path} and run `shortlist train`.",
        where=str(path / "summary.json"),
    )
