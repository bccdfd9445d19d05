"""What happens: sessions of requests, the lists a logging policy showed, and what users did.

Clicks follow the examination model (Richardson et al., "Predicting Clicks", WWW 2007): an item is
clicked if its position is examined, which depends on the position alone, and if it is attractive,
which depends on its utility alone. A quarter of the requests are browsing: no list was shown, the
user went straight to an item. What sells is gone for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.core.times import DAY, HOUR, MINUTE, SECOND
from shortlist.testing.marketplace.listings import Listings
from shortlist.testing.marketplace.tastes import Tastes

KINDS = ("impression", "view", "like", "chat", "purchase")
IMPRESSION, VIEW, LIKE, CHAT, PURCHASE = range(5)
SHOWN = 10
"""Length of a shown list."""
EXAMINATION = (1 / np.sqrt(1 + np.arange(SHOWN))).astype(np.float64)
"""The probability that a user looks at each position, `float64[SHOWN]`."""
OPEN = int(np.iinfo(np.int64).max)
"""When a listing closes that has not closed."""

_SLOT = 6 * HOUR
_BROWSING = 0.25
_SHARE_OF_HOUR = np.array(
    [2, 1, 1, 1, 1, 1, 2, 4, 6, 6, 6, 7, 9, 7, 6, 6, 6, 7, 9, 11, 13, 14, 11, 6]
)


@dataclass(frozen=True)
class Log:
    """The events as columns, in order of time.

    Attributes:
        user, item: `int64[n]` rows.
        time: `int64[n]`, microseconds.
        kind: `int8[n]`, into `KINDS`.
        position: `int64[n]`, counted from 0; -1 for what no list led to.
        request: `int64[n]`, -1 for what no list led to.
        closed: `int64[listings]`, when a listing was sold or ended; `OPEN` if it never did.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.int64]
    kind: NDArray[np.int8]
    position: NDArray[np.int64]
    request: NDArray[np.int64]
    closed: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class _Requests:
    """Requests in order of time; `intent` is the category that the session is after."""

    user: NDArray[np.int64]
    time: NDArray[np.int64]
    intent: NDArray[np.int64]
    browsing: NDArray[np.bool_]


@dataclass(frozen=True)
class _Scene:
    """What stands still while the world lasts."""

    tastes: Tastes
    listings: Listings
    requests: _Requests


