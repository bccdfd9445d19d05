import msgspec
import numpy as np
import pytest

from shortlist.core.errors import RequestError
from shortlist.core.request import Shortlist
from shortlist.core.times import HOUR, now
from shortlist.serve.schema import MOST_EVENTS, Answer, EventBody, events_of


def posted(time: object) -> EventBody:
    return msgspec.convert({"user": "ann", "item": "a", "time": time}, EventBody)


@pytest.mark.parametrize(
    "time",
    ["2024-05-01T12:00:00Z", "2024-05-01T21:00:00+09:00", "2024-05-01T12:00:00", 1714564800000000],
)
def test_a_time_is_text_with_or_without_an_offset_or_microseconds(time: object) -> None:
    body = msgspec.json.decode(
        msgspec.json.encode({"user": "ann", "item": "a", "time": time}), type=EventBody
    )
    assert events_of(body)[0].time == 1714564800000000


def test_an_event_without_a_time_happened_now() -> None:
    before = now()
    (event,) = events_of(EventBody(user="ann", item="a"))
    assert before <= event.time <= now()


def test_a_clock_that_runs_ahead_is_set_back() -> None:
    (event,) = events_of(posted(now() + HOUR))
    assert event.time <= now()


@pytest.mark.parametrize("time", [1_714_564_800, 1_714_564_800_000, 0, -5, 2**62])
def test_a_time_in_other_units_or_in_the_future_is_refused(time: int) -> None:
    with pytest.raises(RequestError, match="microseconds") as caught:
        events_of(posted(time))
    assert caught.value.where == "time"


def test_too_many_events_are_refused() -> None:
    with pytest.raises(RequestError, match="10,001 events are too many"):
        events_of([EventBody(user="ann", item="a")] * (MOST_EVENTS + 1))


def test_an_answer_is_its_items_and_scores_in_order() -> None:
    shortlist = Shortlist(
        ["b\"'🛒", "a"], np.array([0.5, -1.25], np.float32), np.array([1, 0], np.int32), "r", "q"
    )
    assert msgspec.json.decode(msgspec.json.encode(Answer.of(shortlist))) == {
        "request": "q",
        "release": "r",
        "items": [{"id": "b\"'🛒", "score": 0.5}, {"id": "a", "score": -1.25}],
    }


def test_an_event_is_posted_with_what_it_happened_in() -> None:
    sent = b'{"user": "u", "item": "a", "context": {"device": "ios"}}'
    (event,) = events_of(msgspec.json.decode(sent, type=EventBody))
    assert event.context == {"device": "ios"}
    with pytest.raises(msgspec.ValidationError, match="context"):
        msgspec.json.decode(b'{"user": "u", "item": "a", "context": {"a": 1}}', type=EventBody)


def test_an_impression_is_posted_with_what_the_answer_said_of_it() -> None:
    sent = b'{"user": "u", "item": "a", "propensity": 0.25, "variants": {"list": "new"}}'
    (event,) = events_of(msgspec.json.decode(sent, type=EventBody))
    assert (event.propensity, event.variants) == (0.25, {"list": "new"})
    with pytest.raises(msgspec.ValidationError, match="propensity"):
        msgspec.json.decode(b'{"user": "u", "item": "a", "propensity": 0}', type=EventBody)
