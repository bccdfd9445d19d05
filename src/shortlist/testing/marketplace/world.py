"""`generate`: make a world and write it as the files a project starts from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.core.errors import RequestError
from shortlist.core.progress import Progress, Silent
from shortlist.core.times import DAY, SECOND
from shortlist.testing.marketplace.listings import CATEGORIES, PLACE_NAMES, Listings, make_listings
from shortlist.testing.marketplace.sessions import EXAMINATION, KINDS, OPEN, Log, simulate
from shortlist.testing.marketplace.tastes import Tastes, make_tastes
from shortlist.testing.marketplace.words import CONDITIONS, HANDOVERS, LANGUAGES

UNTIL = 1_767_571_200 * SECOND
"""The instant worlds end at unless told otherwise: Monday 5 January 2026, 00:00 UTC."""
SESSIONS_PER_USER_DAY = 0.16
BEST = 50
"""How many listings of each user the file of truth holds."""

_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class World:
    """A generated marketplace.

    Attributes:
        folder: where `events.parquet`, `items.parquet`, `users.parquet` and `truth.parquet` are.
        tastes, listings, log: everything about it, as columns.
    """

    folder: Path
    tastes: Tastes
    listings: Listings
    log: Log

    @property
    def events(self) -> Path:
        """The event log."""
        return self.folder / "events.parquet"

    @property
    def items(self) -> Path:
        """The catalogue."""
        return self.folder / "items.parquet"

    @property
    def examination(self) -> NDArray[np.float64]:
        """The probability that a user looks at each position of a list."""
        return EXAMINATION

    def utility(
        self, user: str, items: Sequence[str], at: int | None = None
    ) -> NDArray[np.float32]:
        """How much a user wants items at an instant (default: at the end), `float32[len(items)]`.

        Raises:
            RequestError: an id is not one of this world's.
        """
        users = np.array([_row(user, "u", len(self.tastes), "user")])
        rows = np.array([_row(item, "i", len(self.listings), "item") for item in items], np.int64)
        instant = self.tastes.until if at is None else at
        row: NDArray[np.float32] = self.tastes.utility(users, self.listings, rows, instant)[0]
        return row

    def open_items(self) -> list[str]:
        """Ids of the listings that are still for sale at the end."""
        return [_id("i", row) for row in np.flatnonzero(self.log.closed == OPEN).tolist()]


def generate(
    folder: Path,
    *,
    users: int = 3_000,
    items: int = 5_000,
    days: int = 30,
    seed: int = 0,
    until: int = UNTIL,
    progress: Progress | None = None,
) -> World:
    """Make a world and write its four files.

    The same arguments give the same world; another `until` that is whole days away gives the same
    world at another time.

    Args:
        folder: where the files go; made if it is missing.
        users, items: how many users and listings there are in all.
        days: how long it lasts.
        seed: everything random starts from it.
        until: the instant it ends at, microseconds.
        progress: hears about the steps.

    Returns:
        The world, whose truth can be asked. The files are

        - `events.parquet`: user_id, item_id, timestamp, event, position, request_id;
        - `items.parquet`: item_id, title, description, category, condition, price, place, language,
          handover (list), listed_at, expires_at (null while it is for sale);
        - `users.parquet`: user_id, place, language;
        - `truth.parquet`: user_id, item_id, utility of the `BEST` open listings of every user at
          the end; its schema's metadata hold the examination probabilities.
    """
    progress = progress or Silent()
    start = until - days * DAY
    lifetime = 30 * DAY
    listings = make_listings(
        np.random.default_rng([seed, 1]), items, start - lifetime // 2, until, lifetime
    )
    tastes = make_tastes(np.random.default_rng([seed, 2]), users, listings, start, until)
    sessions = int(users * days * SESSIONS_PER_USER_DAY)
    log = simulate(np.random.default_rng([seed, 3]), tastes, listings, sessions, progress)
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder, tastes, listings, log)
    progress.step("writing the marketplace", 4)
    for name, table in (
        ("events", _events(world)),
        ("items", _items(world)),
        ("users", _users(world)),
        ("truth", _truth(world)),
    ):
        _write(table, folder / f"{name}.parquet")
        progress.advance(1)
    progress.note(f"{users:,} users, {items:,} listings, {len(log):,} events in {days} days")
    return world


def _events(world: World) -> pa.Table:
    log = world.log
    listed = log.request >= 0
    return pa.table(
        {
            "user_id": _ids("u", len(world.tastes)).take(pa.array(log.user)),
            "item_id": _ids("i", len(world.listings)).take(pa.array(log.item)),
            "timestamp": pa.array(log.time, _TIME),
            "event": _names(KINDS, log.kind),
            "position": pa.array(log.position.astype(np.int32), mask=~listed),
            "request_id": _ids("r", int(log.request.max(initial=0)) + 1).take(
                pa.array(log.request, mask=~listed)
            ),
        }
    )


def _items(world: World) -> pa.Table:
    listings, closed = world.listings, world.log.closed
    titles, descriptions = listings.texts()
    ways = np.array(list(HANDOVERS))
    return pa.table(
        {
            "item_id": _ids("i", len(listings)),
            "title": pa.array(titles, pa.string()),
            "description": pa.array(descriptions, pa.string()),
            "category": _names(CATEGORIES, listings.category),
            "condition": _names(tuple(CONDITIONS), listings.condition),
            "price": pa.array(listings.price),
            "place": _names(PLACE_NAMES, listings.place),
            "language": _names(LANGUAGES, listings.language),
            "handover": pa.array(
                [ways[offered].tolist() for offered in listings.handover], pa.list_(pa.string())
            ),
            "listed_at": pa.array(listings.listed, _TIME),
            "expires_at": pa.array(closed, _TIME, mask=closed == OPEN),
        }
    )


def _users(world: World) -> pa.Table:
    tastes = world.tastes
    return pa.table(
        {
            "user_id": _ids("u", len(tastes)),
            "place": _names(PLACE_NAMES, tastes.place),
            "language": _names(LANGUAGES, tastes.language),
        }
    )


def _truth(world: World) -> pa.Table:
    rows = np.flatnonzero(world.log.closed == OPEN)
    best = min(BEST, len(rows))
    users: list[NDArray[np.int64]] = []
    items: list[NDArray[np.int64]] = []
    utilities: list[NDArray[np.float32]] = []
    for first in range(0, len(world.tastes), 500):
        some = np.arange(first, min(first + 500, len(world.tastes)))
        utility = world.tastes.utility(some, world.listings, rows, world.tastes.until)
        order = np.argsort(-utility, axis=1, kind="stable")[:, :best]
        users.append(np.repeat(some, best))
        items.append(rows[order].ravel())
        utilities.append(np.take_along_axis(utility, order, axis=1).ravel())
    table = pa.table(
        {
            "user_id": _ids("u", len(world.tastes)).take(pa.array(np.concatenate(users))),
            "item_id": _ids("i", len(world.listings)).take(pa.array(np.concatenate(items))),
            "utility": pa.array(np.concatenate(utilities)),
        }
    )
    return table.replace_schema_metadata({"examination": json.dumps(EXAMINATION.tolist())})


def _id(letter: str, row: int) -> str:
    return f"{letter}{row:05d}"


def _ids(letter: str, n: int) -> pa.Array:
    return pa.array([_id(letter, row) for row in range(n)], pa.string())


def _row(id: str, letter: str, n: int, field: str) -> int:
    number = id.removeprefix(letter)
    if number.isdecimal() and _id(letter, int(number)) == id and int(number) < n:
        return int(number)
    raise RequestError(
        f"this world has no {field} {id!r}.",
        remedy=f"Ids run from {_id(letter, 0)} to {_id(letter, n - 1)}.",
        where=field,
    )


def _names(names: Sequence[str], codes: NDArray[Any]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes))


def _write(table: pa.Table, path: Path) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(table, beside, compression="zstd")
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
