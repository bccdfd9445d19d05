"""Contexts of events as columns, and as text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.context import Contexts, read, value_code, written

NAMES = ("device", "the page")
LINE = st.fixed_dictionaries({}, optional={name: st.text(min_size=1, max_size=2) for name in NAMES})


def columns(lines: list[dict[str, str]]) -> Contexts:
    terms = {name: sorted({one[name] for one in lines if name in one}) for name in NAMES}
    places = {
        name: np.array([of.index(one[name]) if name in one else -1 for one in lines], np.int32)
        for name, of in terms.items()
    }
    return Contexts(terms, places)


@given(st.lists(LINE, max_size=8))
def test_columns_hold_the_context_of_every_event(lines: list[dict[str, str]]) -> None:
    contexts = columns(lines)
    assert [contexts.at(n) for n in range(len(lines))] == lines
    for name in NAMES:
        assert contexts.codes(name).tolist() == [value_code(one.get(name, "")) for one in lines]
    place, texts = contexts.distinct(len(lines))
    assert [read(texts[n]) if n >= 0 else {} for n in place.tolist()] == lines
    assert len(set(texts)) == len(texts)
    assert all(texts)


def test_equal_contexts_are_one_text_and_an_empty_value_is_none() -> None:
    assert written({"b": "2", "a": "1", "c": ""}) == written({"a": "1", "b": "2"})
    assert written({"a": ""}) == written({}) == written(None) == ""
    assert value_code("") == -1
    assert 0 <= value_code("ios") < 1 << 32
