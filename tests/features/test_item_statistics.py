from pathlib import Path

import numpy as np
import pytest

from shortlist.core.errors import ReleaseError
from shortlist.core.times import DAY, HOUR
from shortlist.features import ItemStatistics, floor_hour
from shortlist.features.items import ITEM_DEFAULTS

NOON = 1_700_000_000_000_000 // DAY * DAY + 12 * HOUR


def statistics(events: list[tuple[int, int]], until: int = NOON, items: int = 3) -> ItemStatistics:
    rows = np.array([row for row, _ in events], np.int32)
    times = np.array([time for _, time in events], np.int64)
    return ItemStatistics.of(rows, times, items, until)


def column(columns: dict[str, np.ndarray], name: str) -> list[float]:
    return [float(value) for value in columns[name]]


def test_windows_end_at_the_start_of_the_hour() -> None:
    found = statistics(
        [(0, NOON - 1), (0, NOON - DAY), (0, NOON - DAY - 1), (1, NOON - 30 * DAY), (1, 5)]
    ).at(NOON + HOUR - 1)
    assert column(found, "item_count_1d") == [2, 0, 0]
    assert column(found, "item_count_7d") == [3, 0, 0]
    assert column(found, "item_count_30d") == [3, 1, 0]
    assert column(found, "item_count") == [3, 2, 0]


def test_events_of_the_running_hour_are_not_counted_yet() -> None:
    known = statistics([(0, NOON + 10)], until=NOON + HOUR // 2)
    assert column(known.at(NOON + HOUR // 2), "item_count") == [0, 0, 0]
    assert column(known.at(NOON + HOUR // 2), "item_age") == [-1, -1, -1]
    assert column(known.at(NOON + HOUR), "item_count") == [1, 0, 0]


def test_an_item_without_events_has_the_defaults() -> None:
    found = statistics([]).at(NOON)
    assert {name: column(found, name)[0] for name in found} == ITEM_DEFAULTS


def test_events_since_the_release_count_once_and_unknown_rows_do_not() -> None:
    known = statistics([(0, NOON - 2 * DAY)])
    rows = np.array([0, 1, -1, 99, 0, 1], np.int32)
    times = np.array([NOON + 5, NOON + 9, NOON, NOON, NOON - 2 * DAY, NOON + 2 * HOUR])
    found = known.at(NOON + HOUR, (rows, times))
    assert column(found, "item_count") == [2, 1, 0]
    assert column(found, "item_count_1d") == [1, 1, 0]
    np.testing.assert_allclose(found["item_age"], [2 + 1 / 24, (HOUR - 9) / DAY, -1], rtol=1e-6)


def test_every_moment_of_an_hour_gives_the_same_columns() -> None:
    known = statistics([(0, NOON - 7), (2, NOON - 9 * DAY)])
    first, last = known.at(NOON), known.at(NOON + HOUR - 1)
    assert floor_hour(NOON + HOUR - 1) == NOON
    assert all(np.array_equal(first[name], last[name]) for name in first)


def test_saved_statistics_answer_alike(tmp_path: Path) -> None:
    known = statistics([(0, NOON - 7), (2, NOON - 9 * DAY)])
    known.save(tmp_path / "features")
    again = ItemStatistics.load(tmp_path / "features")
    for name, values in known.at(NOON + 3 * DAY).items():
        assert np.array_equal(again.at(NOON + 3 * DAY)[name], values)


def test_statistics_of_another_format_say_so(tmp_path: Path) -> None:
    statistics([]).save(tmp_path)
    about = tmp_path / "statistics.json"
    about.write_text(about.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(ReleaseError, match="format 7, this version reads 1"):
        ItemStatistics.load(tmp_path)
