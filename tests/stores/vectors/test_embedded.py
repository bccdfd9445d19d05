import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from shortlist.core.errors import ConfigError, RequestError, StoreError
from shortlist.stores.vectors import (
    StoreSchema,
    VectorField,
    VectorStore,
    compaction,
    gather,
    open_vectors,
)
from shortlist.stores.vectors.contract import Metric
from shortlist.stores.vectors.embedded import EmbeddedStore
from shortlist.testing.films import similarities, vectors
from shortlist.testing.vectors import VectorStoreSuite

KILLS = os.environ.get("SHORTLIST_KILLS", "20")
DIM = 8
SCHEMA = StoreSchema((VectorField("v", DIM, "dot"),), {"n": "integer", "color": "keyword"})
COLORS = ["red", "green", "blue", None]


class TestEmbeddedStore(VectorStoreSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "vectors"

    def open(self, schema: StoreSchema | None) -> VectorStore:
        return open_vectors(self.path, schema)


Open = Callable[..., EmbeddedStore]


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Open]:
    """Opens the store of a test, again and again; without background work unless asked."""
    opened = []

    def open(maintain: bool = False, waiting: int = 16) -> EmbeddedStore:
        store = EmbeddedStore(tmp_path / "store", SCHEMA, maintain=maintain, waiting=waiting)
        opened.append(store)
        return store

    yield open
    for store in opened:
        store.close()


def put(store: EmbeddedStore, numbers: range, seed: int = 0) -> None:
    """Records whose ids, vectors and attributes follow from their numbers."""
    rows = vectors(numbers.stop, DIM, seed)[numbers.start :]
    columns = {"n": list(numbers), "color": [COLORS[n % 4] for n in numbers]}
    store.upsert([str(n) for n in numbers], {"v": rows}, columns)


def finds(store: EmbeddedStore, numbers: range, seed: int = 0) -> None:
    """The store holds the records of `put` and nothing else, and finds the nearest of them."""
    rows = vectors(numbers.stop, DIM, seed)
    assert store.count() == len(numbers)
    queries = vectors(5, DIM, seed=99)
    truth = similarities(queries, rows, "dot")
    truth[:, : numbers.start] = -np.inf
    for hits, scores in zip(store.search(queries, 4), truth, strict=True):
        assert hits.ids == [str(n) for n in np.argsort(-scores)[:4]]
    green = np.array([n % 4 == 1 for n in range(numbers.stop)])
    for hits, scores in zip(store.search(queries, 4, 'color == "green"'), truth, strict=True):
        allowed = np.where(green, scores, -np.inf)
        assert hits.ids == [str(n) for n in np.argsort(-allowed)[:4]]


def segments(store: EmbeddedStore) -> list[int]:
    """How many rows of each segment are alive."""
    return [entry["alive"] for entry in store.health().details["segments"]]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- segments ------------------------------------------------------------------------------


def test_what_waits_becomes_a_segment_and_equal_ones_become_one(opens: Open) -> None:
    store = opens()
    held = []
    for start in range(0, 192, 16):
        put(store, range(192)[start : start + 16])
        assert store.health().details["waiting"] == 16
        store.compact()
        assert store.health().details["waiting"] == 0
        finds(store, range(start + 16))
        held.append(segments(store))
    assert held[:4] == [[16], [32], [48], [48, 16]]
    assert held[-1] == [192]


def test_replaced_and_deleted_rows_of_segments_are_not_found(opens: Open) -> None:
    store = opens()
    put(store, range(40))
    store.compact()
    assert store.delete([str(n) for n in range(10)]) == 10
    put(store, range(20, 40), seed=1)
    assert segments(store) == [10]
    (hits,) = store.search(vectors(1, DIM), 40)
    assert sorted(map(int, hits.ids)) == list(range(10, 40))
    rows = store.get(["20"]).vectors["v"]
    assert rows.tolist() == vectors(21, DIM, 1)[20:].tolist()


def test_a_segment_that_is_mostly_dead_is_written_anew(opens: Open) -> None:
    store = opens()
    put(store, range(40))
    store.compact()
    store.delete([str(n) for n in range(20)])
    store.compact()
    (entry,) = store.health().details["segments"]
    assert (entry["rows"], entry["alive"]) == (20, 20)
    finds(store, range(20, 40))
    store.delete([str(n) for n in range(20, 40)])
    store.compact()
    assert segments(store) == []
    assert store.search(vectors(1, DIM), 3)[0].ids == []


