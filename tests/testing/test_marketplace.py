"""The sample world keeps its promises: it is reproducible, consistent, and its truth is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shortlist.core.errors import RequestError
from shortlist.core.times import DAY
from shortlist.testing.marketplace import EXAMINATION, UNTIL, World, generate

SMALL = {"users": 300, "items": 500, "days": 14}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return generate(tmp_path_factory.mktemp("world"), **SMALL)


def columns(path: Path) -> dict[str, list]:
    return pq.read_table(path).to_pydict()


def test_the_same_seed_gives_the_same_files(world: World, tmp_path: Path) -> None:
    again = generate(tmp_path, **SMALL)
    for name in ("events", "items", "users", "truth"):
        file = f"{name}.parquet"
        assert (again.folder / file).read_bytes() == (world.folder / file).read_bytes()


def test_another_seed_gives_another_world(world: World, tmp_path: Path) -> None:
    other = generate(tmp_path, **SMALL, seed=1)
    assert columns(other.items)["title"] != columns(world.items)["title"]


def test_a_world_that_ends_a_week_later_is_the_same_world(world: World, tmp_path: Path) -> None:
    later = generate(tmp_path, **SMALL, until=UNTIL + 7 * DAY)
    assert np.array_equal(later.log.time, world.log.time + 7 * DAY)
    assert np.array_equal(later.log.item, world.log.item)
    assert columns(later.folder / "truth.parquet") == columns(world.folder / "truth.parquet")


def test_nothing_happens_to_a_listing_before_it_is_listed_or_after_it_closed(world: World) -> None:
    log, listings = world.log, world.listings
    assert (log.time >= listings.listed[log.item]).all()
    assert (log.time < log.closed[log.item]).all()


def test_events_lie_in_the_span_of_the_world_and_in_order(world: World) -> None:
    time = world.log.time
    assert (np.diff(time) >= 0).all()
    assert UNTIL - SMALL["days"] * DAY <= time[0]
    assert time[-1] < UNTIL


def test_a_list_shows_different_items_at_positions_counted_from_zero(world: World) -> None:
    shown: dict[str, list[tuple[int, str]]] = {}
    events = columns(world.events)
    for kind, request, position, item in zip(
        events["event"], events["request_id"], events["position"], events["item_id"], strict=True
    ):
        if kind == "impression":
            shown.setdefault(request, []).append((position, item))
    for listed in shown.values():
        assert [position for position, _ in listed] == list(range(len(EXAMINATION)))
        assert len({item for _, item in listed}) == len(listed)


def test_what_a_list_led_to_names_its_impression(world: World) -> None:
    events = columns(world.events)
    rows = list(
        zip(
            events["event"],
            events["request_id"],
            events["position"],
            events["item_id"],
            events["user_id"],
            strict=True,
        )
    )
    impressions = {row[1:] for row in rows if row[0] == "impression"}
    led = [row[1:] for row in rows if row[0] != "impression" and row[1] is not None]
    assert led
    assert set(led) <= impressions


def test_the_top_of_a_list_is_clicked_more_than_its_end(world: World) -> None:
    log = world.log
    clicks = np.bincount(log.position[(log.kind == 1) & (log.position >= 0)], minlength=10)
    assert clicks[:3].sum() > 1.5 * clicks[-3:].sum()
    assert (np.diff(world.examination) < 0).all()


def test_users_act_on_what_they_want(world: World) -> None:
    """A viewed listing has a higher true utility for its user than a shown one has."""
    log, tastes = world.log, world.tastes

    def mean_utility(kind: int) -> float:
        of = np.flatnonzero(log.kind == kind)[:500]
        utility = tastes.utility(log.user[of], world.listings, log.item[of], UNTIL)
        return float(np.diag(utility).mean())

    shown, viewed, liked = (mean_utility(kind) for kind in (0, 1, 2))
    assert shown < viewed < liked


def test_tastes_differ_between_users_and_drift(world: World) -> None:
    items = world.open_items()
    one, other = world.utility("u00000", items), world.utility("u00001", items)
    assert np.corrcoef(one, other)[0, 1] < 0.95
    start = UNTIL - SMALL["days"] * DAY
    assert not np.allclose(one, world.utility("u00000", items, at=start))


def test_the_file_of_truth_says_what_the_world_says(world: World) -> None:
    table = pq.read_table(world.folder / "truth.parquet")
    assert json.loads(table.schema.metadata[b"examination"]) == EXAMINATION.tolist()
    first = table.slice(0, 50).to_pydict()
    user = first["user_id"][0]
    assert set(first["user_id"]) == {user}
    utility = world.utility(user, first["item_id"])
    assert np.allclose(utility, first["utility"], atol=1e-5)
    assert utility[0] == pytest.approx(world.utility(user, world.open_items()).max())


@pytest.mark.parametrize(
    ("language", "script"),
    [("ko", r"[가-힣]"), ("ja", r"[ぁ-んァ-ヶ一-龯]"), ("en", r"^[\x00-\x7f]+$")],
)
def test_listings_are_written_in_their_language(world: World, language: str, script: str) -> None:
    items = columns(world.items)
    texts = [
        description
        for description, of in zip(items["description"], items["language"], strict=True)
        if of == language
    ]
    assert len(texts) > 50
    assert all(re.search(script, text) for text in texts)
    assert not any("{" in text for text in texts)


def test_a_closed_listing_says_when_and_an_open_one_does_not(world: World) -> None:
    items = columns(world.items)
    still = {
        id for id, end in zip(items["item_id"], items["expires_at"], strict=True) if end is None
    }
    assert still == set(world.open_items())
    assert 0 < len(still) < SMALL["items"]


@pytest.mark.parametrize("id", ["u99999", "i00001", "u1", ""])
def test_a_stranger_is_refused(world: World, id: str) -> None:
    with pytest.raises(RequestError, match="this world has no user"):
        world.utility(id, world.open_items())
