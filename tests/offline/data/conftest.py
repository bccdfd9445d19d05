"""A project folder in which a test writes sources, collects, prepares and reads the lake."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.config.schema import (
    Config,
    DataSection,
    EventsSection,
    FeatureSection,
    ItemsSection,
    PrepareSection,
    ProjectSection,
    UsersSection,
)
from shortlist.core.progress import Silent
from shortlist.offline.data.check import CheckReport, check
from shortlist.offline.data.collect import CollectReport, collect
from shortlist.offline.data.lake import Lake
from shortlist.offline.data.prepare import prepare
from shortlist.offline.data.prepared import Prepared

Row = tuple[Any, ...]


class World:
    """A project folder and its sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.events = EventsSection(path="events.csv", user="user", item="item", time="time")
        self.items: ItemsSection | None = None
        self.users: UsersSection | None = None
        self.features: dict[str, FeatureSection] = {}
        self.prepare_section = PrepareSection()

    @property
    def config(self) -> Config:
        return Config(
            project=ProjectSection(name="test"),
            data=DataSection(events=self.events, items=self.items, users=self.users),
            features=self.features,
            prepare=self.prepare_section,
        )

    def set_events(self, **keys: Any) -> None:
        self.events = msgspec.structs.replace(self.events, **keys)

    def set_items(self, **keys: Any) -> None:
        self.items = ItemsSection(**{"id": "item", **keys})

    def set_users(self, **keys: Any) -> None:
        self.users = UsersSection(**{"id": "user", "path": "users.csv", **keys})

    def write(self, name: str, text: str | bytes, mode: str = "w") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        with path.open(mode + "b") as file:
            file.write(data)
        return path

    def parquet(self, name: str, **columns: Any) -> Path:
        path = self.folder / name
        pq.write_table(pa.table(columns), path)
        return path

    def csv(self, name: str, rows: list[Row], header: str = "user,item,time") -> Path:
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        return self.write(name, "\n".join(lines) + "\n")

    def append(self, name: str, rows: list[Row]) -> None:
        self.write(name, "".join(",".join(map(str, row)) + "\n" for row in rows), "a")

    def inbox(self, name: str, *events: dict[str, Any], end: str = "\n") -> None:
        text = "\n".join(json.dumps(event) for event in events) + end
        self.write(f".shortlist/inbox/{name}.jsonl", text, "a")

    def collect(self) -> CollectReport:
        return collect(self.config, self.folder, Silent())

    def prepare(self) -> Prepared:
        return prepare(self.config, self.folder, Silent())

    def check(self) -> CheckReport:
        return check(self.config, self.folder)

    def lake(self, *columns: str) -> Counter[Row]:
        """The rows of the lake, each with how often it is in it."""
        paths = [str(path) for path in Lake(self.folder).paths()]
        if not paths:
            return Counter()
        chosen = ", ".join(f'"{name}"' for name in columns or ("user", "item", "time", "kind"))
        with duckdb.connect() as con:
            rows = con.execute(f"SELECT {chosen} FROM read_parquet({paths})").fetchall()
        return Counter(rows)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "project")
