"""What a log with propensities says of a list that was never shown, where the truth is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist.core.errors import DataError
from shortlist.core.progress import Silent
from shortlist.core.request import Candidates, Request, Shortlist, Weighed
from shortlist.offline.off_policy import off_policy
from shortlist.offline.ranking.logged import Impressions
from shortlist.offline.ranking.propensity import Clicks, click_model

ITEMS, USERS, SHOWN, HAND = 40, 200, 5, 8
EXAMINED = np.array([1.0, 0.8, 0.6, 0.5, 0.4])
ATTRACTIVE = np.random.default_rng(1).permutation(np.linspace(0.05, 0.6, ITEMS))
"""What was shown at the first three places always, and what was drawn at the last two."""
FIXED = np.array([0, 1, 2])
HANDS = np.arange(3, 3 + 2 * HAND).reshape(2, HAND)


class Always:
    """A pipeline that shows everybody the same list."""

    def __init__(self, items: NDArray[np.int64]) -> None:
        self.items = items.astype(np.int32)

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        """The list."""
        none = np.empty((0, len(self.items)), np.float32)
        return [Candidates(self.items, none, none, ()) for _ in requests]

    def fused(self, requests: Sequence[Request]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """The list, best first."""
        scores = -np.arange(len(self.items), dtype=np.float32)
        return [(found, scores) for found in self.retrieve(requests)]

    def weigh(self, requests: Sequence[Request]) -> list[Weighed]:
        """There is no evidence."""
        none = np.empty((0, len(self.items)), np.float32)
        return [Weighed(found, (), none) for found in self.retrieve(requests)]

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        """As long as is asked for."""
        return [
            Shortlist([], np.empty(0, np.float32), self.items[: request.k], "r", "q")
            for request in requests
        ]


def logged(requests: int, seed: int, drawn: bool = True) -> Impressions:
    """Lists of five, with propensities of the last two places; half of the users have variant b."""
    rng = np.random.default_rng(seed)
    place = np.arange(SHOWN)
    items = np.tile(np.append(FIXED, [0, 0]), (requests, 1))
    chance = np.ones((requests, SHOWN))
    favourite = np.full(HAND, 0.4 / (HAND - 1))
    favourite[0] = 0.6
    for number, hand in enumerate(HANDS):
        at = rng.choice(HAND, requests, p=favourite)
        items[:, 3 + number], chance[:, 3 + number] = hand[at], favourite[at]
    clicked = rng.random(items.shape) < EXAMINED[place] * ATTRACTIVE[items]
    user = rng.integers(0, USERS, requests)
    return Impressions(
        user=user.astype(np.int32),
        time=np.arange(1, requests + 1, dtype=np.int64),
        offsets=np.arange(requests + 1) * SHOWN,
        item=items.ravel().astype(np.int32),
        position=np.tile(place, requests).astype(np.int32),
        clicked=clicked.ravel(),
        propensity=(chance.ravel() if drawn else np.full(chance.size, np.nan)).astype(np.float32),
        variants=[{"list": "b" if one % 2 else "a"} for one in user.tolist()],
    )


NAMES = [f"user {n}" for n in range(USERS)]
TRUE_CLICKS = Clicks(EXAMINED, ATTRACTIVE, float(ATTRACTIVE.mean()))


def truth(items: NDArray[np.int64]) -> float:
    return float(EXAMINED[: len(items)] @ ATTRACTIVE[items])


def test_a_list_that_was_never_shown_is_valued_within_the_interval() -> None:
    every = np.concatenate([FIXED, HANDS.ravel()])
    best = every[np.argsort(-ATTRACTIVE[every])][:SHOWN]
    told = off_policy(Always(best), logged(6_000, 0), TRUE_CLICKS, NAMES, 0, Silent())
    value = told.policies["release"]
    assert told.logged.value < truth(best) - 0.2
    for estimate in (value.inverse_propensity, value.self_normalised, value.doubly_robust):
        assert estimate.low < truth(best) < estimate.high
    assert value.covered == pytest.approx(1, abs=0.1)
    assert value.effective < 6_000 * SHOWN
    assert told.requests == 6_000 and told.drawn == 12_000


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    items = np.array([2, HANDS[0, 3], 0, HANDS[1, 5], HANDS[0, 0]])
    held = 0
    for seed in range(20):
        told = off_policy(Always(items), logged(1_500, seed), TRUE_CLICKS, NAMES, seed, Silent())
        estimate = told.policies["release"].inverse_propensity
        held += estimate.low < truth(items) < estimate.high
    assert held >= 17


def test_what_could_not_have_been_shown_is_not_covered() -> None:
    items = np.array([30, 0, 31, 1, 32])  # three that the log knows nothing of
    told = off_policy(Always(items), logged(2_000, 1), TRUE_CLICKS, NAMES, 0, Silent())
    value = told.policies["release"]
    assert value.covered == pytest.approx((0.8 + 0.5) / EXAMINED.sum(), abs=0.02)
    known = EXAMINED[[1, 3]] @ ATTRACTIVE[[0, 1]]
    assert value.inverse_propensity.value == pytest.approx(known, abs=0.05)
    assert value.doubly_robust.low < truth(items) < value.doubly_robust.high


def test_the_click_model_is_learned_from_an_older_log() -> None:
    old = logged(20_000, 5)
    clicks = click_model(old.item, old.position, old.clicked)
    items = np.array([HANDS[0, 2], HANDS[0, 0], 1, 2, 0])
    told = off_policy(Always(items), logged(6_000, 6), clicks, NAMES, 0, Silent())
    robust = told.policies["release"].doubly_robust
    assert abs(robust.value - truth(items)) < 0.35 * truth(items)


def test_variants_are_compared_by_what_really_happened() -> None:
    log = logged(4_000, 2)
    told = off_policy(Always(FIXED), log, TRUE_CLICKS, NAMES, 0, Silent())
    assert list(told.variants) == ["list"]
    shares = {name: estimate.value for name, estimate in told.variants["list"].items()}
    assert set(shares) == {"a", "b"}
    odd = log.user % 2 == 1
    clicks = log.clicked.reshape(-1, SHOWN).sum(axis=1)
    assert shares["b"] == pytest.approx(clicks[odd].mean())
    assert told.to_dict()["variants"]["list"]["a"]["value"] == pytest.approx(clicks[~odd].mean())


def test_a_log_without_propensities_is_refused() -> None:
    with pytest.raises(DataError, match="0 logged requests of the holdout") as caught:
        off_policy(Always(FIXED), logged(100, 0, drawn=False), TRUE_CLICKS, NAMES, 0, Silent())
    assert "arrange.exploration" in caught.value.remedy