def test_segments_are_made_and_merged_in_the_background(opens: Open) -> None:
    store = opens(maintain=True)
    for start in range(0, 128, 16):
        put(store, range(128)[start : start + 16])
        finds(store, range(start + 16))
        wait_until(lambda: store.health().details["waiting"] < 16)
    wait_until(lambda: len(segments(store)) < 4)
    finds(store, range(128))


def test_searches_go_on_while_an_index_is_built(
    opens: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opens()
    put(store, range(32))
    written = compaction.write_segment

    def search_meanwhile(*arguments: object) -> str:
        finds(store, range(32))
        put(store, range(32, 40))
        store.delete(["0", "1"])
        finds(store, range(2, 40))
        return written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "write_segment", search_meanwhile)
    store.compact()
    assert segments(store) == [30]
    finds(store, range(2, 40))
    finds(opens(), range(2, 40))


def test_large_segments_are_approximate_and_filters_still_fill_the_answer(
    opens: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_LISTS_FROM", 2_000 * DIM)
    store = opens(waiting=4_000)
    put(store, range(4_000))
    store.compact()
    store.delete([str(n) for n in range(0, 4_000, 10)])
    put(store, range(4_000, 4_050))
    rows = vectors(4_050, DIM)
    queries = vectors(50, DIM, seed=5)
    truth = similarities(queries, rows, "dot")
    truth[:, range(0, 4_000, 10)] = -np.inf
    best = np.argsort(-truth)[:, :10]
    found = store.search(queries, 10)
    share = [len({int(id) for id in h.ids} & set(b)) for h, b in zip(found, best, strict=True)]
    assert np.mean(share) > 9.5
    (hits,) = store.search(queries[:1], 10, "n < 25")
    assert sorted(map(int, hits.ids)) == sorted(
        np.argsort(-np.where(np.arange(4_050) < 25, truth[0], -np.inf))[:10]
    )


def test_lists_are_tuned_on_queries_of_their_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_LISTS_FROM", 1_000 * DIM)
    schema = StoreSchema((VectorField("v", DIM, "l2"),))
    store = EmbeddedStore(tmp_path / "store", schema, maintain=False, waiting=12_000)
    rows = vectors(12_000, DIM) * np.linspace(0.5, 4, 12_000, dtype=np.float32)[:, None]
    store.upsert([str(n) for n in range(12_000)], {"v": rows})
    store.compact()
    queries = rows[::240] + vectors(50, DIM, seed=5) * np.float32(0.2)
    truth = np.argsort(-similarities(queries, rows, "l2"))[:, :100]
    found = [{int(id) for id in hits.ids} for hits in store.search(queries, 100)]
    assert np.mean([len(f & set(t)) for f, t in zip(found, truth.tolist(), strict=True)]) > 94
    store.close()


@pytest.mark.parametrize("metric", ["dot", "l2"])
@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_vectors_that_halves_cannot_hold_are_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: Metric, scale: float
) -> None:
    monkeypatch.setattr(gather, "_LISTS_FROM", 1_000 * DIM)
    schema = StoreSchema((VectorField("v", DIM, metric),))
    store = EmbeddedStore(tmp_path / "store", schema, maintain=False, waiting=2_000)
    rows = vectors(2_000, DIM) * np.float32(scale)
    store.upsert([str(n) for n in range(2_000)], {"v": rows})
    queries = vectors(20, DIM, seed=5) * np.float32(scale)
    truth = np.argsort(-similarities(queries, rows, metric))[:, :10]
    for _ in range(2):  # as they wait, and as a segment
        for hits, best in zip(store.search(queries, 10), truth, strict=True):
            assert len({int(id) for id in hits.ids} & set(best.tolist())) >= 9
        store.compact()
    store.close()


