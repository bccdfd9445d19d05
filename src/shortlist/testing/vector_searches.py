"""What searches and filters of every vector store must do; part of `testing.vectors`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from shortlist.core.errors import RequestError
from shortlist.stores.vectors.contract import Metric, StoreSchema, VectorField, VectorStore
from shortlist.testing.films import (
    BAD_FILTERS,
    COLUMNS,
    FILMS,
    FILTERS,
    IDS,
    similarities,
    vectors,
)


class SearchSuite:
    """Searches and filters. Subclasses say how to open a store."""

    def open(self, schema: StoreSchema | None) -> VectorStore:
        """A store on the same, at first empty, state each time it is called in a test."""
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> Iterator[VectorStore]:
        """An empty store of films."""
        store = self.open(FILMS)
        yield store
        store.close()

    @pytest.fixture
    def films(self, store: VectorStore) -> VectorStore:
        """The five films."""
        store.upsert(IDS, {"plot": vectors(5)}, COLUMNS, content=["h"] * 5)
        return store

    # -- search ----------------------------------------------------------------------------

    @pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
    def test_the_nearest_come_first_with_their_scores(self, metric: Metric) -> None:
        store = self.open(StoreSchema((VectorField("v", 8, metric),)))
        rows, queries = vectors(200, 8) * 3, vectors(6, 8, seed=1)
        store.upsert([str(n) for n in range(200)], {"v": rows})
        for _ in range(2):
            truth = similarities(queries, rows, metric)
            for hits, scores in zip(store.search(queries, 10), truth, strict=True):
                best = np.argsort(-scores, kind="stable")[:10]
                assert hits.ids == [str(n) for n in best]
                np.testing.assert_allclose(hits.scores, scores[best], rtol=1e-3, atol=1e-3)
            store.compact()
        store.close()

    def test_a_batch_finds_what_its_queries_find_alone(self, films: VectorStore) -> None:
        queries = vectors(4, seed=3)
        together = films.search(queries, 3)
        for query, hits in zip(queries, together, strict=True):
            (alone,) = films.search(query, 3)
            assert alone.ids == hits.ids

    def test_fewer_are_found_where_there_are_fewer(self, films: VectorStore) -> None:
        (hits,) = films.search(vectors(1), 100)
        assert sorted(hits.ids) == IDS
        assert hits.scores.dtype == np.float32
        assert (np.diff(hits.scores) <= 0).all()

    def test_an_empty_store_finds_nothing(self, store: VectorStore) -> None:
        assert [hits.ids for hits in store.search(vectors(2), 5)] == [[], []]
        assert store.count() == 0
        assert list(store.iterate()) == []

    def test_hits_carry_the_attributes_asked_for(self, films: VectorStore) -> None:
        (hits,) = films.search(vectors(5)[0], 5, attributes=["year", "genres", "seen"])
        by_id = {
            id: tuple(hits.attributes[name][n] for name in ("year", "genres", "seen"))
            for n, id in enumerate(hits.ids)
        }
        assert by_id == {
            "a": (1999, ["war", "drama"], True),
            "b": (2016, ["war"], False),
            "c": (2020, None, None),
            "d": (None, ["comedy"], True),
            "e": (2016, None, False),
        }

    def test_several_fields_are_searched_by_name(self) -> None:
        schema = StoreSchema((VectorField("plot", 4), VectorField("poster", 6, "l2")))
        store = self.open(schema)
        plots, posters = vectors(30), vectors(30, 6, seed=1)
        store.upsert([str(n) for n in range(30)], {"poster": posters, "plot": plots})
        (plot,) = store.search(plots[3], 1, field="plot")
        (poster,) = store.search(posters[4], 1, field="poster")
        assert (plot.ids, poster.ids) == (["3"], ["4"])
        assert list(store.get(["3"], ["poster"]).vectors) == ["poster"]
        with pytest.raises(RequestError, match="field: is empty, and there are several"):
            store.search(plots, 1)
        with pytest.raises(RequestError, match=r"'posted'. Did you mean 'poster'"):
            store.search(plots, 1, field="posted")
        with pytest.raises(RequestError, match=r"vectors\.poster: is not given"):
            store.upsert(["x"], {"plot": plots[:1]})
        store.close()

    # -- filters ---------------------------------------------------------------------------

    def test_filters_allow_what_they_say(self, films: VectorStore) -> None:
        found = {w: "".join(sorted(films.search(vectors(1), 9, w)[0].ids)) for w in FILTERS}
        assert found == FILTERS
        assert {w: films.count(w) for w in FILTERS} == {w: len(ids) for w, ids in FILTERS.items()}

    def test_a_filter_holds_for_rows_old_and_new(self, films: VectorStore) -> None:
        films.compact()
        films.upsert(["f", "a"], {"plot": vectors(2, seed=5)}, {"lang": ["ko", "fr"]})
        assert sorted(films.search(vectors(1), 10, 'lang == "ko"')[0].ids) == ["d", "f"]
        assert films.count('lang == "fr"') == 2

    def test_a_filter_that_cannot_be_is_explained(self, films: VectorStore) -> None:
        for where, message in BAD_FILTERS:
            with pytest.raises(RequestError, match=message):
                films.search(vectors(1), 1, where)
            with pytest.raises(RequestError, match=message):
                films.count(where)
