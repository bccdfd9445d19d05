"""A kitchen shop that a release is built of, and what its search makes of queries."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from shortlist.config.load import parse_config
from shortlist.config.schema import Config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Silent
from shortlist.core.search import SearchAnswer, SearchRequest
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.query_log import QueryLog, numbered
from shortlist.offline.data.training import TrainingData
from shortlist.offline.pipeline import build
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.search.show import highlight
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.release.verify import check_files
from shortlist.stores.memory import MemoryAvailability, MemoryHistory
from shortlist.text.analyzer import Analyzer

CONFIG = """
[project]
name = "kitchen"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title", "about"]
attributes = ["category", "price", "shops"]
category = "category"
price = "price"
place = "shops"
[data.knowledge]
path = "knowledge.parquet"
[search]
synonyms = ["synonyms.txt"]
[retrievers.popular]
"""
ITEMS = [
    ("pan", "Cast iron frying pan", "Sears meat; for gas & induction stoves", "pans", 40.0),
    ("wok", "Carbon steel wok", "A pan for stir frying on a hot gas flame", "pans", 35.0),
    ("pot", "Enamelled stock pot", "Boils pasta and simmers soup", "pots", 60.0),
    ("kettle", "Electric kettle", "Boils water for tea", "electric", 25.0),
    ("mixer", "Stand mixer", "Kneads dough and whips cream", "electric", 200.0),
    ("knife", "Chef's knife", "Cuts meat, herbs & <everything>", "knives", 80.0),
    ("bread", "Bread knife", "Cuts bread and cakes", "knives", 30.0),
    ("peeler", "Vegetable peeler", "Peels potatoes", "knives", 8.0),
]
IDS = [item[0] for item in ITEMS]
SHOPS = {"bread": ["Lyon"], "knife": ["Oslo", "Rome"]}
TRIPLES = [
    ("item:pan", "brand", "brand:Lodge"),
    ("item:pot", "brand", "brand:Lodge"),
    ("item:kettle", "brand", "brand:Bodum"),
]
ASKED = [("frying pan", "pan", 40), ("bread knife", "bread", 30), ("soup pot", "pot", 30)]


def data() -> TrainingData:
    """The shop's items, what was bought (the wok most), and what was searched for."""
    titles, abouts, categories, prices = zip(*(item[1:] for item in ITEMS), strict=True)
    catalogue = Catalogue(
        Vocabulary.of(IDS),
        {
            "title": Column.text(titles),
            "about": Column.text(abouts),
            "category": Column.keyword(categories),
            "price": Column.number(prices),
            "shops": Column.keywords([SHOPS.get(id) for id in IDS]),
        },
        np.ones(len(IDS), np.bool_),
        np.full(len(IDS), np.iinfo(np.int64).max),
    )
    item = np.array([1] * 20 + list(range(8)), np.int32)
    n = len(item)
    texts, query = numbered(pa.array([q for q, _, times in ASKED for _ in range(times)]))
    clicked = np.array([IDS.index(i) for _, i, times in ASKED for _ in range(times)], np.int32)
    m = len(clicked)
    return TrainingData(
        catalogue=catalogue,
        users=1,
        user=np.zeros(n, np.int32),
        item=item,
        time=np.arange(n, dtype=np.int64),
        weight=np.ones(n, np.float32),
        session=np.zeros(n, np.int64),
        until=n,
        queries=QueryLog(texts, query, clicked, np.arange(m, dtype=np.int32), np.arange(m)),
    )


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kitchen")


@pytest.fixture(scope="module")
def world(kitchen: Path) -> tuple[Config, Snapshot]:
    folder = kitchen
    heads, relations, tails = zip(*TRIPLES, strict=True)
    pq.write_table(
        pa.table({"head": heads, "relation": relations, "tail": tails}),
        folder / "knowledge.parquet",
    )
    (folder / "synonyms.txt").write_text("skillet => frying pan\n")
    config = parse_config(CONFIG)
    with Releases(folder / "releases").draft() as draft:
        id = build(config, data(), draft, Silent(), project=folder)
    return config, Snapshot.open(folder / "releases" / id)


@pytest.fixture(scope="module")
def pipeline(world: tuple[Config, Snapshot]) -> SearchPipeline:
    config, snapshot = world
    assert snapshot.search is not None
    return SearchPipeline(
        snapshot, snapshot.search, config, MemoryHistory(10), MemoryAvailability()
    )


def ask(pipeline: SearchPipeline, query: str, **more: object) -> SearchAnswer:
    (answer,) = pipeline.search([SearchRequest(query, **more)])  # type: ignore[arg-type]
    return answer


def test_opening_and_asking_leaves_the_release_as_it_was(
    world: tuple[Config, Snapshot], pipeline: SearchPipeline, kitchen: Path
) -> None:
    ask(pipeline, "pan")
    check_files(world[1].manifest, kitchen / "releases" / world[1].id, deep=True)


def test_words_match_in_any_of_their_forms_and_titles_weigh_more(pipeline: SearchPipeline) -> None:
    assert ask(pipeline, "pans").ids[:2] == ["pan", "wok"]
    assert set(ask(pipeline, "boiling").ids) == {"kettle", "pot"}


def test_a_misspelled_word_is_corrected_and_said(pipeline: SearchPipeline) -> None:
    answer = ask(pipeline, "bread knfie")
    assert answer.ids[0] == "bread"
    assert answer.query == "bread knife"
    (correction,) = answer.corrections
    assert (correction.typed, correction.meant, correction.applied) == ("knfie", "knife", True)
    as_typed = ask(pipeline, "bread knfie", correct=False)
    assert as_typed.query == "bread knfie"
    assert as_typed.suggestion == "bread knife"