def test_vectors_whose_squares_overflow_are_refused_unless_only_their_direction_counts(
    tmp_path: Path,
) -> None:
    long = np.full((1, DIM), 1e30, np.float32)
    metrics: tuple[Metric, ...] = ("dot", "l2")
    for metric in metrics:
        store = open_vectors(tmp_path / metric, StoreSchema((VectorField("v", DIM, metric),)))
        with pytest.raises(RequestError, match=r"vectors\.v: vector 0 is so long"):
            store.upsert(["x"], {"v": long})
        with pytest.raises(RequestError, match="vectors: vector 0 is so long"):
            store.search(long, 1)
        store.close()
    store = open_vectors(tmp_path / "cosine", StoreSchema((VectorField("v", DIM, "cosine"),)))
    store.upsert(["x"], {"v": long})
    assert store.search(long, 1)[0].scores[0] == pytest.approx(1)
    store.close()


def test_times_may_be_dates_or_arrays_of_any_unit(tmp_path: Path) -> None:
    schema = StoreSchema((VectorField("v", DIM),), {"at": "time"})
    store = open_vectors(tmp_path / "times", schema)
    day = 1_780_272_000_000_000
    for unit in ("D", "s", "ms", "us", "ns"):
        times = np.array(["2026-06-01", "NaT"], f"datetime64[{unit}]")
        store.upsert(["a", "b"], {"v": vectors(2, DIM)}, {"at": times})
        assert store.get(["a", "b"]).attributes["at"] == [day, None]
    store.upsert(["a"], {"v": vectors(1, DIM)}, {"at": [date(2026, 6, 1)]})
    assert store.get(["a"]).attributes["at"] == [day]
    store.close()


def test_files_that_nothing_names_are_removed(opens: Open, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "segments"
    store = opens()
    for start in range(0, 64, 16):
        put(store, range(64)[start : start + 16])
        store.compact()
    (folder / "f0.new").mkdir()  # a flush that was killed
    assert len(list(folder.iterdir())) == 5
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    put(store, range(64, 66))
    store.compact()
    assert len(list(folder.iterdir())) == 3  # two segments, and one taken along just now
    finds(opens(), range(66))


# -- damage --------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("harm", "file"),
    [
        (flip, "field0/vectors.npy"),
        (cut, "field0/vectors.npy"),
        (Path.unlink, "field0/index.json"),
        (flip, "sequences.npy"),
        (flip, "column0.blob.npy"),
        (flip, "segment.json"),
        (cut, "segment.json"),
    ],
)
def test_a_damaged_segment_is_named_its_rows_are_served_and_it_is_built_again(
    opens: Open, harm: Callable[[Path], None], file: str, tmp_path: Path
) -> None:
    store = opens()
    put(store, range(64))
    store.compact()
    put(store, range(64, 80))
    store.compact()
    store.delete(["0"])
    put(store, range(80, 84))
    store.close()  # a mapped file that is cut short ends the process that maps it
    (path, _) = sorted((tmp_path / "store" / "segments").iterdir())
    harm(path / file)
    with pytest.warns(RuntimeWarning, match=re.escape(str(path / file))):
        again = opens()
    finds(again, range(1, 84))
    (problem,) = again.health().problems
    assert str(path / file) in problem
    assert segments(again) == [16]
    put(again, range(84, 90))
    again.compact()
    assert again.health().problems == []
    finds(again, range(1, 90))
    finds(opens(), range(1, 90))


def test_what_is_damaged_is_mended_in_the_background(opens: Open, tmp_path: Path) -> None:
    store = opens()
    put(store, range(64))
    store.compact()
    store.close()
    (path,) = (tmp_path / "store" / "segments").iterdir()
    cut(path / "sequences.npy")
    with pytest.warns(RuntimeWarning, match="sequences"):
        again = opens(maintain=True)
    wait_until(lambda: not again.health().problems)
    assert segments(again) == [64]
    finds(again, range(64))


# -- processes -----------------------------------------------------------------------------


