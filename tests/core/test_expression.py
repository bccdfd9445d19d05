"""Filter expressions select items by their attributes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.errors import RequestError
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.core.vocabulary import Vocabulary

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def catalogue():
    """Five items: a, b, c, d, e."""
    return Catalogue(
        Vocabulary.of(["a", "b", "c", "d", "e"]),
        {
            "lang": Column.keyword(["ko", "en", "ja", "ko", None]),
            "price": Column.number([10, 100, 25.5, None, 99]),
            "genres": Column.keywords([["Comedy"], ["Comedy", "Drama"], [], ["Drama"], None]),
            "sold": Column.keyword(["true", "false", "false", "true", None]),
            "since": Column.time([0, DAY, 2 * DAY, 3 * DAY, None]),
            "title": Column.text(["x", "y", "", "z", None]),
            "shelf no": Column.number([1, 2, 3, 4, 5]),
        },
        np.ones(5, np.bool_),
        np.full(5, np.iinfo(np.int64).max),
    )


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ('lang == "ko"', "ad"),
        ("lang != 'ko'", "bc"),
        ('lang in ["ko", "en"]', "abd"),
        ('lang not in ["ko", "en"]', "ce"),
        ("price >= 99", "be"),
        ("not (price >= 99)", "acd"),
        ("10 < price <= 99", "ce"),
        ("price in [10, 25.5]", "ac"),
        ("price is null", "d"),
        ("price is not null && lang is null", "e"),
        ('array_contains(genres, "Drama")', "bd"),
        ('"Drama" in genres', "bd"),
        ('array_contains_any(genres, ["Drama", "Comedy"])', "abd"),
        ('array_contains_all(genres, ["Drama", "Comedy"])', "b"),
        ("genres is null", "ce"),
        ("sold == true", "ad"),
        ('since >= "1970-01-03"', "cd"),
        ("since < 86400000000", "a"),
        ('lang like "k%"', "ad"),
        ('lang like "_n"', "b"),
        ("`shelf no` > 3", "de"),
        ('lang == "ko" or lang == "en" and price > 50', "abd"),
        ('(lang == "ko" OR lang == "en") AND price > 50', "b"),
        ('lang == "never seen"', ""),
        ("!(price < 50 || price > 99)", "de"),
    ],
)
def test_an_expression_selects(catalogue, text, selected):
    flags = matches(parse(text), catalogue)
    assert "".join(np.array(list("abcde"))[flags]) == selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an attribute's name, the expression ended"),
        ("price >", "at character 8: expected a number, a quoted text, true or false"),
        ("price > 1 lang", "at character 11: expected 'and', 'or' or the end, found 'lang'"),
        ("(price > 1", r"expected '\)', the expression ended"),
        ("price @ 3", "at character 7: expected a name, a value or an operator, found '@'"),
        ("lang in []", "at least one value"),
        ("pryce > 3", "no attribute 'pryce'. Did you mean 'price'?"),
        ('price > "x"', "'x' is not a number"),
        ('genres == "Drama"', "'genres' is a list attribute. Use array_contains"),
        ('array_contains(lang, "ko")', "'lang' is a keyword attribute"),
        ('title == "x"', "'title' is a text attribute"),
        ('since > "soon"', "'soon' is not ISO 8601"),
        ("(" * 100 + "price > 1" + ")" * 100, "levels of nesting"),
    ],
)
def test_a_faulty_expression_says_where_and_what_to_do(catalogue, text, message):
    with pytest.raises(RequestError, match=message) as caught:
        matches(parse(text), catalogue)
    assert caught.value.where == "where"


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_request_error(text):
    try:
        parse(text)
    except RequestError as error:
        assert error.where == "where"


@given(st.data())
def test_not_is_the_complement_and_junctions_are_set_operations(catalogue, data):
    leaf = st.sampled_from(['lang == "ko"', "price > 20", '"Drama" in genres', "since is null"])
    one, other = data.draw(leaf), data.draw(leaf)
    a, b = matches(parse(one), catalogue), matches(parse(other), catalogue)
    assert (matches(parse(f"not {one}"), catalogue) == ~a).all()
    assert (matches(parse(f"{one} and {other}"), catalogue) == (a & b)).all()
    assert (matches(parse(f"{one} or {other}"), catalogue) == (a | b)).all()
