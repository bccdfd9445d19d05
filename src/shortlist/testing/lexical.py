"""What every full-text index must do; subclass `LexicalSuite` (or `LiveSuite`) and give `build`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shortlist.core.catalogue import Catalogue, Column, ColumnKind
from shortlist.core.errors import RequestError
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.core.vocabulary import Vocabulary
from shortlist.index.lexical import Document, LexicalIndex, LiveIndex, Wanted

WEIGHTS = {"title": 2, "text": 1}
ATTRIBUTES: dict[str, ColumnKind] = {
    "price": "number",
    "lang": "keyword",
    "tags": "keywords",
    "made": "time",
}
BIG = (1 << 64) - 3
"""Keys use all 64 bits."""
DOCUMENTS = [
    Document(
        1,
        {"title": ["red", "wireless", "mouse"], "text": ["a", "small", "mouse"]},
        {"price": 10.0, "lang": "en", "tags": ["pc", "new"], "made": 1_000_000},
    ),
    Document(
        2,
        {"title": ["keyboard"], "text": ["goes", "with", "a", "wireless", "mouse", "red"]},
        {"price": 30.0, "lang": "ko", "tags": ["pc"], "made": 2_000_000},
    ),
    Document(
        3,
        {"title": ["mouse", "pad"], "text": ["for", "the", "mouse"]},
        {"price": 5.0, "tags": []},
    ),
    Document(BIG, {"title": ["마우스", "무선"], "text": ["zxmouse", "c++"]}, {"lang": "ko-KR"}),
    Document(4, {"title": ["cheese"], "text": []}, {"price": -2.5, "lang": 'say "%x_"'}),
]
FILTERS = [
    "price > 5",
    "price >= 5 and price < 30",
    "price == 10 or price == 30",
    "price != 10",
    "not (price > 5)",
    "not (price == 10 or lang == 'ko')",
    "price in [5, 30]",
    "price is null",
    "price is not null and lang is null",
    'lang == "ko"',
    'lang != "ko"',
    'lang in ["ko", "en"]',
    'lang not in ["ko", "en"]',
    'lang like "ko%"',
    'lang like "%x%"',
    'lang > "en"',
    'array_contains(tags, "pc")',
    'array_contains_all(tags, ["pc", "new"])',
    'array_contains_any(tags, ["new", "none"])',
    'not array_contains(tags, "new")',
    "tags is null",
    "tags is not null",
    "made >= 2000000",
    'made < "1970-01-01T00:00:02Z"',
    "made is null",
]


def catalogue() -> Catalogue:
    """The documents' attributes as columns, which filters are compared with."""
    n = len(DOCUMENTS)
    return Catalogue(
        Vocabulary.of([str(document.key) for document in DOCUMENTS]),
        {
            "price": Column.number([10.0, 30.0, 5.0, None, -2.5]),
            "lang": Column.keyword(["en", "ko", None, "ko-KR", 'say "%x_"']),
            "tags": Column.keywords([["pc", "new"], ["pc"], [], None, None]),
            "made": Column.time([1_000_000, 2_000_000, None, None, None]),
        },
        np.ones(n, np.bool_),
        np.full(n, np.iinfo(np.int64).max),
    )


def terms(*words: str) -> Wanted:
    """Words of equal weight."""
    return Wanted(dict.fromkeys(words, 1.0))


EVERY = terms("mouse", "cheese", "마우스")
"""Finds every document."""


