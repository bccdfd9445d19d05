from pathlib import Path

import numpy as np
import pytest

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.features import FeatureSet, default_features
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking import logged
from shortlist.offline.ranking.rows import Rows, training_rows
from shortlist.testing.ranking import (
    END,
    ITEMS,
    USERS,
    WINDOW,
    Everything,
    Line,
    tasteful_log,
    user_ids,
    write_impressions,
)

FEATURES = default_features(
    "kind", "price", {"kind": "keyword", "price": "number"}, Everything.sources
)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return tasteful_log()


def rows_of(
    data: TrainingData, impressions: Path, *, requests: int = 150, features: FeatureSet = FEATURES
) -> tuple[Rows, Everything]:
    pipeline = Everything(data)
    config = RankerSection(requests=requests)
    rows = training_rows(
        pipeline, data, impressions, WINDOW, config, features, user_ids(), 7, Silent()
    )
    return rows, pipeline


@pytest.fixture(scope="module")
def nothing_shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_impressions(tmp_path_factory.mktemp("none") / "impressions.parquet", [])


@pytest.fixture(scope="module")
def replayed(data: TrainingData, nothing_shown: Path) -> Rows:
    return rows_of(data, nothing_shown)[0]


def test_without_impressions_events_of_the_window_are_replayed(
    data: TrainingData, nothing_shown: Path
) -> None:
    rows, pipeline = rows_of(data, nothing_shown)
    assert rows.origin == "replay"
    assert rows.requests == 150
    assert rows.x.shape == (len(FEATURES), len(rows))
    assert np.isfinite(rows.x).all()
    assert (np.diff(rows.time) >= 0).all()
    assert rows.time[0] >= WINDOW and rows.time[-1] < END
    known = set(zip(data.user.tolist(), data.time.tolist(), strict=True))
    assert all((int(ask.user.split()[1]), ask.now) in known for ask in pipeline.asked)


def test_a_replayed_request_has_positives_and_at_most_a_hundred_negatives(replayed: Rows) -> None:
    for start, stop in zip(replayed.offsets[:-1], replayed.offsets[1:], strict=True):
        label = replayed.label[start:stop]
        assert 0 < label.sum() < len(label)
        assert (label == 0).sum() <= 100
    assert (replayed.weight == 1).all()
    assert (replayed.position == -1).all()


def test_labels_are_what_the_user_met_from_the_request_on(
    data: TrainingData, replayed: Rows
) -> None:
    item = (-replayed.x[FEATURES.names.index("score:row")]).astype(int)
    start, stop = replayed.offsets[0], replayed.offsets[1]
    users = np.unique(data.user[data.time == replayed.time[0]])
    later = [set(data.item[(data.user == u) & (data.time >= replayed.time[0])]) for u in users]
    assert set(item[start:stop][replayed.label[start:stop] == 1]) in later


def test_the_same_seed_gives_the_same_rows(
    data: TrainingData, replayed: Rows, nothing_shown: Path
) -> None:
    again, _ = rows_of(data, nothing_shown)
    assert np.array_equal(again.x, replayed.x)
    assert np.array_equal(again.label, replayed.label)


def test_a_window_without_events_gives_no_rows(data: TrainingData, nothing_shown: Path) -> None:
    early = data.before(WINDOW)
    rows, _ = rows_of(early, nothing_shown)
    assert len(rows) == rows.requests == 0
    assert rows.x.shape == (len(FEATURES), 0)


def shown_pages(data: TrainingData, seed: int) -> list[Line]:
    """Ten items a page before each event; the clicked item stands anywhere on it."""
    rng = np.random.default_rng(seed)
    lines: list[Line] = []
    for n in np.flatnonzero(data.time >= WINDOW):
        page = rng.permutation(np.setdiff1d(np.arange(ITEMS), data.item[n]))[:9].tolist()
        page.insert(int(rng.integers(0, 10)), int(data.item[n]))
        when = int(data.time[n]) - 1
        user = int(data.user[n])
        lines += [(user, item, when, place, f"r{n}") for place, item in enumerate(page)]
    return [line for line in lines if line[2] >= WINDOW]


def test_with_enough_clicked_pages_those_are_the_requests(
    data: TrainingData, tmp_path: Path
) -> None:
    lines = shown_pages(data, 1)
    path = write_impressions(tmp_path / "impressions.parquet", lines)
    rows, pipeline = rows_of(data, path, requests=200)
    assert rows.origin == "impressions"
    assert rows.requests == 200
    pages = {(user, when) for user, _, when, _, _ in lines}
    assert {(int(ask.user.split()[1]), ask.now) for ask in pipeline.asked} <= pages
    for start, stop in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
        position = rows.position[start:stop]
        assert sorted(position[position >= 0]) == list(range(10))
        assert (position == -1).sum() == RankerSection().unshown
        assert rows.label[start:stop].sum() >= 1
        assert not rows.label[start:stop][position == -1].any()


def test_a_click_is_an_interaction_within_a_day_of_being_shown_last(
    data: TrainingData, tmp_path: Path
) -> None:
    n = int(np.flatnonzero(data.time >= WINDOW + 2 * DAY)[0])
    user, item, time = int(data.user[n]), int(data.item[n]), int(data.time[n])
    alone = data.before(END)
    only = (alone.user == user) & (alone.item == item) & (alone.time == time)

    def clicked(*lines: Line) -> list[tuple[int, bool]]:
        path = write_impressions(tmp_path / "impressions.parquet", lines)
        shown = logged.clicked_impressions(path, alone._where(only), WINDOW)
        assert len(shown.time) == shown.offsets[-1]
        return list(zip(shown.position.tolist(), shown.clicked.tolist(), strict=True))

    assert clicked((user, item, time, 0, "same instant")) == [(0, True)]
    assert clicked((user, item, time - DAY + 1, 1, "nearly a day before")) == [(1, True)]
    assert clicked((user, item, time - DAY, 1, "a day before")) == [(1, False)]
    assert clicked(((user + 1) % USERS, item, time - 1, 2, "somebody else")) == [(2, False)]
    assert clicked((user, item, WINDOW - 1, 0, "before the window")) == []
    # lines without a request belong to what was shown at that instant
    assert clicked((user, item, time - 3, None, None), (user, item, time - 3, None, "")) == [
        (-1, True)
    ]
    assert clicked(
        (user, item, time - 9, 3, "earlier"),
        (user, item, time - 5, 4, "last"),
        (user, item, time + 5, 5, "later"),
    ) == [(3, False), (4, True), (5, False)]
