from pathlib import Path

import pytest

from shortlist.config.schema import ServeSection
from shortlist.core.errors import ConfigError, StoreError
from shortlist.stores import open_stores
from shortlist.testing.stores import events, times


def test_sqlite_files_are_made_in_the_state_folder(tmp_path: Path) -> None:
    stores = open_stores(ServeSection(history_size=2), tmp_path / "state")
    stores.history.append(["ann"] * 3, events(("a", 1), ("b", 2), ("c", 3)))
    stores.close()
    again = open_stores(ServeSection(), tmp_path / "state")
    assert times(again.history.read(["ann"])[0]) == [2, 3]
    again.close()
    assert {path.name for path in (tmp_path / "state").glob("*.sqlite")} == {
        "history.sqlite",
        "availability.sqlite",
    }


def test_a_redis_url_holds_both_stores(tmp_path: Path, empty_redis: str) -> None:
    section = ServeSection(history=empty_redis)
    one, other = open_stores(section, tmp_path), open_stores(section, tmp_path)
    one.history.append(["ann"], events(("a", 1)))
    one.availability.hide(["a"])
    assert times(other.history.read(["ann"])[0]) == [1]
    assert len(other.availability.hidden()) == 1
    one.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_nobody_answers_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"redis://localhost:1/0.*serve\.history"):
        open_stores(ServeSection(history="redis://localhost:1/0"), tmp_path)


def test_another_kind_of_store_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"serve\.history: 'mysql' is not a store"):
        open_stores(ServeSection(history="mysql"), tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StoreError, match="state"):
        open_stores(ServeSection(), tmp_path / "state")