def test_synonyms_are_searched_for_too(pipeline: SearchPipeline) -> None:
    assert ask(pipeline, "skillet").ids[0] == "pan"


def test_the_graph_finds_what_words_do_not(pipeline: SearchPipeline) -> None:
    answer = ask(pipeline, "lodge", explain=True)
    assert set(answer.ids) >= {"pan", "pot"}
    assert "kettle" not in answer.ids
    assert answer.explain[0]["sources"].keys() == {"knowledge"}
    assert answer.notes["entities"] == ["brand:Lodge"]


def test_explanations_name_intents(pipeline: SearchPipeline) -> None:
    intents = ask(pipeline, "bread knife", explain=True).notes["intents"]
    assert isinstance(intents, dict)
    assert max(intents, key=lambda name: intents[name]) == "knives"


def feature(answer: SearchAnswer, id: str, name: str) -> float:
    return answer.explain[answer.ids.index(id)]["features"][name]


def test_what_is_to_be_had_where_one_asks_comes_first(pipeline: SearchPipeline) -> None:
    for place, first in (("Lyon", "bread"), ("rome", "knife")):
        answer = ask(pipeline, "knife", place=place, explain=True)
        assert answer.ids[:2] == [first, {"bread": "knife", "knife": "bread"}[first]]
        assert feature(answer, first, "place") == 1
        assert feature(answer, answer.ids[1], "place") == -1
    nowhere = ask(pipeline, "knife", explain=True)
    assert feature(nowhere, "bread", "place") == 0
    assert feature(ask(pipeline, "pan", place="Rome", explain=True), "wok", "place") == 0


def test_everything_that_says_how_good_an_item_is_is_measured(pipeline: SearchPipeline) -> None:
    assert set(pipeline.names) >= {
        *("bm25", "bm25:title", "bm25:about", "coverage", "exact", "phrase:title", "phrase:about"),
        *("knowledge", "popularity", "item_count_7d", "item_trend", "item_age", "likeness"),
        *("affinity:category", "hour", "weekday", "taken_now", "place", "score:lexical"),
    }
    answer = ask(pipeline, "pan", explain=True)
    assert feature(answer, "wok", "popularity") == 1 > feature(answer, "pan", "popularity")
    assert feature(answer, "wok", "bm25:title") == 0 < feature(answer, "pan", "bm25:title")


def test_facets_count_every_match_and_a_filter_leaves_the_rest_in_order(
    pipeline: SearchPipeline,
) -> None:
    query = "knife pan boils kneads"
    every = ask(pipeline, query, facets=["category", "shops"])
    assert every.facets["category"] == {"electric": 2, "knives": 2, "pans": 2, "pots": 1}
    assert every.facets["shops"] == {"Lyon": 1, "Oslo": 1, "Rome": 1}
    for where in ('category == "knives"', "price < 50", 'category in ["pans", "pots"]'):
        some = ask(pipeline, query, where=where, facets=["category"])
        assert some.ids == [id for id in every.ids if id in some.ids]
        assert sum(some.facets["category"].values()) == len(some.ids) > 0


def test_highlights_mark_forms_of_the_words_and_escape_the_rest(pipeline: SearchPipeline) -> None:
    (answer,) = pipeline.search([SearchRequest("cut herbs", k=1)])
    assert answer.highlights == [
        {"about": "<em>Cuts</em> meat, <em>herbs</em> &amp; &lt;everything&gt;"}
    ]
    assert ask(pipeline, "cut herbs", highlight=False).highlights == []


def test_a_piece_from_within_a_long_text_says_that_more_stands_around_it() -> None:
    text = "before " * 100 + "the needle stands here " + "after " * 100
    piece = highlight(text, frozenset({"needl"}), Analyzer())
    assert "<em>needle</em>" in piece
    assert (piece[0], piece[-1]) == ("…", "…")


def test_a_batch_equals_its_singles(pipeline: SearchPipeline) -> None:
    requests = [SearchRequest(q, k=4) for q in ("pan", "lodge", "skillet knife", "zzz", "tea")]
    for request, together in zip(requests, pipeline.search(requests), strict=True):
        (alone,) = pipeline.search([request])
        assert alone.ids == together.ids
        np.testing.assert_array_equal(alone.scores, together.scores)


def test_reciprocal_rank_fusion_can_be_chosen(world: tuple[Config, Snapshot]) -> None:
    config, snapshot = world
    assert snapshot.search is not None
    rrf = structs.replace(config, search=structs.replace(config.search, fusion="rrf"))
    pipeline = SearchPipeline(
        snapshot, snapshot.search, rrf, MemoryHistory(10), MemoryAvailability()
    )
    answer = ask(pipeline, "knife")
    assert set(answer.ids[:2]) == {"knife", "bread"}
    assert answer.scores[0] == pytest.approx(1 / 61)


def test_completions_come_from_titles_and_queries_by_how_often(pipeline: SearchPipeline) -> None:
    from shortlist.online.search.suggest import suggest

    visible = np.full(1, 0xFF, np.uint8)
    assert suggest(pipeline.parts, "so", 5, visible) == ["soup pot"]
    assert suggest(pipeline.parts, "Bre", 5, visible) == ["bread knife"]
    assert suggest(pipeline.parts, "kn", 5, visible)[0] in ("bread knife", "Chef's knife")
    assert suggest(pipeline.parts, "wok", 5, np.zeros(1, np.uint8)) == []


@pytest.mark.parametrize("typed", ["boi", "boils", "BOIL", "enamelle", "enamelled"])
def test_a_word_is_found_while_it_is_typed_and_when_its_last_letter_is(
    pipeline: SearchPipeline, typed: str
) -> None:
    answer = ask(pipeline, typed, unfinished=True)
    assert answer.ids
    assert any("<em>" in piece for shown in answer.highlights for piece in shown.values())
