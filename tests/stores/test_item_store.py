"""Items written while serving: durable, in the order of their writes, with the vectors of texts."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shortlist.core.errors import StoreError
from shortlist.stores.items import NEVER, Encoded, ItemBody, ItemStore
from shortlist.stores.vectors.reuse import content_hash, embed


class Lengths:
    """Encodes a text as its length, and remembers what it was asked for."""

    version = "lengths-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], np.float32)


@pytest.fixture
def store(tmp_path: Path) -> ItemStore:
    return ItemStore(tmp_path / "state" / "items.sqlite")


def test_every_process_finds_what_it_has_not_seen(store: ItemStore, tmp_path: Path) -> None:
    other = ItemStore(tmp_path / "state" / "items.sqlite")
    start = other.sequence()
    store.put([("a", ItemBody({"n": 1.5})), ("b", ItemBody({}, available=False))], 10)
    assert other.sequence() == start + 2
    found = [(item.id, item.sequence) for item in other.since(start)]
    assert found == [("a", start + 1), ("b", start + 2)]
    store.put([("a", ItemBody({"tags": ["x", "y"]}, expires=7))], 11)
    (changed,) = other.since(start + 2)
    assert (changed.id, changed.written, changed.sequence) == ("a", 11, start + 3)
    assert changed.body == ItemBody({"tags": ["x", "y"]}, expires=7)
    assert [item.id for item in other.since(0)] == ["b", "a"]
    assert set(other.get(["a", "c"])) == {"a"}


def test_a_file_that_is_made_anew_goes_on_with_higher_numbers(tmp_path: Path) -> None:
    store = ItemStore(tmp_path / "items.sqlite")
    last = store.put([(f"i{n}", ItemBody({})) for n in range(50)], 0)
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    assert ItemStore(tmp_path / "items.sqlite").sequence() > last


def test_ids_are_any_text(store: ItemStore) -> None:
    ids = ["a/b c", "日本", "\ud800", "x" * 512]
    store.put([(id, ItemBody({})) for id in ids], 0)
    assert [item.id for item in store.since(0)] == ids
    assert set(store.get(ids)) == set(ids)


def test_equal_bodies_have_equal_content() -> None:
    one = ItemBody({"a": "x", "b": 1.0})
    assert one.content() == ItemBody({"b": 1.0, "a": "x"}).content()
    x = one.attributes
    others = [ItemBody({"a": "x"}), ItemBody(x, available=False), ItemBody(x, expires=5)]
    assert len({one.content(), *(other.content() for other in others)}) == 4
    assert one.expires == NEVER


def test_vectors_of_texts_are_reused_until_a_release_has_them(store: ItemStore) -> None:
    encoder = Lengths()
    texts = {"a": "one", "b": "three"}
    made = embed(store.vectors(encoder.version, 2), texts, encoder)
    content = [content_hash(text) for text in texts.values()]
    assert made.content == content
    last = store.put(
        [(id, ItemBody({})) for id in texts],
        0,
        [Encoded(encoder.version, list(texts), made.vectors, content)],
    )
    encoder.asked.clear()
    again = embed(store.vectors(encoder.version, 2), texts | {"a": "seven"}, encoder)
    assert encoder.asked == ["seven"]
    np.testing.assert_array_equal(again.vectors, [[5, 1], [5, 1]])
    assert not store.vectors("lengths-2", 2).get(["a"]).ids  # versions do not mix
    store.trim(last)
    assert not store.vectors(encoder.version, 2).get(["a", "b"]).ids


WRITER = """
import sys
from pathlib import Path
from shortlist.stores.items import ItemBody, ItemStore
store = ItemStore(Path(sys.argv[1]))
for n in range(10_000):
    store.put([(f"i{n}", ItemBody({"n": float(n)})), (f"j{n}", ItemBody({}))], n)
    print(n, flush=True)
"""


def test_a_writer_that_is_killed_loses_nothing_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "items.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    store = ItemStore(file)
    ids = [item.id for item in store.since(0)]
    assert ids == [f"{kind}{n}" for n in range(len(ids) // 2) for kind in "ij"]
    assert len(ids) // 2 > acknowledged[-1]
    assert store.sequence() == store.since(0)[-1].sequence


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "items.sqlite"
    file.write_bytes(b"no database " * 500)
    with pytest.raises(StoreError, match=r"items\.sqlite"):
        ItemStore(file)
