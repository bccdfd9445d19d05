"""The knowledge graph: linked from a query, walked with decay, and back to items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shortlist.config.schema import KnowledgeSection
from shortlist.core.errors import ConfigError, DataError
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.engine import engine
from shortlist.offline.data.knowledge import read_knowledge
from shortlist.text.analyzer import Analyzer
from shortlist.text.knowledge import KnowledgeGraph
from shortlist.text.settings import AnalyzerSettings
from shortlist.text.triples import build_graph

ANALYZER = Analyzer()
CATALOGUE = Vocabulary.of(["kfc", "wing-stop", "bbq-house", "sushi-bar"])
TITLES = ["KFC", "Wing Stop", "BBQ House", "Sushi Bar"]
TRIPLES = [
    ("item:kfc", "serves", "tag:fried chicken"),
    ("item:kfc", "serves", "tag:wings"),
    ("item:kfc", "serves", "tag:food"),
    ("item:wing-stop", "serves", "tag:fried chicken"),
    ("item:wing-stop", "serves", "tag:wings"),
    ("item:wing-stop", "serves", "tag:food"),
    ("item:bbq-house", "serves", "tag:wings"),
    ("item:bbq-house", "serves", "tag:food"),
    ("item:sushi-bar", "serves", "tag:food"),
    ("item:kfc", "owner", "yum"),
    ("item:kfc", "alias", "Kentucky Fried Chicken"),
    ("tag:fried chicken", "alias", "chicken"),
    ("yum", "name", "Yum! Brands"),
]


def table(triples: list[tuple[str, str, str]]) -> pa.Table:
    head, relation, tail = zip(*triples, strict=True)
    return pa.table(
        {"head": head, "relation": relation, "tail": tail, "weight": [1.0] * len(triples)}
    )


GRAPH = build_graph(table(TRIPLES), ANALYZER, CATALOGUE, titles=TITLES)


def linked(query: str, graph: KnowledgeGraph = GRAPH) -> list[list[str]]:
    return [graph.entities.ids(link.entities) for link in graph.link(ANALYZER.terms(query))]


def near(query: str, relations: list[str], hops: int) -> list[str]:
    entities = np.concatenate([link.entities for link in GRAPH.link(ANALYZER.terms(query))])
    rows, _ = GRAPH.items_of(*GRAPH.expand(entities, relations, 0.5, hops))
    return CATALOGUE.ids(rows)


def test_a_query_is_linked_to_the_longest_names_in_it() -> None:
    assert linked("fried chicken near me") == [["tag:fried chicken"]]
    assert linked("kentucky FRIED chickens wings") == [["item:kfc"], ["tag:wings"]]
    assert linked("the brand is yum brands") == [["yum"]]
    assert linked("chicken") == [["tag:fried chicken"]]
    assert linked("") == linked("pizza") == []


def test_a_name_of_two_things_is_both() -> None:
    triples = [*TRIPLES, ("tag:kfc", "serves", "x")]

    graph = build_graph(table(triples), ANALYZER, CATALOGUE, titles=TITLES)

    assert linked("kfc", graph) == [["item:kfc", "tag:kfc"]]


def test_a_name_of_function_words_is_found_only_as_the_whole_query() -> None:
    graph = build_graph(table([("tag:The Who", "plays", "tag:rock")]), ANALYZER, CATALOGUE)

    assert linked("the who", graph) == [["tag:The Who"]]
    assert linked("rock of the who", graph) == [["tag:rock"]]


def test_from_a_place_over_what_it_serves_to_others_that_serve_it() -> None:
    assert near("kfc", ["serves"], 1) == ["kfc"]
    assert near("kfc", ["serves", "~serves"], 2) == ["kfc", "wing-stop", "bbq-house", "sushi-bar"]
    assert near("fried chicken", ["~serves"], 1) == ["kfc", "wing-stop"]


def test_what_few_share_counts_more_and_each_step_less() -> None:
    start = GRAPH.entities.rows(["item:kfc"])
    entities, weights = GRAPH.expand(start, ["serves", "~serves"], 0.5, 2)
    weight = dict(zip(GRAPH.entities.ids(entities), weights.tolist(), strict=True))

    # Of kfc's three, fried chicken is shared by 2, wings by 3, food by 4.
    assert weight["item:kfc"] == 1
    assert weight["tag:fried chicken"] == pytest.approx(0.5 / np.sqrt(3 * 2))
    assert weight["tag:wings"] == pytest.approx(0.5 / np.sqrt(3 * 3))
    assert weight["item:sushi-bar"] == pytest.approx(0.25 / np.sqrt(3 * 4) / np.sqrt(1 * 4))
    assert list(weights) == sorted(weights, reverse=True)


def test_no_steps_stay_and_weights_carry_over() -> None:
    start = GRAPH.entities.rows(["item:kfc", "tag:food"])

    entities, weights = GRAPH.expand(start, hops=0, weights=np.array([0.25, 0.5], np.float32))

    assert GRAPH.entities.ids(entities) == ["tag:food", "item:kfc"]
    assert weights.tolist() == [0.5, 0.25]


def test_items_are_found_by_row_too() -> None:
    rows = np.array([2, 0], np.int32)

    assert GRAPH.entities.ids(GRAPH.entities_of(rows)) == ["item:bbq-house", "item:kfc"]


def test_a_relation_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no relation 'servs'. Did you mean 'serves'"):
        GRAPH.expand(np.zeros(1, np.int32), ["~servs"])


def test_a_saved_graph_says_the_same(tmp_path: Path) -> None:
    GRAPH.save(tmp_path)

    opened = KnowledgeGraph.load(tmp_path)

    assert linked("kentucky fried chicken wings", opened) == linked("kentucky fried chicken wings")
    start = opened.entities.rows(["tag:wings"])
    for mine, its in zip(GRAPH.expand(start), opened.expand(start), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_names_in_scripts_without_spaces_are_found() -> None:
    analyzer = Analyzer(AnalyzerSettings(("zh",), cjk="bigrams"))
    graph = build_graph(table([("tag:炸鸡", "is", "tag:食物")]), analyzer, CATALOGUE)

    assert [graph.entities.ids(x.entities) for x in graph.link(analyzer.terms("炸鸡店"))] == [
        ["tag:炸鸡"]
    ]


def read(folder: Path, text: str, **keys: str) -> pa.Table:
    (folder / "graph.csv").write_text(text)
    with engine(folder / "scratch") as con:
        return read_knowledge(con, KnowledgeSection(path="graph.csv", **keys), folder)


def test_triples_are_read_from_a_file_and_doubles_add_up(tmp_path: Path) -> None:
    text = "head,relation,tail,strength\nb,r,c,2\na,r,b,1.5\na,r,b,0.5\n"

    found = read(tmp_path, text, weight="strength")

    assert found.to_pylist() == [
        {"head": "a", "relation": "r", "tail": "b", "weight": 2.0},
        {"head": "b", "relation": "r", "tail": "c", "weight": 2.0},
    ]
    assert read(tmp_path, text)["weight"].to_pylist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ("head,relation,tail\na,r,\n", {}, r"graph\.csv: a triple has no tail: head 'a'"),
        ("head,relation,tail,w\na,r,b,0\n", {"weight": "w"}, r"weight of a triple is no number"),
        ("head,relation,tail,w\na,r,b,x\n", {"weight": "w"}, r"weight of a triple is no number"),
        ("head,relatoin,tail\na,r,b\n", {}, r"no column 'relation'.*Did you mean 'relatoin'"),
    ],
)
def test_a_triple_that_is_none_is_named(
    tmp_path: Path, text: str, keys: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, text, **keys)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with engine(tmp_path / "scratch") as con, pytest.raises(DataError, match=r"data\.knowledge"):
        read_knowledge(con, KnowledgeSection(path="none.csv"), tmp_path)
