"""State that outlives a release, opened as `[serve]` says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shortlist.config.schema import ServeSection
from shortlist.core.errors import ConfigError
from shortlist.stores.availability import RedisAvailability, SqliteAvailability
from shortlist.stores.contract import AvailabilityStore, HistoryStore
from shortlist.stores.redis import RedisHistory
from shortlist.stores.sqlite import SqliteHistory

__all__ = ["Stores", "open_stores"]


@dataclass(frozen=True)
class Stores:
    """The stores of a project."""

    history: HistoryStore
    availability: AvailabilityStore

    def close(self) -> None:
        """Close all of them."""
        self.history.close()
        self.availability.close()


def open_stores(serve: ServeSection, state_folder: Path) -> Stores:
    """Open the stores that `[serve]` names.

    Args:
        serve: the section of the config.
        state_folder: where SQLite's files are (`.shortlist/state`), made if it is not there.

    Raises:
        ConfigError: `serve.history` is neither `sqlite` nor a Redis URL.
        StoreError: a file cannot be opened or Redis cannot be reached; names the file or URL.
    """
    if serve.history == "sqlite":
        return Stores(
            SqliteHistory(state_folder / "history.sqlite", serve.history_size),
            SqliteAvailability(state_folder / "availability.sqlite"),
        )
    if serve.history.startswith(("redis://", "rediss://", "unix://")):
        return Stores(
            RedisHistory(serve.history, serve.history_size), RedisAvailability(serve.history)
        )
    raise ConfigError(
        f"{serve.history!r} is not a store of histories.",
        remedy="Write sqlite, or redis://host:port/db.",
        where="serve.history",
    )
