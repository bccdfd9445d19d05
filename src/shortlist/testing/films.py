"""Records, filters and mistakes that the contract suite of vector stores uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.stores.vectors.contract import MAX_ID, Metric, StoreSchema, VectorField

STRANGE = ["🛒 가격", 'it\'s "quoted"', "line\nbreak", "back\\slash", "%_", " ", "é" * 256]
"""Ids that are text like any other."""

DIM = 4
FILMS = StoreSchema(
    (VectorField("plot", DIM, "cosine", "words-1"),),
    {
        "lang": "keyword",
        "genres": "keywords",
        "year": "integer",
        "price": "number",
        "seen": "boolean",
        "added": "time",
    },
)
COLUMNS: dict[str, list[Any]] = {
    "lang": ["ko", "en", None, "ko", "fr"],
    "genres": [["war", "drama"], ["war"], [], ["comedy"], None],
    "year": [1999, 2016, 2020, None, 2016],
    "price": [9.5, 100.0, 0.0, 3.25, None],
    "seen": [True, False, None, True, False],
    "added": ["2026-01-31", datetime(2026, 2, 1, tzinfo=UTC), None, 1_769_904_000_000_000, 0],
}
IDS = ["a", "b", "c", "d", "e"]


def vectors(n: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    """`float32[n, dim]`."""
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


FILTERS = {
    'lang == "ko"': "ad",
    'lang != "ko"': "be",
    'not (lang == "ko")': "bce",
    'lang in ["en", "fr"]': "be",
    'lang not in ["en", "fr"]': "acd",
    'lang like "%r"': "e",
    'not (lang like "%r" or lang is null)': "abd",
    "lang is not null and year is null": "d",
    "year > 2015": "bce",
    "not (year > 2015)": "ad",
    "1999 <= year < 2017": "abe",
    "year == 2016.5 or year in [1999, 2020]": "ac",
    "year != 2016.5": "abce",
    "not (year > 2015 and price < 50)": "abde",
    "price == 0": "c",
    "price >= 3.25 && price < 1e2": "ad",
    "seen == true": "ad",
    "seen != true": "be",
    "not (seen == true)": "bce",
    "seen in [true, false]": "abde",
    'array_contains(genres, "war")': "ab",
    'not array_contains(genres, "war")': "cde",
    'array_contains_all(genres, ["war", "drama"])': "a",
    'array_contains_any(genres, ["drama", "comedy"])': "ad",
    "genres is null": "ce",
    'added > "2026-01-31"': "bd",
    'added < "2026-01-31T00:00:01Z" and added >= 0': "ae",
}
"""Filters, and the films that each allows."""

BAD_FILTERS: list[tuple[Any, str]] = [
    ("year >", "where: at character 7: expected a number, .*, the expression ended"),
    ("year = 3", "where: at character 6: expected a name, .*, found '='"),
    ("yeer > 3", "no attribute 'yeer'. Did you mean 'year'"),
    ('year > "x"', "'x' is not a number"),
    ('added > "yesterday"', "'yesterday' is not ISO 8601"),
    ("seen > 5", r"at character 8: 'seen' is a boolean attribute, which > cannot compare"),
    ("year > 3 and seen == 1", "at character 22: expected true or false, found 1"),
    ("seen in [true, 0]", "at character 9: expected true or false, found 0"),
    ('seen == "true"', "at character 9: expected true or false, found 'true'"),
    ("added == true", "True is not a number"),
    (None, "where: is None"),
    ('genres == "war"', "Use array_contains with it"),
]
"""Filters that cannot be, and what is said of them."""

BAD_RECORDS: list[tuple[Any, Any, Any, str]] = [
    (["x"], vectors(1, 3), {}, r"vectors\.plot: has shape \(1, 3\), and .* vectors of 4"),
    (["x", "y"], vectors(1), {}, r"vectors\.plot: holds 1 vectors for 2 ids"),
    (["x"], [[1, 2, np.nan, 4]], {}, "number 2 of vector 0 is nan"),
    (["x"], [[1, 2, 3, 1e39]], {}, "number 3 of vector 0 is inf"),
    (["x"], [["a", 2, 3, 4]], {}, "not an array of numbers"),
    (["x"], [[1j, 2, 3, 4]], {}, "not an array of numbers"),
    (["x", "y"], [[1, 2, 3, 4], [1]], {}, "not an array of numbers of one length"),
    (["x", "y"], np.eye(2, 4) * [[1], [0]], {}, "vector 1 is zero"),
    (["x", "y", "x"], vectors(3), {}, "ids: 'x' is number 0 and number 2"),
    (["x", ""], vectors(2), {}, "ids: number 1 is ''"),
    (["x", 3], vectors(2), {}, "ids: number 1 is 3"),
    (["é" * 300], vectors(1), {}, f"takes 600 bytes. An id may take up to {MAX_ID}"),
    (["lone\ud800"], vectors(1), {}, "lone surrogate"),
    ("xy", vectors(2), {}, "ids: is 'xy'"),
    (None, vectors(2), {}, "ids: is None"),
    (["x"], vectors(1), {"yeer": [1]}, "no attribute 'yeer'. Did you mean 'year'"),
    (["x"], vectors(1), {"year": ["1999"]}, r"attributes\.year: value 0 is '1999' \(str"),
    (["x"], vectors(1), {"year": [2**60]}, r"integer between -2\*\*53"),
    (["x"], vectors(1), {"year": [True]}, "kind integer"),
    (["x"], vectors(1), {"lang": [7]}, "kind keyword"),
    (["x"], vectors(1), {"price": [np.inf]}, "not infinite"),
    (["x"], vectors(1), {"price": [10**400]}, "not infinite"),
    (["x"], vectors(1), {"seen": [1]}, "true or false"),
    (["x"], vectors(1), {"added": ["soon"]}, "ISO 8601"),
    (["x"], vectors(1), {"genres": ["war"]}, "a list of"),
    (["x"], vectors(1), {"year": 1999}, r"attributes\.year: is '1999'. Give a list"),
    (["x"], vectors(1), [1999], "attributes: is of the type list. Give a dictionary"),
    (["x"], vectors(1), {"year": [1, 2]}, r"attributes\.year: holds 2 values for 1 ids"),
]
"""Ids, vectors and attributes that cannot be, and what is said of them."""

BAD_SEARCHES: list[tuple[Any, Any, str]] = [
    (vectors(1, 5), 1, r"vectors: has shape \(1, 5\)"),
    ([[0, 0, 0, 0]], 1, "vector 0 is zero"),
    ([[0, 0, 0, np.inf]], 1, "is inf"),
    (vectors(1), 0, "k: is 0"),
    (vectors(1), 20_000, "k: is 20000"),
    (vectors(1), 1.5, "k: is 1.5"),
]
"""Queries and k that cannot be, and what is said of them."""


def similarities(
    queries: NDArray[np.float32], rows: NDArray[np.float32], metric: Metric
) -> NDArray[np.float64]:
    """Scores by the words of the contract, `float64[q, n]`."""
    q, x = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        return np.asarray(-((q[:, None] - x[None]) ** 2).sum(2))
    if metric == "cosine":
        q /= np.linalg.norm(q, axis=1, keepdims=True)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(q @ x.T)
