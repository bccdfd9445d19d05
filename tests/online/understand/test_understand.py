"""Understanding a query: what it was meant to be, what it means too, and what it is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.vocabulary import Vocabulary
from shortlist.online.understand import Understood, understand
from shortlist.text.analyzer import Analyzer
from shortlist.text.intent import learn_intent
from shortlist.text.settings import AnalyzerSettings
from shortlist.text.spelling import Speller
from shortlist.text.synonyms import Synonyms
from shortlist.text.triples import build_graph

ANALYZER = Analyzer(AnalyzerSettings(("en", "de", "ko")))
TEXTS = [
    "fried chicken and hot wings",
    "KFC fried chicken bucket",
    "wireless mouse",
    "mechanical keyboard",
    "치킨 무선 마우스",
]
SPELLER = Speller.learn([ANALYZER.words(text) for text in TEXTS * 4])
SYNONYMS = Synonyms(
    {
        tuple(ANALYZER.terms("fried chicken")): [tuple(ANALYZER.terms("broasted chicken"))],
        tuple(ANALYZER.terms("mouse")): [tuple(ANALYZER.terms("trackball"))],
    }
)
INTENT = learn_intent(
    [ANALYZER.terms(query) for query in ("fried chicken", "wings", "mouse", "keyboard") * 20],
    ["food", "food", "computers", "computers"] * 20,
)
GRAPH = build_graph(
    pa.table(
        {
            "head": ["item:kfc", "item:kfc", "item:wing-stop"],
            "relation": ["serves"] * 3,
            "tail": ["tag:fried chicken", "tag:wings", "tag:wings"],
            "weight": [1.0] * 3,
        }
    ),
    ANALYZER,
    Vocabulary.of(["kfc", "wing-stop"]),
    titles=["KFC", "Wing Stop"],
)


def ask(query: str, confidence: float = 0.7) -> Understood:
    return understand(query, ANALYZER, SPELLER, SYNONYMS, INTENT, GRAPH, confidence=confidence)


def test_a_query_is_understood_in_every_way() -> None:
    found = ask("  Fried CHIKCEN!")

    assert found.original == "  Fried CHIKCEN!"
    assert found.text == "  Fried chicken!"
    assert found.normalised == "  fried chicken!"
    assert found.words == ("fried", "chicken")
    assert found.terms == ("fri", "chicken")
    assert [change.meant for change in found.corrections] == [("chicken",)]
    assert found.suggestion == ""
    synonyms = [e for e in found.expansions if e.why == "synonym"]
    assert [(e.start, e.end, e.terms) for e in synonyms] == [(0, 2, ("broast", "chicken"))]
    assert found.intents[0].category == "food"
    assert [GRAPH.entities.ids(link.entities) for link in found.entities] == [["tag:fried chicken"]]


def test_from_a_restaurant_to_others_like_it() -> None:
    (link,) = ask("kfc").entities

    rows, weights = GRAPH.items_of(*GRAPH.expand(link.entities, ["serves", "~serves"]))

    assert rows.tolist() == [0, 1]
    assert np.all(np.diff(weights) < 0)


def test_a_correction_that_is_not_sure_enough_is_only_offered() -> None:
    found = ask("mousse wireless", confidence=1.0)

    assert found.text == "mousse wireless"
    assert found.terms[0] != "mous"
    assert found.corrections == ()
    assert found.suggestion == "mouse wireless"


def test_words_typed_on_the_wrong_layout_or_without_a_space_are_read() -> None:
    assert ask("clzls").text == "치킨"
    assert ask("무선마우스").text == "무선 마우스"
    assert ask("wirelessmouse keyboard").words == ("wireless", "mouse", "keyboard")


def test_a_word_that_does_not_tell_its_language_is_searched_for_in_each() -> None:
    forms = [e for e in ask("Häuser").expansions if e.why == "form"]

    assert [e.terms for e in forms] == [("haus",)]
    assert forms[0].weight < 1


def test_what_a_release_does_not_hold_is_passed_over() -> None:
    found = understand("Fried chikcen", ANALYZER)

    assert found.text == "Fried chikcen"
    assert found.terms == ("fri", "chikcen")
    assert (found.corrections, found.intents, found.entities) == ((), (), ())


def test_a_synonym_file_works_on_a_query(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("maus => mouse\n")
    synonyms = Synonyms.read([tmp_path / "s.txt"], ANALYZER)

    found = understand("maus", ANALYZER, synonyms=synonyms)

    assert ("mous",) in [expansion.terms for expansion in found.expansions]


STRANGE = [
    "",
    " ",
    "👍👍🏽🇰🇷",
    "\0\x1b\u202e\ud800",
    '"unbalanced (quotes',
    ".*[a-z]+(?=x){9,}\\",
    "'; DROP TABLE items; --",
    "title:(fried AND -chicken)^2~",
    "ㅋㅋㅋㅋㅋ 漢字 кириллица עברית हिन्दी",
    "a" * 100_000,
    "word " * 20_000,
    "漢" * 30_000,
    "'" * 5_000,
    "1.2." * 10_000,
]


@pytest.mark.parametrize("query", STRANGE, ids=range(len(STRANGE)))
def test_strange_queries_are_understood_somehow(query: str) -> None:
    found = ask(query)

    assert found.original == query
    for expansion in found.expansions:
        assert 0 <= expansion.start < expansion.end <= len(found.terms)


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_understood_and_the_same_each_time(query: str) -> None:
    found = ask(query)

    assert ask(query).terms == found.terms
    assert found.words == tuple(ANALYZER.words(found.text))
    for link in found.entities:
        assert 0 <= link.start < link.end <= len(found.terms)


def written(query: str) -> set[tuple[str, ...]]:
    return {e.terms for e in ask(query).expansions if e.why == "writing"}


def test_names_of_models_are_looked_up_however_they_are_written() -> None:
    assert ("xt500",) in written("XT-500")
    assert ("xt500",) in written("xt 500 pro")
    assert ("xt", "500") in written("XT500")
    assert ("5", "ghz") in written("5GHz router")
    assert ("wifi",) in written("Wi-Fi")
    assert ("3.5", "mm") in written("3.5mm jack")
    assert written("마우스 무선") == set()
    assert written("one, two") == {("onetwo",)}
    assert written("one ... two") == set()


def test_umlauts_are_looked_up_spelled_out_and_as_letters() -> None:
    assert {("muller",)} <= written("mueller")
    assert {("mueller",)} <= written("Müller")
    assert written("queue") == set()
    english = Analyzer(AnalyzerSettings(("en",)))
    assert not [e for e in understand("Müller", english).expansions if e.why == "writing"]


@given(st.text(max_size=40))
def test_other_ways_to_write_stand_beside_terms_of_the_query(query: str) -> None:
    found = ask(query)
    for expansion in found.expansions:
        assert 0 <= expansion.start < expansion.end <= len(found.terms)
        assert expansion.terms
