"""A query finds documents that share no word with it, through encoder and index."""

import numpy as np
import pytest

from shortlist.config.load import parse_config
from shortlist.core.progress import Silent
from shortlist.core.search import SearchRequest
from shortlist.offline.pipeline import build
from shortlist.online.search.fuse import weighted
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.memory import MemoryAvailability, MemoryHistory
from shortlist.testing.library import LANGUAGES, Library, library

CONFIG = """
[project]
name = "library"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title", "body"]
attributes = ["language"]
[retrievers.popular]
[retrievers.text_encoder]
dim = 48
"""
K = 20


@pytest.fixture(scope="module")
def books() -> Library:
    return library(documents=600, users=900, subjects=10, days=12)


@pytest.fixture(scope="module")
def pipeline(books: Library, tmp_path_factory: pytest.TempPathFactory) -> SearchPipeline:
    folder, config = tmp_path_factory.mktemp("library"), parse_config(CONFIG)
    with Releases(folder).draft() as draft:
        id = build(config, books.data, draft, Silent(), project=folder)
    snapshot = Snapshot.open(folder / id)
    assert snapshot.search is not None
    return SearchPipeline(
        snapshot, snapshot.search, config, MemoryHistory(10), MemoryAvailability()
    )


def test_documents_in_other_languages_are_found_by_what_they_are_about(
    books: Library, pipeline: SearchPipeline
) -> None:
    rng = np.random.default_rng(0)
    right, found = 0, 0
    for subject in range(len(books.concepts)):
        for language in LANGUAGES[:3]:
            query = books.query(subject, language, rng)
            others = ", ".join(f'"{name}"' for name in LANGUAGES if name != language)
            asked = SearchRequest(query=query, k=K, where=f"language in [{others}]")
            answer = pipeline.search([asked])[0]
            right += int((books.subject[answer.rows] == subject).sum())
            found += len(answer.rows)
    assert found == 3 * len(books.concepts) * K
    assert right / found > 3 / len(books.concepts)  # thrice what chance would find


def test_a_filter_holds_for_what_is_found_by_meaning(
    books: Library, pipeline: SearchPipeline
) -> None:
    query = books.query(1, "ko", np.random.default_rng(1))
    asked = SearchRequest(query=query, k=K, where='language == "de"')
    rows = pipeline.search([asked])[0].rows
    assert len(rows)
    assert {LANGUAGES[books.language[row]] for row in rows.tolist()} == {"de"}


@pytest.mark.parametrize(("share", "first"), [(1.0, "words"), (0.2, "meaning"), (0.0, "meaning")])
def test_meaning_counts_more_the_fewer_words_of_the_query_any_item_has(
    pipeline: SearchPipeline, share: float, first: str
) -> None:
    names = list(pipeline.measure.names)
    values = np.zeros((len(names), 2), np.float32)
    values[names.index("bm25")] = [7, 0]
    values[names.index("coverage")] = [share, 0]
    values[names.index("similarity:text_encoder")] = [0.2, 0.3]
    scores = weighted(pipeline.measure, values, ["text_encoder"], {})
    assert ["words", "meaning"][int(scores.argmax())] == first
    alone = weighted(pipeline.measure, values, ["text_encoder"], {"vector": 0.0})
    assert alone.argmax() == 0
