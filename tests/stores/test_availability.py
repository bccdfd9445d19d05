from pathlib import Path

import pytest

from shortlist.stores.availability import RedisAvailability, SqliteAvailability
from shortlist.stores.contract import AvailabilityStore
from shortlist.testing.stores import AvailabilitySuite


class TestSqliteAvailability(AvailabilitySuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "availability.sqlite"

    def open(self) -> AvailabilityStore:
        return SqliteAvailability(self.path)


class TestRedisAvailability(AvailabilitySuite):
    @pytest.fixture(autouse=True)
    def _server(self, empty_redis: str) -> None:
        self.url = empty_redis

    def open(self) -> AvailabilityStore:
        return RedisAvailability(self.url)
