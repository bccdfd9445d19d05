"""Hours and weekdays of instants: UTC, on both sides, before the epoch too."""

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.times import DAY, HOUR
from shortlist.features.clock import part_of, parts_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.one_of(
    st.integers(-30_000 * DAY, 30_000 * DAY),
    st.integers(-9_000, 9_000).map(lambda n: n * HOUR),
    st.integers(-9_000, 9_000).map(lambda n: n * HOUR - 1),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(INSTANTS, min_size=1, max_size=30))
def test_both_sides_tell_the_hour_and_the_weekday_in_utc(instants: list[int]) -> None:
    moments = [EPOCH + timedelta(microseconds=time) for time in instants]
    times = ibis.memtable(pa.table({"line": range(len(instants)), "time": instants})).order_by(
        "line"
    )
    expected = {"hour": [m.hour for m in moments], "weekday": [m.weekday() for m in moments]}
    for part, values in expected.items():
        assert parts_of(part, np.array(instants)).tolist() == values
        told = times.mutate(part=part_of(part, times.time)).to_pyarrow()["part"]
        assert told.to_pylist() == values
