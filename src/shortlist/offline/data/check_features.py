"""Check that declared features can read the columns that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.config.features import declared
from shortlist.config.schema import Config
from shortlist.core.errors import ConfigError, DataError
from shortlist.features.declared import declare
from shortlist.offline.data.finding import Finding
from shortlist.offline.data.items import column_kinds
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.users import user_kinds

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def check_features(con: Backend, config: Config, folder: Path) -> Iterator[Finding]:
    """Features that would stop training: a column is of a kind that they cannot read.

    Args:
        con: the engine that reads.
        config: the project's configuration.
        folder: the project folder; sources without errors.
    """
    features, items, users = declared(config.features), config.data.items, config.data.users
    if not features:
        return
    try:
        kinds = (
            column_kinds(open_source(con, locate(items, folder), items.id), items) if items else {}
        )
        own = user_kinds(open_source(con, locate(users, folder), users.id), users) if users else {}
    except DataError as error:
        yield Finding.of("features", error)
        return
    events = config.data.events
    for name, section in features.items():
        if section.value == "cross":
            continue
        try:
            declare({name: section}, events.weights, kinds, own, events.impression)
        except ConfigError as error:
            yield Finding.of(f"features.{name}", error)
