"""Pairs of a user's and an item's values, line by line, and the places that they get."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.features.pairs import Places, crossed, of_each

CODES = st.lists(st.lists(st.integers(-1, 5), max_size=3), min_size=1, max_size=5)


def terms(lines: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.cumsum([0, *map(len, lines)]),
        np.array([code for line in lines for code in line], np.int32),
    )


@given(CODES, CODES)
def test_every_line_has_every_pair_of_its_values(
    users: list[list[int]], items: list[list[int]]
) -> None:
    lines = min(len(users), len(items))
    starts, pairs = crossed(terms(users[:lines]), terms(items[:lines]))
    for n, (own, theirs) in enumerate(zip(users, items, strict=False)):
        expected = [t << 32 | o if o >= 0 and t >= 0 else -1 for o in own for t in theirs]
        assert sorted(pairs[starts[n] : starts[n + 1]].tolist()) == sorted(expected)


def test_the_largest_codes_make_a_pair_of_their_own() -> None:
    top = np.iinfo(np.int32).max
    _, pairs = crossed(of_each(terms([[top, top - 1]]), 2), terms([[top], [top - 1]]))
    assert len(np.unique(pairs)) == 4
    assert (pairs > 0).all()


@given(st.sets(st.integers(0, 30)), st.lists(st.lists(st.integers(-1, 30), max_size=5)))
def test_a_pair_keeps_the_place_that_it_got_first(
    known: set[int], batches: list[list[int]]
) -> None:
    places = Places(np.array(sorted(known), np.int64))
    expected = {pair: place for place, pair in enumerate(sorted(known))}
    nobody = len(known)
    for batch in batches:
        pairs = np.array(batch, np.int64)
        before = [-1 if p < 0 else expected.get(p, nobody) for p in batch]
        assert places.of(pairs).tolist() == before
        for pair, place in zip(batch, places.add(pairs).tolist(), strict=True):
            if pair >= 0:
                assert expected.setdefault(pair, place) == place
                assert place != nobody
    assert len(places) == nobody + 1 + len(expected) - len(known)
    assert len(set(expected.values())) == len(expected)