class _Events(NamedTuple):
    """Some events, as in `Log`."""

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.int64]
    kind: NDArray[np.int64]
    position: NDArray[np.int64]
    request: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[_Events]) -> _Events:
        """The parts one after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def simulate(
    rng: np.random.Generator,
    tastes: Tastes,
    listings: Listings,
    sessions: int,
    progress: Progress,
) -> Log:
    """Play the world from start to end in slots of six hours.

    Within a slot the live listings and the popularity that the policy knows stand still. What is
    bought or ends in a slot is not shown after it, and closes an hour later, when the last of what
    its lists led to has happened.
    """
    requests = _make_requests(rng, tastes, sessions)
    scene = _Scene(tastes, listings, requests)
    ends = listings.listed + listings.lifetime
    closed = np.full(len(listings), OPEN)
    views = np.zeros(len(listings))
    slots = range(tastes.start, tastes.until, _SLOT)
    progress.step("living in the marketplace", len(slots))
    parts: list[_Events] = []
    for slot in slots:
        stop = min(slot + _SLOT, tastes.until)
        ended = (closed == OPEN) & (ends <= slot)
        closed[ended] = slot + HOUR
        live = np.flatnonzero((listings.listed <= slot) & (closed == OPEN))
        first, last = np.searchsorted(requests.time, [slot, stop])
        if last > first and len(live):
            events = _slot(rng, scene, np.arange(first, last), live, views)
            parts.append(events)
            closed[events.item[events.kind == PURCHASE]] = stop + HOUR
            views *= 0.5 ** (_SLOT / (3 * DAY))
            views += np.bincount(events.item[events.kind == VIEW], minlength=len(views))
        progress.advance(1)
    events = _Events.joined(parts)
    keep = np.flatnonzero(events.time < tastes.until)
    keep = keep[np.lexsort((events.position[keep], events.kind[keep], events.time[keep]))]
    return Log(
        user=events.user[keep],
        item=events.item[keep],
        time=events.time[keep],
        kind=events.kind[keep].astype(np.int8),
        position=events.position[keep],
        request=events.request[keep],
        closed=np.where(closed >= tastes.until, OPEN, closed),
    )


def _make_requests(rng: np.random.Generator, tastes: Tastes, sessions: int) -> _Requests:
    user = rng.choice(len(tastes), sessions, p=tastes.activity)
    days = (tastes.until - tastes.start) // DAY
    hour = rng.choice(24, sessions, p=_SHARE_OF_HOUR / _SHARE_OF_HOUR.sum())
    begin = tastes.start + rng.integers(0, days, sessions) * DAY + hour * HOUR
    begin += rng.integers(0, HOUR, sessions)
    liking = tastes.taste_at(user, tastes.until) @ tastes.themes.T
    intent = (2.0 * liking + _gumbel(rng, liking)).argmax(axis=1)
    length = 1 + rng.poisson(1.2, sessions)
    of = np.repeat(np.arange(sessions), length)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    time = begin[of] + nth * 2 * MINUTE + rng.integers(0, MINUTE, len(of))
    order = np.argsort(time, kind="stable")
    return _Requests(
        user[of][order], time[order], intent[of][order], rng.random(len(of)) < _BROWSING
    )


def _slot(
    rng: np.random.Generator,
    scene: _Scene,
    numbers: NDArray[np.int64],
    live: NDArray[np.int64],
    views: NDArray[np.float64],
) -> _Events:
    """The events of the requests with these numbers."""
    requests, tastes = scene.requests, scene.tastes
    user, time = requests.user[numbers], requests.time[numbers]
    intent = tastes.themes[requests.intent[numbers]] * np.float32(2.2)
    utility = tastes.utility(user, scene.listings, live, int(time[0]), intent)
    browsing = requests.browsing[numbers]

    # The policy sees the utility through noise and adds what has been popular lately.
    popular = np.log1p(views[live]).astype(np.float32)
    lists = _top(0.6 * utility + 0.6 * popular + _gumbel(rng, utility), SHOWN)
    at, position = np.nonzero(~browsing[:, None] & np.ones(lists.shape[1], np.bool_))
    column = lists[at, position]
    impressions = _Events(
        user=user[at],
        item=live[column],
        time=time[at],
        kind=np.full(len(at), IMPRESSION),
        position=position,
        request=numbers[at],
    )
    looked = rng.random(len(at)) < EXAMINATION[position]
    clicked = looked & (rng.random(len(at)) < attraction(utility[at, column]))
    clicks = _Events(*(values[clicked] for values in impressions))
    clicks = clicks._replace(time=clicks.time + (5 + 9 * clicks.position) * SECOND)

    wanted = utility[browsing]
    found = _top(1.5 * wanted + _gumbel(rng, wanted), 2)
    at_found = np.repeat(np.flatnonzero(browsing), found.shape[1])
    dwell = np.tile(np.array([10, 60]) * SECOND, len(found))
    finds = _Events(
        user=user[at_found],
        item=live[found.ravel()],
        time=time[at_found] + dwell[: len(at_found)],
        kind=np.full(len(at_found), VIEW),
        position=np.full(len(at_found), -1),
        request=np.full(len(at_found), -1),
    )
    views_now = _Events.joined([clicks._replace(kind=np.full(len(clicks.user), VIEW)), finds])
    of_views = np.concatenate(
        [utility[at[clicked], column[clicked]], utility[at_found, found.ravel()]]
    )
    return _Events.joined([impressions, views_now, *_deeper(rng, views_now, of_views)])


def _deeper(
    rng: np.random.Generator, views: _Events, utility: NDArray[np.float32]
) -> list[_Events]:
    """Likes and chats that follow from views, and purchases that follow from chats."""
    appetite = attraction(utility)
    likes = rng.random(len(utility)) < 0.45 * appetite
    chats = rng.random(len(utility)) < 0.3 * appetite
    purchases = chats & (rng.random(len(utility)) < 0.3)
    out = []
    for kind, happened, seconds in (
        (LIKE, likes, 15),
        (CHAT, chats, 40),
        (PURCHASE, purchases, 1500),
    ):
        events = _Events(*(values[happened] for values in views))
        later = rng.integers(seconds // 2, 2 * seconds, len(events.time)) * SECOND
        out.append(events._replace(time=events.time + later, kind=np.full(len(events.time), kind)))
    return out


def attraction(utility: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probability that an item of this utility is clicked once it is looked at."""
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-1.3 * (utility.astype("f8") - 3.7)))
    return probability


def _gumbel(rng: np.random.Generator, like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gumbel noise of a shape: the largest of scores plus noise is a draw from their softmax."""
    return -np.log(np.maximum(rng.standard_exponential(like.shape, np.float32), 1e-30))


def _top(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The columns of the k (or all) largest scores of every line, best first."""
    k = min(k, scores.shape[1])
    some = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
