"""Items that are written while a release serves are part of its very next answer."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config.load import parse_config
from shortlist.config.schema import RankerSection
from shortlist.core.catalogue import Column, Value
from shortlist.core.errors import RequestError
from shortlist.core.event import Event
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.core.times import DAY, now
from shortlist.features import default_features
from shortlist.offline.learning import link_release
from shortlist.offline.pipeline import build
from shortlist.offline.ranking.fit import fit
from shortlist.offline.ranking.rows import training_rows
from shortlist.offline.replay import Replay
from shortlist.online.engine import Engine
from shortlist.online.live.columns import extended
from shortlist.online.live.texts import item_encoders
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores.memory import MemoryAvailability
from shortlist.testing import shop
from shortlist.testing.library import library
from shortlist.testing.rankers import UNTIL, shop_graph, shop_log
from shortlist.testing.ranking import write_impressions

BOOKS = library(documents=160, users=60, subjects=4)
CONFIG = parse_config(
    """
[project]
name = "library"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title", "body"]
attributes = ["language"]
[ranker]
kind = "none"
[retrievers.text_encoder]
dim = 16
epochs = 0
"""
)
TITLE, BODY = (
    [str(BOOKS.data.catalogue.columns[name].value(row)) for row in range(160)]
    for name in ("title", "body")
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose release has an encoder of texts."""
    folder = tmp_path_factory.mktemp("library")
    releases = Releases(folder / ".shortlist" / "releases")
    with releases.draft() as draft:
        id = build(CONFIG, BOOKS.data, draft, Silent(), project=folder)
    releases.promote(id)
    return folder


