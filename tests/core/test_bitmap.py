"""Rows of a bitmap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.bitmap import held, pack


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.data())
def test_held_says_of_any_rows_whether_they_are_set(flags: list[bool], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(flags) - 1)))
    found = held(pack(np.array(flags, np.bool_)), np.array(rows, np.int32))
    assert found.tolist() == [flags[row] for row in rows]