class LexicalSuite:
    """An index over some documents."""

    def build(self, documents: Sequence[Document]) -> LexicalIndex:
        """The index under test, over these documents."""
        raise AssertionError(f"{type(self).__name__} gives no index")

    @pytest.fixture
    def index(self) -> LexicalIndex:
        return self.build(DOCUMENTS)

    def keys(self, index: LexicalIndex, wanted: Wanted, where: str = "", k: int = 10) -> list[int]:
        found, scores = index.search(wanted, k, parse(where) if where else None)
        assert found.dtype == np.uint64
        assert scores.dtype == np.float32
        assert (np.diff(scores) <= 0).all()
        return [int(key) for key in found]

    def test_words_find_the_documents_that_hold_them(self, index: LexicalIndex) -> None:
        assert len(index) == len(DOCUMENTS)
        assert set(self.keys(index, terms("mouse"))) == {1, 2, 3}
        assert self.keys(index, terms("cheese")) == [4]
        assert self.keys(index, terms("마우스")) == [BIG]
        assert self.keys(index, terms("absent")) == []

    def test_more_of_the_words_and_in_heavier_fields_come_first(self, index: LexicalIndex) -> None:
        assert self.keys(index, terms("red", "wireless"))[:2] == [1, 2]
        assert self.keys(index, terms("keyboard", "mouse"))[0] == 2

    def test_a_weight_says_what_a_word_counts(self, index: LexicalIndex) -> None:
        assert self.keys(index, Wanted({"cheese": 5.0, "mouse": 1.0}))[0] == 4

    def test_at_most_k_are_returned(self, index: LexicalIndex) -> None:
        best = self.keys(index, EVERY)
        assert self.keys(index, EVERY, k=2) == best[:2]
        assert self.keys(index, EVERY, k=0) == []

    def test_a_phrase_is_words_side_by_side_in_one_field(self, index: LexicalIndex) -> None:
        phrase = Wanted(phrases=(("wireless", "mouse"),))
        assert set(self.keys(index, phrase)) == {1, 2}
        assert self.keys(index, Wanted(phrases=(("mouse", "wireless"),))) == []
        assert self.keys(index, Wanted(phrases=(("mouse", "a"),))) == []  # title, then text
        assert self.keys(index, Wanted({"red": 1.0}, phrases=(("small", "mouse"),))) == [1]
        assert self.keys(index, Wanted(phrases=(("마우스", "무선"),))) == [BIG]

    def test_a_prefix_asks_for_a_word_that_begins_so(self, index: LexicalIndex) -> None:
        assert set(self.keys(index, Wanted(prefix="mou"))) == {1, 2, 3}
        assert self.keys(index, Wanted({"mouse": 1.0}, prefix="pa")) == [3]
        assert self.keys(index, Wanted(prefix="nowhere")) == []
        assert self.keys(index, Wanted(prefix="마우")) == [BIG]

    def test_stems_of_words_that_begin_so_will_do(self, index: LexicalIndex) -> None:
        assert self.keys(index, Wanted(prefix="nowhere", begun=("cheese", "none"))) == [4]
        assert set(self.keys(index, Wanted(prefix="mou", begun=("cheese",)))) == {1, 2, 3, 4}
        both = self.keys(index, Wanted({"mouse": 1.0}, prefix="pa", begun=("small",)))
        assert set(both) == {1, 3}

    def test_words_that_are_no_words_elsewhere_are_terms_like_others(
        self, index: LexicalIndex
    ) -> None:
        assert self.keys(index, terms("zxmouse")) == [BIG]
        assert self.keys(index, terms("c++")) == [BIG]
        for odd in ('"', "a b", "%", "", "\0", "😀", "x" * 100_000, "' or 1=1 --"):
            assert self.keys(index, terms(odd, "cheese")) == [4]

    def test_nothing_wanted_finds_nothing(self, index: LexicalIndex) -> None:
        assert self.keys(index, Wanted()) == []

    def test_a_filter_means_what_it_means_over_a_catalogue(self, index: LexicalIndex) -> None:
        for where in FILTERS:
            flags = matches(parse(where), catalogue())
            expected = {
                document.key for document, flag in zip(DOCUMENTS, flags, strict=True) if flag
            }
            assert set(self.keys(index, EVERY, where)) == expected, where

    def test_a_filter_on_what_is_not_there_is_an_error_that_names_it(
        self, index: LexicalIndex
    ) -> None:
        with pytest.raises(RequestError, match="pric"):
            index.search(EVERY, 5, parse("pric > 3"))
        with pytest.raises(RequestError, match="price"):
            index.search(EVERY, 5, parse('price == "cheap"'))

    def test_only_the_documents_named_are_found(self, index: LexicalIndex) -> None:
        only = np.array([2, BIG, 77], np.uint64)
        found, _ = index.search(EVERY, 10, only=only)
        assert set(found.tolist()) == {2, BIG}
        assert not len(index.search(EVERY, 10, only=only[:0])[0])

    def test_threads_search_at_the_same_time(self, index: LexicalIndex) -> None:
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: self.keys(index, EVERY), range(20)))
        assert all(answer == answers[0] for answer in answers)


class LiveSuite(LexicalSuite):
    """An index that changes."""

    def build(self, documents: Sequence[Document]) -> LiveIndex:
        """The index under test, over these documents."""
        raise AssertionError(f"{type(self).__name__} gives no index")

    @pytest.fixture
    def live(self) -> LiveIndex:
        return self.build(DOCUMENTS)

    def test_a_document_is_found_at_once_and_its_old_words_no_more(self, live: LiveIndex) -> None:
        assert live.upsert([Document(3, {"title": ["trackball"]}, {"lang": "de"})]) == 1
        assert self.keys(live, terms("trackball"), 'lang == "de" and price is null') == [3]
        assert set(self.keys(live, terms("mouse"))) == {1, 2}
        live.upsert([Document(99, {"text": ["trackball"]})])
        assert set(self.keys(live, terms("trackball"))) == {3, 99}
        assert len(live) == len(DOCUMENTS) + 1

    def test_the_last_of_two_documents_of_one_key_counts(self, live: LiveIndex) -> None:
        live.upsert([Document(50, {"title": ["first"]})])
        live.upsert([Document(50, {"title": ["second"]})])
        assert self.keys(live, terms("first")) == []
        assert self.keys(live, terms("second")) == [50]

    def test_a_deleted_document_is_gone_at_once(self, live: LiveIndex) -> None:
        live.delete([1, BIG, 12345])
        assert set(self.keys(live, EVERY)) == {2, 3, 4}
        assert len(live) == 3
