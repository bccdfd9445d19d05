"""Contexts of events: collected from sources and servers, prepared, checked."""

from typing import Any

import pyarrow as pa
import pytest

from shortlist.config.schema import FeatureSection
from shortlist.core.context import LONGEST
from shortlist.core.errors import DataError
from shortlist.core.times import SECOND
from shortlist.offline.data import check as checking
from shortlist.offline.data import prepare as preparing
from shortlist.offline.ranking.logged import clicked_impressions

ROWS = [
    ("u", "a", 1, "buy", "ios", "home"),
    ("u", "b", 2, "buy", "web", ""),
    ("v", "b", 3, "impression", "tv", "home"),
    ("v", "b", 4, "buy", "", "search"),
    ("v", "b", 5, "scroll", "ios", "café"),
]
HEADER = "user,item,time,kind,device,the page"


@pytest.fixture
def log(world: Any) -> Any:
    world.set_events(kind="kind", weights={"buy": 5, "scroll": 0}, context=["device", "the page"])
    world.features = {"a": FeatureSection(value="count", kinds=["scroll"])}
    world.csv("events.csv", ROWS, HEADER)
    return world


def test_every_event_keeps_the_context_that_it_has(log: Any) -> None:
    log.collect()
    data = log.prepare().training()
    assert data.context.terms == {
        "device": ["ios", "tv", "web"],
        "the page": ["café", "home", "search"],
    }
    told = [data.context.at(line) for line in range(len(data))]
    assert told == [
        {"device": "ios", "the page": "home"},
        {"device": "web"},
        {"the page": "search"},
    ]
    assert data.before(2 * SECOND).context.at(0) == told[0]
    assert data.others.context.at(0) == {"device": "ios", "the page": "café"}
    assert len(data.others.before(5 * SECOND).context.codes("device")) == 0


def test_a_request_that_was_shown_has_the_context_of_its_impressions(log: Any) -> None:
    rows = [
        ("v", "a", 3, "impression", "", "home"),
        ("u", "a", 1, "impression", "web", ""),
        ("u", "b", 2, "impression", "", ""),
    ]
    log.csv("events.csv", [*ROWS, *rows], HEADER)
    log.collect()
    prepared = log.prepare()
    shown = clicked_impressions(prepared.impressions_path, prepared.training(), 0)
    ids = prepared.user_ids()
    asked = [shown.request(g, ids) for g in range(len(shown.time))]
    assert [(one.user, one.now, one.context) for one in asked] == [
        ("u", SECOND, {"device": "web"}),
        ("u", 2 * SECOND, {}),
        ("v", 3 * SECOND, {"device": "tv", "the page": "home"}),
    ]


def test_what_servers_took_in_has_its_contexts_in_one_object(log: Any) -> None:
    event = {"user": "w", "item": "a", "kind": "buy"}
    log.inbox(
        "1-1",
        {**event, "time": 8_000_000},
        {**event, "time": 9_000_000, "context": {"device": "ps 5"}},
        {**event, "time": 9_500_000, "context": {"the page": 'a "b" é', "older": "x"}},
    )
    log.collect()
    data = log.prepare().training()
    told = [data.context.at(line) for line in range(len(data))][-3:]
    assert told == [{}, {"device": "ps 5"}, {"the page": 'a "b" é'}]


def test_numbers_and_truths_are_keywords_and_lists_are_none(log: Any) -> None:
    columns = {name: [row[n] for row in ROWS] for n, name in enumerate(HEADER.split(",")[:4])}
    columns |= {"device": [1, 2, None, 1, 3], "the page": [True, None, False, True, True]}
    log.set_events(path="events.parquet")
    log.parquet("events.parquet", **columns)
    log.collect()
    terms = log.prepare().training().context.terms
    assert terms == {"device": ["1", "2", "3"], "the page": ["false", "true"]}
    columns["device"] = pa.array([["ios"]] * 5)
    log.parquet("events.parquet", **columns)
    with pytest.raises(DataError, match=r"'device' has the type array<.*holds no keywords"):
        log.collect()
    (finding,) = log.check().findings
    assert (finding.severity, finding.key) == ("error", "data.events.path")
    assert "'device' has the type" in finding.remedy


def test_a_value_longer_than_a_keyword_is_none(log: Any) -> None:
    rows = [("u", "a", 1, "buy", "x" * LONGEST, ""), ("u", "b", 2, "buy", "y" * (LONGEST + 1), "")]
    log.csv("events.csv", rows, HEADER)
    log.collect()
    context = log.prepare().training().context
    assert [len(context.at(line)) for line in (0, 1)] == [1, 0]


def test_a_column_that_is_not_there_is_said(log: Any) -> None:
    log.set_events(context=["devise"])
    with pytest.raises(DataError, match=r"no column 'devise'.*under `context`.*mean 'device'"):
        log.collect()
    (finding,) = log.check().findings
    assert "no column 'devise'" in finding.remedy


def test_another_context_needs_the_log_once_more(log: Any) -> None:
    log.collect()
    log.set_events(context=["device"])
    with pytest.raises(DataError, match=r"config now has ''.*Remove .shortlist/lake") as error:
        log.collect()
    assert error.value.where == "data.events.context"


def test_of_too_many_values_the_commonest_stay(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert log.check().findings == []
    for module in (preparing, checking):
        monkeypatch.setattr(module, "MOST_VALUES", 2)
    log.collect()
    context = log.prepare().training().context
    assert context.terms == {"device": ["ios", "tv"], "the page": ["café", "home"]}
    assert context.at(1) == {}  # it was "web"
    found = {(f.severity, f.key) for f in log.check().findings}
    assert found == {("warning", "data.events.context")}


def test_a_context_without_any_value_is_warned_of(log: Any) -> None:
    log.csv("events.csv", [(*row[:4], "", row[5]) for row in ROWS], HEADER)
    (finding,) = log.check().findings
    assert (finding.severity, finding.examples) == ("warning", ["device"])
