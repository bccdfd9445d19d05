"""What the hour and the place of a search say of items."""

import numpy as np

from shortlist.core.times import DAY, HOUR
from shortlist.features import ItemStatistics
from shortlist.online.search.context import taken_now

NOON = 100 * DAY + 12 * HOUR
NOTHING = np.empty(0, np.int32), np.empty(0, np.int64)


def statistics(hours: list[tuple[int, int, int]]) -> ItemStatistics:
    """(item, hour of the day, on how many of the days before day 100)."""
    rows = [item for item, _, days in hours for _ in range(days)]
    times = [(99 - d) * DAY + hour * HOUR for _, hour, days in hours for d in range(days)]
    return ItemStatistics.of(np.array(rows, np.int32), np.array(times), 4, 100 * DAY)


def test_what_is_mostly_taken_at_this_hour_stands_out() -> None:
    known = statistics([(0, 12, 20), (1, 2, 20), (2, 12, 10), (2, 2, 10)])
    lunch = taken_now(known, NOON, *NOTHING)
    night = taken_now(known, NOON + 14 * HOUR, *NOTHING)
    assert lunch[0] > lunch[2] > lunch[1]
    assert night[1] > night[2] > night[0]
    assert lunch[3] == 0  # nobody took it


def test_interactions_since_the_release_count_but_not_those_of_the_hour_itself() -> None:
    known = statistics([(0, 12, 5), (1, 2, 5)])
    rows = np.zeros(8, np.int32)
    at_night = taken_now(known, NOON, rows, np.full(8, NOON - 10 * HOUR))
    assert at_night[0] < taken_now(known, NOON, *NOTHING)[0]
    during = taken_now(known, NOON, rows, np.full(8, NOON + HOUR // 2))
    np.testing.assert_array_equal(during, taken_now(known, NOON, *NOTHING))


def test_few_interactions_say_little() -> None:
    lunch = taken_now(statistics([(0, 12, 1), (1, 12, 20), (2, 2, 25)]), NOON, *NOTHING)
    assert 0 < lunch[0] < lunch[1]
