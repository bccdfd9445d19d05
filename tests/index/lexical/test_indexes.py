from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shortlist.index.lexical import Document, TantivyIndex, Wanted
from shortlist.index.lexical.milvus import MilvusIndex
from shortlist.testing.lexical import (
    ATTRIBUTES,
    DOCUMENTS,
    EVERY,
    WEIGHTS,
    LexicalSuite,
    LiveSuite,
    terms,
)


class TestBuiltTantivy(LexicalSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "index"

    def build(self, documents: Sequence[Document]) -> TantivyIndex:
        TantivyIndex.build(self.folder, WEIGHTS, documents, ATTRIBUTES).close()
        return TantivyIndex.open(self.folder)

    def test_opening_and_searching_leaves_the_folder_as_it_is(self, index: TantivyIndex) -> None:
        def files() -> dict[str, bytes]:
            return {path.name: path.read_bytes() for path in self.folder.iterdir()}

        before = files()
        other = TantivyIndex.open(self.folder)
        assert len(other.search(EVERY, 5)[0])
        assert files() == before


class TestLiveTantivy(LiveSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "index"

    def build(self, documents: Sequence[Document]) -> TantivyIndex:
        index = TantivyIndex.create(self.folder, WEIGHTS, ATTRIBUTES)
        index.upsert(documents)
        return index

    def test_another_opened_index_sees_a_change_at_its_next_search(
        self, live: TantivyIndex
    ) -> None:
        other = TantivyIndex.open(self.folder)
        live.upsert([Document(70, {"title": ["later"]})])
        assert other.search(terms("later"), 5)[0].tolist() == [70]
        other.delete([70])
        assert not len(live.search(terms("later"), 5)[0])

    def test_a_batch_that_fails_changes_nothing(self, live: TantivyIndex) -> None:
        def documents() -> Iterator[Document]:
            yield Document(70, {"title": ["later"]})
            raise OSError("the source is gone")

        with pytest.raises(OSError, match="gone"):
            live.upsert(documents())
        assert not len(live.search(terms("later"), 5)[0])
        live.upsert([Document(71, {"title": ["later"]})])
        assert live.search(terms("later"), 5)[0].tolist() == [71]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusIndex]:
    """Milvus Lite, which serves Milvus' protocol from a file."""
    path = tmp_path_factory.mktemp("milvus") / "lexical.db"
    index = MilvusIndex(str(path), "documents", WEIGHTS, ATTRIBUTES)
    yield index
    index.close()


class TestMilvus(LiveSuite):
    @pytest.fixture(autouse=True)
    def _store(self, store: MilvusIndex) -> None:
        self.store = store

    def build(self, documents: Sequence[Document]) -> MilvusIndex:
        self.store.delete([1, 2, 3, 4, 50, 99, *(document.key for document in documents)])
        self.store.upsert(documents)
        return self.store


def test_scores_are_those_of_bm25_over_weighted_fields(tmp_path: Path) -> None:
    from math import log

    index = TantivyIndex.build(tmp_path / "i", WEIGHTS, DOCUMENTS)
    found, scores = index.search(Wanted({"keyboard": 1.0}), 5)
    lengths = [9, 8, 7, 6, 2]
    idf = log(1 + (5 - 1 + 0.5) / (1 + 0.5))
    norm = 1.2 * (1 - 0.75 + 0.75 * 8 / (sum(lengths) / 5))
    assert found.tolist() == [2]
    assert scores[0] == pytest.approx(idf * 2 * 2.2 / (2 + norm), rel=1e-5)