@pytest.fixture
def engines(published: Path) -> Iterator[tuple[Engine, Engine]]:
    """Two engines of one project, as in two workers; nothing is written yet."""
    for file in (published / ".shortlist" / "state").glob("items.sqlite*"):
        file.unlink()
    one, other = (Engine.open(CONFIG, published) for _ in range(2))
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The shop."""
    shop.publish(tmp_path)
    opened = Engine.open(shop.config(), tmp_path)
    yield opened
    opened.close()


def put(engine: Engine, id: str, attributes: dict[str, Value], **more: object) -> None:
    engine.put({id: engine.book.body(attributes, **more)})


def like(row: int) -> dict[str, Value]:
    """An item that says what a document says."""
    language = BOOKS.data.catalogue.columns["language"].value(row)
    return {"title": TITLE[row], "body": BODY[row], "language": language}


def test_a_new_item_competes_by_its_text_in_every_process(engines: tuple[Engine, Engine]) -> None:
    writer, reader = engines
    put(writer, "new", like(7))
    assert "new" in reader.similar("d7", k=1).ids  # nothing is nearer than what says the same
    assert "d7" in reader.similar("new", k=1).ids
    query = TITLE[7]
    assert set(reader.search(query, k=2).ids) == {"new", "d7"}
    explained = reader.search(query, k=2, explain=True)
    ways = dict(zip(explained.ids, explained.explain, strict=True))["new"]["sources"]
    assert {"lexical", "text_encoder"} <= set(ways)
    # somebody who read such a thing, or the new item itself, is recommended the other
    writer.post([Event("ann", "d7", now() - 1_000_000, "event", None, "")])
    writer.post([Event("bob", "new", now() - 1_000_000, "event", None, "")])
    assert reader.recommend("ann", k=5).ids[0] == "new"
    assert reader.recommend("bob", k=5).ids[0] == "d7"
    assert "new" not in reader.recommend("bob", k=160).ids  # seen


def test_its_vector_is_the_one_a_training_would_give_it(engines: tuple[Engine, Engine]) -> None:
    snapshot = engines[0].pipeline.snapshot
    encoder = item_encoders(snapshot)["text_encoder"]
    texts = [encoder.text(like(row)) for row in range(20)]
    trained = snapshot.indexes["text_encoder"].vectors_of(np.arange(20, dtype=np.int32))
    np.testing.assert_allclose(encoder.encoder.encode(texts), trained, atol=2e-3)


def test_only_texts_that_are_new_are_encoded(engines: tuple[Engine, Engine]) -> None:
    engine, _ = engines
    body = engine.book.body
    first = engine.put({"new": body(like(3)), "d5": body(like(5))})
    assert (first.written, first.unchanged, first.encoded) == (1, 1, 1)  # d5 is just so
    again = engine.put({"new": body(like(3))})
    assert (again.written, again.unchanged, again.encoded) == (0, 1, 0)
    moved = engine.put({"new": body(like(3) | {"language": "xx"})})
    assert (moved.written, moved.encoded, moved.reused) == (1, 0, 1)
    changed = engine.put({"d5": body(like(9))})
    assert (changed.written, changed.encoded) == (1, 1)
    back = engine.put({"d5": body(like(5))})
    assert (back.written, back.encoded, back.reused) == (1, 0, 0)  # the release has it


def test_an_item_of_the_release_that_is_written_again_is_what_it_says_now(
    engines: tuple[Engine, Engine],
) -> None:
    writer, reader = engines
    reader.recommend(k=1)
    put(writer, "d7", like(40))
    assert reader.similar("d40", k=1).ids == ["d7"]
    assert "d7" in reader.search(TITLE[40], k=2).ids
    assert "d7" not in reader.search(f'"{TITLE[7]}"', k=10).ids
    put(writer, "d7", like(7))
    assert reader.similar("d40", k=1).ids != ["d7"]
    assert reader.search(f'"{TITLE[7]}"', k=1).ids == ["d7"]


def test_a_batch_equals_its_singles(engines: tuple[Engine, Engine]) -> None:
    engine, _ = engines
    for n in range(30):
        put(engine, f"new-{n}", like(n))
    put(engine, "d50", like(60))
    requests = [
        Request(item="d3", k=12),
        Request(item="new-4", k=7),
        Request(user="nobody", k=5, where='language == "en"'),
        Request(item="d60", k=3, exclude=["d50"]),
    ]
    together = engine.answer(requests)
    for request, answer in zip(requests, together, strict=True):
        (alone,) = engine.answer([request])
        assert alone.ids == answer.ids
        np.testing.assert_array_equal(alone.scores, answer.scores)


def test_the_same_without_live_items(engines: tuple[Engine, Engine]) -> None:
    engine, _ = engines
    before = engine.similar("d3", k=20)
    put(engine, "new", like(90))
    put(engine, "new", {})  # it says nothing any more
    after = engine.similar("d3", k=20)
    assert before.ids == after.ids
    np.testing.assert_array_equal(before.scores, after.scores)


def test_words_that_no_item_had_are_found_and_not_corrected(engine: Engine) -> None:
    put(engine, "mango", {"title": "Numbers of the zanzibar mango", "category": "fruit"})
    assert engine.search("zanzibar").ids == ["mango"]
    assert engine.search("zanzibar").highlights == [
        {"title": "Numbers of the <em>zanzibar</em> mango"}
    ]
    assert engine.search('"zanzibar mango"').ids == ["mango"]
    assert engine.search('"mango zanzibar"').ids == []
    assert engine.search("zanzi", unfinished=True).ids == ["mango"]
    assert engine.search("mango", facets=["category"]).facets == {"category": {"fruit": 1}}
    put(engine, "mango", {"title": "Papaya"})
    assert engine.search("papaya").ids == ["mango"]
    assert engine.search("zanzibar mango").ids == []


def test_filters_see_new_values(engine: Engine) -> None:
    where = 'category == "fruit" and price > 900'
    assert engine.recommend(where=where).ids == []
    put(engine, "melon", {"category": "fruit", "price": 1000})
    put(engine, "apple-1", {"category": "fruit", "price": 901})
    put(engine, "books-50", {"category": "fruit", "price": 902, "title": "Number 50"})
    assert set(engine.recommend(where=where).ids) == {"melon", "apple-1", "books-50"}
    assert engine.recommend(where='category == "books" and price == 50').ids == []
    assert engine.recommend(where='category == "toys"').ids == []
    put(engine, "kite", {"category": "toys"})  # a value that no item had
    assert engine.recommend(where='category == "toys"').ids == ["kite"]
    assert engine.recommend(where="price is null").ids == ["kite"]
    assert engine.recommend(where="title is null and price > 901").ids == ["melon"]
    put(engine, "kite", {"category": "fruit"})
    assert engine.recommend(where='category == "toys"').ids == []


def test_what_may_not_be_shown_is_not(engine: Engine) -> None:
    everything = {"k": 100, "seen": True}
    put(engine, "melon", {"category": "fruit"}, available=False)
    put(engine, "kiwi", {"category": "fruit"}, expires=now() - 1)
    put(engine, "fruit-0", {"category": "fruit"}, available=False)
    shown = engine.recommend(**everything).ids
    assert not {"melon", "kiwi", "fruit-0"} & set(shown)
    assert engine.item("melon") is None
    put(engine, "melon", {"category": "fruit"})
    assert "melon" in engine.recommend(**everything).ids
    assert engine.item("melon") == {"category": "fruit", "price": None, "title": ""}
    engine.hide(["melon"])
    assert "melon" not in engine.recommend(**everything).ids
    put(engine, "melon", {"category": "fruit", "price": 3})  # writing does not bring it back
    assert engine.recommend(where="price == 3").ids == ["fruit-3"]
    engine.show(["melon"])
    assert "melon" in engine.recommend(**everything).ids


def test_the_rules_of_a_list_hold_for_new_items(tmp_path: Path) -> None:
    shop.publish(tmp_path)
    config = shop.config("[arrange]\nmax_per = { category = 2 }\n")
    engine = Engine.open(config, tmp_path)
    for n in range(4):
        put(engine, f"kite-{n}", {"category": "toys"})
    shown = engine.recommend(k=60, where='category == "toys" or category == "fruit"').ids
    assert sum(id.startswith("kite") for id in shown) == 2
    engine.close()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    shop.publish(tmp_path)
    engine = Engine.open(shop.config(), tmp_path)
    put(engine, "melon", {"category": "fruit", "price": 1000})
    engine.close()
    engine = Engine.open(shop.config(), tmp_path)
    assert engine.recommend(where="price == 1000").ids == ["melon"]
    shop.publish(tmp_path)  # and under another release
    assert engine.refresh()
    assert engine.recommend(where="price == 1000").ids == ["melon"]
    engine.close()


@pytest.mark.parametrize(
    ("attributes", "field", "says"),
    [
        ({"colour": "red"}, "attributes.colour", "no attribute 'colour'"),
        ({"price": "ten"}, "attributes.price", "'ten' is not a number"),
        ({"price": True}, "attributes.price", "not a number"),
        ({"price": float("inf")}, "attributes.price", "not a finite number"),
        ({"price": 10**400}, "attributes.price", "not a finite number"),
        ({"category": ["a"]}, "attributes.category", "not a text"),
        ({"title": 5}, "attributes.title", "not a text"),
        ({"title": "\ud800"}, "attributes.title", "valid Unicode"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    engine: Engine, attributes: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(RequestError, match=says) as refused:
        engine.book.body(attributes)
    assert refused.value.where == field


@pytest.mark.parametrize("id", ["", "x" * 513])
def test_an_id_that_is_empty_or_too_long_is_refused(engine: Engine, id: str) -> None:
    with pytest.raises(RequestError) as refused:
        put(engine, id, {})
    assert refused.value.where == "id"


WORDS = st.sampled_from(["a", "b", "c", "d"])
LINES = st.lists(st.tuples(st.integers(0, 11), st.lists(WORDS, max_size=3)), max_size=8)


@settings(deadline=None, max_examples=60)
@given(old=st.lists(st.lists(WORDS, max_size=3), min_size=1, max_size=7), lines=LINES)
def test_columns_with_newer_values_are_those_of_a_catalogue_made_of_them(
    old: list[list[str]], lines: list[tuple[int, list[str]]]
) -> None:
    newer = dict(lines)
    size = max([len(old), *(row + 1 for row in newer)])
    rows = np.array(list(newer), np.int32)
    expected: list[list[str]] = [*old, *([[]] * (size - len(old)))]
    for row, values in newer.items():
        expected[row] = values

    lists = extended(Column.keywords(old), Column.keywords(list(newer.values())), rows, size)
    assert [lists.value(row) for row in range(size)] == expected

    def first(values: list[str]) -> str | None:
        return values[0] if values else None

    words = extended(
        Column.keyword([first(values) for values in old]),
        Column.keyword([first(values) for values in newer.values()]),
        rows,
        size,
    )
    assert [words.value(row) for row in range(size)] == [first(values) for values in expected]
    numbers = extended(
        Column.number([float(len(values)) for values in old]),
        Column.number([float(len(values)) for values in newer.values()]),
        rows,
        size,
    )
    catalogue = dataclasses.replace(shop.catalogue(), columns={"n": numbers, "tags": lists})
    wanted = [row for row in range(size) if len(expected[row]) >= 2 and "a" in expected[row]]
    found = matches(parse('n >= 2 and array_contains(tags, "a")'), catalogue)
    assert np.flatnonzero(found).tolist() == wanted


def with_ranker(folder: Path) -> Engine:
    """The shop with a ranker that reads every feature the shop allows."""
    release = shop.publish(folder)
    users = [f"user {row}" for row in range(40)]
    place = folder / ".shortlist" / "releases"
    data = shop_log()
    pipeline = RequestPipeline(
        Snapshot.open(place / release),
        shop.config(),
        Replay(data, users, 500),
        MemoryAvailability(),
    )
    sources = pipeline.retrieve([Request(k=1, now=UNTIL)])[0].sources
    kinds = {name: column.kind for name, column in shop.catalogue().columns.items()}
    features = default_features("category", "price", kinds, sources)
    section = RankerSection(requests=30)
    impressions = write_impressions(folder / "impressions.parquet", [])
    since = UNTIL - 20 * DAY
    rows = training_rows(pipeline, data, impressions, since, section, features, users, 0, Silent())
    ranker, _ = fit(rows, section, 0, Silent(), None, shop_graph)
    before = pipeline.snapshot.manifest
    with Releases(place).draft() as draft:
        link_release(place / release, draft)
        ranker.save(draft.path / "ranker")
        made = draft.commit(
            {
                "config": before.config,
                "watermark": before.watermark,
                "items": before.items,
                "artefacts": before.artefacts,
                "indexes": before.indexes,
                "search": before.search,
                "ranker": {"kind": section.kind},
                "features": list(features.names),
            }
        )
    Releases(place).promote(made.id)
    return Engine.open(shop.config(), folder)


def test_a_ranker_sees_a_new_item_as_one_that_nobody_took(tmp_path: Path) -> None:
    engine = with_ranker(tmp_path)
    engine.post(
        [Event("ann", f"fruit-{n}", now() - n * 1_000_000, "view", None, "") for n in (2, 3)]
    )
    for n in range(40):
        put(engine, f"melon-{n}", {"category": "fruit", "price": 12.0})
    where = "price == 12"
    answer = engine.recommend("ann", k=50, where=where, explain=True)
    assert len(answer.ids) == 41 and "fruit-12" in answer.ids
    assert np.isfinite(answer.scores).all()
    told = dict(zip(answer.ids, answer.explain, strict=True))
    new, old = told["melon-7"]["features"], told["fruit-12"]["features"]
    same = ("price:price", "price_relative:price", "affinity:category", "user_count")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["item_count"], new["item_age"], new["sources"]) == (0, -1, 0)
    # more of them than there was room for
    engine.put({f"kiwi-{n}": engine.book.body({"price": 12.0}) for n in range(2_500)})
    answer = engine.recommend("ann", k=1000, where=where)
    assert len(answer.ids) == 1000 and np.isfinite(answer.scores).all()
    engine.close()


def test_an_item_that_training_left_out_is_not_live(tmp_path: Path) -> None:
    shop.publish(tmp_path)
    engine = Engine.open(shop.config(), tmp_path)
    put(engine, "melon", {"category": "fruit"})
    assert len(engine.similar("melon", k=3)) == 3  # nothing is known of what is like it
    (folder,) = (tmp_path / ".shortlist" / "releases").glob("*/catalogue")
    dataclasses.replace(shop.catalogue(), taken=now()).save(folder)
    again = Engine.open(shop.config(), tmp_path)
    with pytest.raises(RequestError, match="no item has the id 'melon'"):
        again.similar("melon")
    assert "melon" not in again.recommend(k=100).ids
    for opened in (engine, again):
        opened.close()


def test_new_titles_are_completed_to_at_once_and_old_ones_no_longer(engine: Engine) -> None:
    assert engine.suggest("zanz") == []
    put(engine, "mango", {"title": "Numbers of the Zánzibar mango"})
    assert engine.suggest("zanz") == ["Numbers of the Zánzibar mango"]
    assert engine.suggest("zanzibar m") == engine.suggest("numbers of") == engine.suggest("mango")
    (title, *_) = engine.suggest("n", k=1)
    assert title != "Numbers of the Zánzibar mango"  # nobody can have taken it yet
    assert engine.suggest("n", k=5)[-1] == "Numbers of the Zánzibar mango"
    put(engine, "mango", {"title": "Papaya"})
    assert engine.suggest("zanz") == []
    assert engine.suggest("papa") == ["Papaya"]
    engine.hide(["mango"])
    assert engine.suggest("papa") == []


def test_words_of_items_written_one_by_one_and_again_are_those_written_at_once(
    engine: Engine,
) -> None:
    titles = ["red kite", "blue kite flies", "kite", "green red kite"]
    for n, title in enumerate(titles):
        put(engine, f"k{n}", {"title": title})
        assert f"k{n}" in engine.search("kite", k=20).ids
    put(engine, "k1", {"title": "a red red fox"})
    put(engine, "k4", {"title": "kite of foxes"})
    assert set(engine.search("fox", k=20).ids) == {"k1", "k4"}
    assert set(engine.search("kite", k=20).ids) == {"k0", "k2", "k3", "k4"}
    assert engine.search('"red kite"').ids[:1] == ["k0"]
    assert set(engine.search('"red kite"').ids) == {"k0", "k3"}