def test_several_handles_agree_whoever_writes_and_compacts(opens: Open) -> None:
    handles = [opens() for _ in range(3)]
    random = np.random.default_rng(3)
    oracle: dict[str, int] = {}
    rows = vectors(400, DIM)
    for step in range(250):
        ids = [str(n) for n in random.choice(60, random.integers(1, 9), replace=False)]
        store = handles[random.integers(2)]  # the third only reads, and rarely
        match random.integers(5):
            case 0:
                assert store.delete(ids) == sum(id in oracle for id in ids)
                for id in ids:
                    oracle.pop(id, None)
            case 1:
                store.compact()
            case _:
                numbers = random.integers(0, 400, len(ids)).tolist()
                store.upsert(ids, {"v": rows[numbers]}, {"n": numbers})
                oracle |= dict(zip(ids, numbers, strict=True))
        reader = handles[random.choice(3, p=[0.48, 0.48, 0.04])]
        query = vectors(1, DIM, seed=step)
        scores = similarities(query, rows, "dot")[0]
        (hits,) = reader.search(query, 60, attributes=["n"])
        assert dict(zip(hits.ids, hits.attributes["n"], strict=True)) == oracle
        np.testing.assert_allclose(hits.scores, [scores[oracle[id]] for id in hits.ids], rtol=1e-3)


def test_a_reader_that_slept_finds_what_happened_meanwhile(opens: Open) -> None:
    sleeper, writer = opens(), opens()
    put(sleeper, range(20))
    finds(sleeper, range(20))
    for start in range(20, 200, 10):
        put(writer, range(200)[start : start + 10])
        if start % 30 == 0:
            writer.compact()
    writer.delete([str(n) for n in range(50)])
    writer.compact()
    put(writer, range(200, 205))
    finds(sleeper, range(50, 205))


WRITER = """
import sys, numpy as np
from pathlib import Path
from shortlist.stores.vectors.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]), waiting=16)
for line in sys.stdin:
    number = int(line)
    row = np.zeros((1, 8), np.float32)
    row[0, number % 8] = number + 1
    if number % 10 == 9:
        store.delete([str(number - 1)])
    store.upsert([str(number)], {"v": row}, {"n": [number]})
    print(number, flush=True)
store.close()
"""


def test_another_process_finds_a_write_as_soon_as_it_returned(opens: Open, tmp_path: Path) -> None:
    reader = opens()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "store"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin and writer.stdout
        for number in range(120):
            print(number, file=writer.stdin, flush=True)
            assert int(writer.stdout.readline()) == number
            query = np.eye(8, dtype=np.float32)[number % 8]
            assert reader.search(query, 1)[0].ids == [str(number)]
            assert reader.count() == number + 1 - (number + 1) // 10
        writer.stdin.close()
    assert writer.returncode == 0


def test_one_process_at_a_time_compacts(opens: Open) -> None:
    stores = [opens(), opens()]
    put(stores[0], range(160))

    def churn(n: int) -> None:
        stores[n % 2].delete([str(n)])
        stores[n % 2].compact()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, range(40)))
    for store in stores:
        finds(store, range(40, 160))


def test_killing_it_at_any_moment_loses_nothing_that_had_returned(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, "--kills", KILLS],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing lost" in done.stdout


# -- opening -------------------------------------------------------------------------------


def test_a_store_that_is_not_there_needs_a_schema(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none: there is no vector store here"):
        open_vectors(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_milvus_without_its_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.stores.vectors.open.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs pymilvus.*shortlist\[milvus\]"):
        open_vectors("milvus://someone:secret@localhost:19530/films")


def test_a_url_of_something_else_is_explained() -> None:
    with pytest.raises(ConfigError, match="'redis://x' is not a vector store"):
        open_vectors("redis://x")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.sqlite").write_text("vectors\n" * 1000)
    with pytest.raises(StoreError, match=r"rows\.sqlite: .*not a database.*backup"):
        open_vectors(tmp_path, SCHEMA)


def test_a_database_that_was_cut_short_is_named(tmp_path: Path) -> None:
    store = open_vectors(tmp_path, SCHEMA)
    store.upsert([str(n) for n in range(500)], {"v": vectors(500, DIM)})
    store.close()
    path = tmp_path / "rows.sqlite"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(StoreError, match=r"rows\.sqlite: .*malformed.*backup"):
        open_vectors(tmp_path).search(vectors(1, DIM), 5)


def test_failed_work_in_the_background_is_reported(
    opens: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compaction, "write_segment", full)
    store = opens(maintain=True)
    put(store, range(20))
    wait_until(lambda: bool(store.health().problems))
    assert "No space left" in store.health().problems[0]
    finds(store, range(20))
    monkeypatch.undo()
    put(store, range(20, 30))
    wait_until(lambda: not store.health().problems)
