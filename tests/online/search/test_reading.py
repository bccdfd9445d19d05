"""What is searched for, and how much each word of a query counts."""

from __future__ import annotations

import pytest

from shortlist.core.search import SearchRequest
from shortlist.online.search.reading import Reading, read
from shortlist.online.search.understanding import Understanding
from shortlist.text.analyzer import Analyzer
from shortlist.text.settings import AnalyzerSettings
from shortlist.text.spelling import Speller

ANALYZER = Analyzer(AnalyzerSettings(("en", "de")))


def reading(query: str, known: Understanding | None = None, *, unfinished: bool = False) -> Reading:
    request = SearchRequest(query, unfinished=unfinished)
    return read(request, ANALYZER, known or Understanding(), 0.7, None)


def test_function_words_count_half_in_a_sentence() -> None:
    terms = reading("how do you boil the water for tea").terms
    assert terms["the"] == terms["for"] == 0.5
    assert terms["boil"] == terms["water"] == terms["tea"] == 1


@pytest.mark.parametrize("query", ["the who live", "to be or not to be", "die hard", "it"])
def test_they_count_like_others_in_a_name_and_where_there_is_nothing_else(query: str) -> None:
    read_as = reading(query)
    assert {read_as.terms[term] for term in read_as.order} <= {1.0, 2.0}


def test_a_word_still_being_typed_may_be_any_that_begins_so() -> None:
    speller = Speller.learn([ANALYZER.words("happiness stationary station")] * 3)
    known = Understanding(speller=speller)
    assert "happi" in reading("happine", known, unfinished=True).wanted.begun
    assert "soni" in reading("sony", known, unfinished=True).wanted.begun
    assert reading("stati", known, unfinished=True).wanted.begun == ()  # all of them begin so
    assert reading("sony ", known, unfinished=True).wanted.begun == ()
    assert reading("sony", known).wanted.begun == ()


@pytest.mark.parametrize("query", ['"pale moon" rises"', "“pale moon” rises", "„pale moon“ rises“"])
def test_what_is_quoted_is_between_an_opening_and_a_closing_mark(query: str) -> None:
    assert reading(query).phrases == (("pale", "moon"),)
