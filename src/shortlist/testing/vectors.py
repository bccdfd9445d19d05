"""What every vector store must do, as test classes that each implementation's tests inherit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.errors import ConfigError, RequestError
from shortlist.stores.vectors.contract import StoreSchema, VectorField, VectorStore
from shortlist.stores.vectors.reuse import Encoder, embed, ingest
from shortlist.testing.films import (
    BAD_RECORDS,
    BAD_SEARCHES,
    DIM,
    FILMS,
    STRANGE,
    similarities,
    vectors,
)
from shortlist.testing.vector_searches import SearchSuite


class CountingEncoder:
    """The lengths of a text's words; remembers what it was asked."""

    def __init__(self, version: str = "words-1") -> None:
        self.version = version
        self.asked: list[str] = []

    def encode(self, texts: Any) -> NDArray[np.float32]:
        self.asked += texts
        lengths = [[len(word) for word in f"{text} x x x x".split()][:DIM] for text in texts]
        return np.array(lengths, np.float32)


class VectorStoreSuite(SearchSuite):
    """The contract of `VectorStore`. Subclasses say how to open a store."""

    # -- records ---------------------------------------------------------------------------

    def test_what_is_written_is_given_back(self, films: VectorStore) -> None:
        found = films.get(["d", "nobody", "a", "d"])
        assert (found.ids, found.missing) == (["d", "a"], ["nobody"])
        assert found.vectors["plot"].tolist() == vectors(5)[[3, 0]].tolist()
        assert found.attributes == {
            "lang": ["ko", "ko"],
            "genres": [["comedy"], ["war", "drama"]],
            "year": [None, 1999],
            "price": [3.25, 9.5],
            "seen": [True, True],
            "added": [1_769_904_000_000_000, 1_769_817_600_000_000],
        }
        assert found.encoders == {"plot": "words-1"}
        assert found.content == ["h", "h"]

    def test_an_upsert_replaces_the_whole_record(self, films: VectorStore) -> None:
        films.upsert(["a"], {"plot": vectors(1, seed=9)}, {"lang": ["de"]})
        found = films.get(["a"])
        assert found.vectors["plot"].tolist() == vectors(1, seed=9).tolist()
        assert (found.attributes["lang"], found.attributes["year"]) == (["de"], [None])
        assert found.content == [""]
        assert films.count() == 5

    def test_a_deleted_record_is_found_nowhere(self, films: VectorStore) -> None:
        assert films.delete(["a", "nobody", "a", "c"]) == 2
        assert films.delete(["a"]) == 0
        assert films.get(["a", "b"]).missing == ["a"]
        assert films.count() == 3
        assert sorted(films.search(vectors(1), 10)[0].ids) == ["b", "d", "e"]

    def test_strange_ids_are_ids(self, store: VectorStore) -> None:
        rows = vectors(len(STRANGE))
        store.upsert(STRANGE, {"plot": rows})
        assert store.get(STRANGE).ids == STRANGE
        assert [hits.ids for hits in store.search(rows, 1)] == [[id] for id in STRANGE]
        assert store.delete(STRANGE[1:]) == len(STRANGE) - 1
        assert store.search(rows[:1], 9)[0].ids == STRANGE[:1]

    def test_iteration_gives_every_record_once(self, store: VectorStore) -> None:
        ids = [f"i{n}" for n in range(23)]
        rows = vectors(23)
        store.upsert(ids, {"plot": rows}, {"year": list(range(23))})
        store.delete(["i7"])
        seen: dict[str, tuple[list[float], Any]] = {}
        for records in store.iterate(batch=5):
            assert 1 <= len(records) <= 5
            for place, id in enumerate(records.ids):
                assert id not in seen
                year = records.attributes["year"][place]
                seen[id] = (records.vectors["plot"][place].tolist(), year)
        assert seen == {id: (rows[n].tolist(), n) for n, id in enumerate(ids) if n != 7}

    def test_writing_nothing_changes_nothing(self, films: VectorStore) -> None:
        films.upsert([], {"plot": np.empty((0, DIM), np.float32)})
        assert films.delete([]) == 0
        assert len(films.get([])) == 0
        assert films.count() == 5

    # -- bad input -------------------------------------------------------------------------

    def test_a_record_that_cannot_be_is_explained_and_nothing_is_written(
        self, store: VectorStore
    ) -> None:
        for ids, rows, attributes, message in BAD_RECORDS:
            with pytest.raises(RequestError, match=message):
                store.upsert(ids, {"plot": rows}, attributes)
        assert store.count() == 0

    def test_unknown_fields_are_named(self, store: VectorStore) -> None:
        with pytest.raises(RequestError, match=r"no vector field 'plod'\. Did you mean 'plot'"):
            store.upsert(["x"], {"plod": vectors(1)})
        with pytest.raises(RequestError, match="vectors: is of the type ndarray"):
            bare: Any = vectors(1)
            store.upsert(["x"], bare)
        with pytest.raises(RequestError, match="no attribute 'yeer'"):
            store.search(vectors(1), 1, attributes=["yeer"])
        with pytest.raises(RequestError, match=r"attributes: is 'year'\. Give a list"):
            store.search(vectors(1), 1, attributes="year")
        with pytest.raises(RequestError, match="fields: there is no vector field"):
            store.get(["x"], ["plod"])

    def test_a_search_that_cannot_be_is_explained(self, films: VectorStore) -> None:
        for queries, k, message in BAD_SEARCHES:
            with pytest.raises(RequestError, match=message):
                films.search(queries, k)

    def test_a_schema_that_cannot_be_is_explained(self) -> None:
        field: Any = VectorField
        kinds: dict[str, Any] = {"year": "int"}
        for schema, message in [
            (StoreSchema(()), "no vector field"),
            (StoreSchema(field("v", 3)), r"schema: is StoreSchema.*tuple of VectorField"),
            (StoreSchema((field(5, 3),)), "5 cannot be a name"),
            (StoreSchema((field("v", "3"),)), r"schema\.v: has length '3'"),
            (StoreSchema((field("v", 3, "cos"),)), "no metric 'cos'. Did you mean 'cosine'"),
            (StoreSchema((field("v", 3),), kinds), "no kind of attribute 'int'.*'integer'"),
            (StoreSchema((VectorField("a b", 3),)), "'a b' cannot be a name"),
            (StoreSchema((VectorField("v", 3), VectorField("v", 4))), "'v' is a name already"),
            (StoreSchema((VectorField("v", 0),)), r"schema\.v: has length 0"),
        ]:
            with pytest.raises(RequestError, match=message):
                self.open(schema)

    # -- processes, encoders ---------------------------------------------------------------

    def test_it_opens_again_as_it_was(self, films: VectorStore) -> None:
        again = self.open(None)
        assert again.schema == FILMS
        assert again.count() == 5
        assert again.search(vectors(5)[2], 1)[0].ids == ["c"]
        with pytest.raises(ConfigError, match="was asked for"):
            self.open(StoreSchema((VectorField("plot", 5),)))
        again.close()

    def test_a_write_is_seen_by_the_next_search_of_another(self, films: VectorStore) -> None:
        other = self.open(None)
        for n in range(20):
            row = vectors(1, seed=100 + n)
            films.upsert([f"new{n}"], {"plot": row})
            assert other.search(row, 1)[0].ids == [f"new{n}"]
            films.delete([f"new{n}"])
            assert other.search(row, 10, "year is not null")[0].ids != [f"new{n}"]
            assert other.count() == 5
        other.close()

    def test_searches_go_on_while_others_write(self, films: VectorStore) -> None:
        row = vectors(5)[0]

        def write(n: int) -> None:
            films.upsert([f"w{n}"], {"plot": -row[None] + n / 100})

        with ThreadPoolExecutor(2) as pool:
            writes = pool.map(write, range(20))
            for _ in range(20):
                assert films.search(row, 1)[0].ids == ["a"]
            list(writes)
        assert films.count() == 25

    def test_vectors_of_two_encoders_never_mix(self, films: VectorStore) -> None:
        with pytest.raises(RequestError, match="'words-2' is not the encoder of the field 'plot'"):
            films.upsert(["x"], {"plot": vectors(1)}, encoder={"plot": "words-2"})
        with pytest.raises(RequestError, match="whose vectors are of 'words-1'"):
            films.search(vectors(1), 1, encoder="words-2")
        assert films.search(vectors(1), 1, encoder="words-1")[0].ids
        with pytest.raises(RequestError, match="words-2"):
            embed(films, {"a": "text"}, CountingEncoder("words-2"))

    def test_only_what_is_new_is_encoded(self, store: VectorStore) -> None:
        encoder = CountingEncoder()
        typed: Encoder = encoder
        items = {"a": "one", "b": "two three", "c": "four"}
        ingest(store, items, typed)
        assert encoder.asked == ["one", "two three", "four"]
        made = embed(store, {**items, "b": "two four", "d": "five"}, typed)
        assert encoder.asked[3:] == ["two four", "five"]
        assert made.encoded.tolist() == [1, 3]
        assert (
            made.vectors.tolist()
            == CountingEncoder().encode(["one", "two four", "four", "five"]).tolist()
        )
        ingest(store, items, typed)
        assert len(encoder.asked) == 5

    # -- an oracle -------------------------------------------------------------------------

    def test_random_writes_and_deletions_match_a_dictionary(self, store: VectorStore) -> None:
        random = np.random.default_rng(7)
        oracle: dict[str, tuple[NDArray[np.float32], int]] = {}
        for step in range(40):
            ids = [str(n) for n in random.choice(60, random.integers(1, 12), replace=False)]
            if random.random() < 0.3:
                assert store.delete(ids) == sum(id in oracle for id in ids)
                for id in ids:
                    oracle.pop(id, None)
            else:
                rows = vectors(len(ids), seed=step)
                years = random.integers(2000, 2004, len(ids)).tolist()
                store.upsert(ids, {"plot": rows}, {"year": years})
                oracle |= {id: (rows[n], years[n]) for n, id in enumerate(ids)}
            if step % 10 == 5:
                store.compact()
            year = int(random.integers(2000, 2004))
            allowed = [id for id, (_, of) in oracle.items() if of >= year]
            query = vectors(1, seed=1000 + step)
            (hits,) = store.search(query, 5, f"year >= {year}")
            assert store.count() == len(oracle)
            if allowed:
                rows = np.stack([oracle[id][0] for id in allowed])
                best = np.argsort(-similarities(query, rows, "cosine")[0])[:5]
                assert hits.ids == [allowed[n] for n in best]
