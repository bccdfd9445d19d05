"""A search ranker from clicks: people take the cheapest of what matches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from shortlist.config.load import parse_config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Silent
from shortlist.core.search import SearchRequest
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.training import TrainingData
from shortlist.offline.pipeline import build
from shortlist.offline.search.ranker import _asked, learn_search_ranker
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.contract import HistoryReader
from shortlist.stores.memory import MemoryAvailability, MemoryHistory

CONFIG = parse_config("""
[project]
name = "cheap"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title"]
attributes = ["price"]
price = "price"
[search]
spelling = false
[ranker]
trees = 30
leaves = 8
[retrievers.popular]
""")
KINDS, EACH, QUERIES = 30, 12, 240
DAY = 86_400_000_000


def world() -> TrainingData:
    """Kinds of items with a dozen items each, and clicks on the cheapest of a kind."""
    rng = np.random.default_rng(0)
    n = KINDS * EACH
    prices = rng.permutation(n).astype(float)
    catalogue = Catalogue(
        Vocabulary.of([f"i{row}" for row in range(n)]),
        {
            "title": Column.text([f"thing kind{row // EACH} model{row}" for row in range(n)]),
            "price": Column.number(prices.tolist()),
        },
        np.ones(n, np.bool_),
        np.full(n, np.iinfo(np.int64).max),
    )
    kind = rng.integers(0, KINDS, QUERIES)
    cheapest = np.argmin(prices.reshape(KINDS, EACH), axis=1) + np.arange(KINDS) * EACH
    item = rng.integers(0, n, 400).astype(np.int32)
    return TrainingData(
        catalogue=catalogue,
        users=1,
        user=np.zeros(400, np.int32),
        item=item,
        time=np.arange(400, dtype=np.int64) * DAY // 4,
        weight=np.ones(400, np.float32),
        session=np.arange(400, dtype=np.int64),
        until=100 * DAY,
        queries=QueryLog(
            [f"thing kind{k}" for k in range(KINDS)],
            kind.astype(np.int32),
            cheapest[kind].astype(np.int32),
            np.arange(QUERIES, dtype=np.int32),
            np.sort(rng.integers(60 * DAY, 100 * DAY, QUERIES)),
        ),
    )


def open_search(release: Path, history: HistoryReader) -> SearchPipeline:
    snapshot = Snapshot.open(release)
    assert snapshot.search is not None
    return SearchPipeline(snapshot, snapshot.search, CONFIG, history, MemoryAvailability())


def test_clicks_teach_what_words_cannot_and_the_release_ranks_by_it(tmp_path: Path) -> None:
    data, notes = world(), list[str]()
    config = structs.replace(CONFIG, ranker=structs.replace(CONFIG.ranker, window="30d"))
    trees = learn_search_ranker(config, tmp_path, data, ["u"], open_search, build, Silent(), notes)
    assert trees is not None, notes
    assert notes[0].startswith("Search ranker: ")
    with Releases(tmp_path / "releases").draft() as draft:
        id = build(config, data, draft, Silent(), project=tmp_path, search_ranker=trees)
    search = open_search(tmp_path / "releases" / id, MemoryHistory(5))
    prices = data.catalogue.columns["price"].arrays["values"]
    cheapest = 0
    for kind in range(KINDS):
        (answer,) = search.search([SearchRequest(f"thing kind{kind}", k=1, now=data.until)])
        of_kind = prices[kind * EACH : (kind + 1) * EACH]
        cheapest += prices[answer.rows[0]] == of_kind.min()
    assert cheapest >= 0.8 * KINDS


def test_queries_are_asked_again_by_whom_and_from_where_they_were() -> None:
    log = QueryLog(
        ["shoe"],
        np.zeros(3, np.int32),
        np.array([4, 5, 6], np.int32),
        np.array([0, 0, 1], np.int32),
        np.array([5, 5, 9]),
        users=("ann",),
        places=("Oslo",),
        place=np.array([0, 0, -1], np.int32),
    )
    asked = _asked(log, 0)
    assert [(one.user, one.place, one.now) for one in asked.requests] == [
        ("ann", "Oslo", 5),
        ("", "", 9),
    ]
    assert [rows.tolist() for rows in asked.clicked] == [[4, 5], [6]]


@pytest.mark.parametrize("kept", [0, 20])
def test_too_few_clicks_leave_the_default_fusion(tmp_path: Path, kept: int) -> None:
    data = world()
    assert data.queries is not None
    few = data.queries.before(int(data.queries.time[kept]))
    notes = list[str]()
    data = replace(data, queries=few)
    assert (
        learn_search_ranker(CONFIG, tmp_path, data, ["u"], open_search, build, Silent(), notes)
        is None
    )
    assert "too few" in notes[0]


def test_a_window_of_too_few_clicks_fits_nothing_again(tmp_path: Path) -> None:
    def no_build(*_: object, **__: object) -> str:
        raise AssertionError("nothing is to be fitted")

    data = world()
    config = structs.replace(CONFIG, ranker=structs.replace(CONFIG.ranker, window="1d"))
    notes = list[str]()
    assert (
        learn_search_ranker(config, tmp_path, data, ["u"], open_search, no_build, Silent(), notes)
        is None
    )
    assert "in the window of the ranker" in notes[0]
