"""Where the newest part of a log begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.times import DAY, HOUR
from shortlist.offline.data.split import newest_part


def test_a_span_is_counted_back_from_just_after_the_newest_event() -> None:
    times = np.array([0, 3 * DAY, 10 * DAY])
    split = newest_part(times, "7d")
    assert split == 3 * DAY + 1
    assert (times >= split).tolist() == [False, False, True]


def test_auto_takes_whole_days_until_a_tenth_is_in() -> None:
    times = np.arange(100) * DAY
    assert newest_part(times, "auto") == 89 * DAY + 1
    assert np.count_nonzero(times >= newest_part(times, "auto")) == 10


def test_auto_takes_at_most_a_third_of_the_length() -> None:
    early = np.linspace(0, DAY, 99).astype(np.int64)
    times = np.append(early, 30 * DAY)
    assert newest_part(times, "auto") == 20 * DAY + 1


def test_auto_cuts_a_log_of_hours_too() -> None:
    assert newest_part(np.arange(10) * HOUR, "auto") == 6 * HOUR + 1


def test_a_single_instant_has_no_newest_part() -> None:
    assert newest_part(np.array([5, 5, 5]), "auto") == 6


def test_no_events_have_none() -> None:
    with pytest.raises(ValueError, match="without events"):
        newest_part(np.array([], np.int64), "auto")


@given(st.lists(st.integers(0, 400 * DAY), min_size=1, max_size=60))
def test_auto_is_the_shortest_that_will_do(values: list[int]) -> None:
    times = np.array(values)
    length = int(times.max() - times.min())
    end = int(times.max()) + 1
    taken = end - newest_part(times, "auto")
    assert 0 <= taken <= length // 3 or taken == length // 3
    if taken < length // 3:
        assert taken % DAY == 0
        assert np.count_nonzero(times >= end - taken) * 10 >= len(times)
        assert np.count_nonzero(times >= end - taken + DAY) * 10 < len(times)
