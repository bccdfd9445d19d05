"""Exploration: what is drawn, how often, and what is logged of it."""

import json
from collections import Counter

import msgspec
import numpy as np
import pytest
from arranging import arrange_of, candidates_of, falling, query, rows_of

from shortlist.core.event import Event
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.core.times import DAY
from shortlist.offline.data.collect import collect
from shortlist.offline.evaluate.off_policy import Logged, inverse_propensity
from shortlist.online.arrange.explore import chances_of
from shortlist.online.engine import Engine
from shortlist.serve.schema import Answer
from shortlist.testing import shop

ROWS = list(range(0, 60, 3))
EPSILON = "[arrange.exploration]\npositions = [2, 4]\nepsilon = 0.5\namong = 8\n"
SOFTMAX = (
    '[arrange.exploration]\npositions = [2, 4]\nmethod = "softmax"\ntemperature = 0.2\namong = 8\n'
)


def draws(text, times=3_000, k=5):
    arrange, candidates = arrange_of(text), candidates_of(ROWS)
    made = [arrange(query(k, now=1 + t), candidates, falling(len(ROWS))) for t in range(times)]
    return [(rows_of(one, candidates), one.propensities) for one in made]


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_chances_add_up_to_1(n):
    softmax, epsilon = chances_of(falling(n), 0.3, 0.01), chances_of(falling(n), 0.3, 0.0)
    assert softmax.sum() == pytest.approx(1)
    assert epsilon.sum() == pytest.approx(1)
    assert epsilon[0] == pytest.approx(0.7 + 0.3 / n)


@pytest.mark.parametrize("text", [EPSILON, SOFTMAX], ids=["epsilon", "softmax"])
def test_items_come_as_often_as_is_logged(text):
    made = draws(text)
    for place in range(5):
        seen = Counter(rows[place] for rows, _ in made)
        logged = {rows[place]: float(chances[place]) for rows, chances in made}
        if place not in (2, 4):
            assert logged == {ROWS[(0, 1, 9, 2)[place]]: 1.0}  # the draw moves nothing else
            continue
        # dealt like cards: after the three that stand, one for this place, one for the other
        hand = ROWS[3:11][place // 4 :: 2]
        assert set(logged) == set(hand)
        assert sum(logged.values()) == pytest.approx(1, abs=1e-6)
        for row in hand:
            chance = logged[row]
            error = np.sqrt(chance * (1 - chance) / len(made))
            assert abs(seen[row] / len(made) - chance) < 4.5 * error


def test_places_draw_independently():
    made = draws(EPSILON)
    best = [(rows[2] == ROWS[3], rows[4] == ROWS[4]) for rows, _ in made]
    one, other = np.mean(best, axis=0)
    both = np.mean([a and b for a, b in best])
    assert abs(both - one * other) < 0.03


def test_inverse_propensities_tell_what_another_policy_would_earn():
    """Reward is an item's price: uniform draws would earn the mean price of the hand."""
    made = draws(SOFTMAX)
    hand = ROWS[3:11:2]
    logged = Logged(
        reward=np.array([rows[2] for rows, _ in made], np.float64),
        propensity=np.array([chances[2] for _, chances in made], np.float64),
        target=np.full(len(made), 1 / len(hand)),
        user=np.arange(len(made)),
    )
    estimate = inverse_propensity(logged, seed=0)
    assert estimate.low < np.mean(hand) < estimate.high
    assert not estimate.low < logged.reward.mean() < estimate.high


def test_the_same_request_draws_the_same_and_another_user_does_not():
    arrange, candidates = arrange_of(EPSILON.replace("0.5", "1")), candidates_of(ROWS)

    def drawn(user, now):
        arranged = arrange(query(5, user=user, now=now), candidates, falling(len(ROWS)))
        return [rows_of(arranged, candidates)[place] for place in (2, 4)]

    assert [drawn("ann", now) for now in range(1, 30)] == [
        drawn("ann", now) for now in range(1, 30)
    ]
    assert [drawn("ann", now) for now in range(1, 30)] != [
        drawn("ben", now) for now in range(1, 30)
    ]


@pytest.mark.parametrize("request_", [query(5, user=""), query(5, item="fruit-1")])
def test_nothing_is_explored_where_nothing_is_logged(request_):
    arranged = arrange_of(EPSILON)(request_, candidates_of(ROWS), falling(len(ROWS)))
    assert arranged.propensities is None
    assert arranged.chosen.tolist() == [0, 1, 2, 3, 4]


def test_a_pinned_place_is_not_explored():
    pin = '[[arrange.pins]]\nitem = "books-57"\nposition = 2\n'
    for rows, chances in draws(EPSILON + pin, 50):
        assert (rows[2], chances[2]) == (57, 1)


def test_caps_hold_whatever_places_draw():
    text = EPSILON.replace("0.5", "1") + "[arrange]\nmax_per = { category = 2 }\n"
    for rows, _ in draws(text, 300, k=6):
        assert max(Counter(row // 20 for row in rows).values()) <= 2


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    text = "[arrange.exploration]\npositions = [2]\nepsilon = 1.0\namong = 4\n"
    config = shop.config(
        text + '[[arrange.pins]]\nname = "launch"\nitem = "books-50"\nposition = 0\n'
    )
    shop.publish(folder, settings=config)
    engine = Engine.open(config, folder)
    yield engine
    engine.close()


def test_a_batch_equals_its_singles(engine):
    requests = [Request(user=user, k=4, now=DAY + t) for user in ("ana", "ben") for t in range(20)]
    batch = [answer.ids for answer in engine.answer(requests)]
    assert batch == [engine.answer([request])[0].ids for request in requests]
    assert len({ids[2] for ids in batch}) == 4


def test_explanations_show_pins_and_chances(engine):
    answer = engine.recommend("ana", 3, explain=True)
    assert answer.ids[:2] == ["books-50", "fruit-0"]
    assert answer.explain[0]["arranged"]["pin:launch"] == 0
    drawn = answer.explain[2]["arranged"]
    assert drawn["exploration"] == 2
    assert drawn["propensity"] == answer.propensities[2] == 0.25
    items = msgspec.to_builtins(Answer.of(answer))["items"]
    assert [item["propensity"] for item in items] == [1, 1, 0.25]
    strangers = msgspec.to_builtins(Answer.of(engine.recommend("", 3)))["items"]
    assert not any("propensity" in item for item in strangers)


def test_hidden_items_are_never_pinned_in(engine):
    engine.hide(["books-50"])
    assert "books-50" not in engine.recommend("ana", 5).ids
    engine.show(["books-50"])
    assert engine.recommend("ana", 5).ids[0] == "books-50"
    assert "books-50" not in engine.recommend("ana", 5, where="price < 40").ids
    assert "books-50" not in engine.recommend("ana", 5, exclude=["books-50"]).ids


def test_impressions_carry_the_chance_and_are_collected(engine):
    answer = engine.recommend("ana", 4)
    engine.log_impressions("ana", answer)
    engine.post([Event("ana", answer.ids[2], 0, "view", 2, answer.request)])
    engine._inbox.flush()
    lines = [
        json.loads(line)
        for file in (engine.folder / ".shortlist" / "inbox").glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    shown = [line for line in lines if line.get("kind") == "impression"]
    assert [line["item"] for line in shown] == answer.ids
    assert [line["propensity"] for line in shown] == [1, 1, 0.25, 1]
    assert all("propensity" not in line for line in lines if line not in shown)
    (engine.folder / "events.csv").write_text("user_id,item_id,timestamp,event\n")
    assert collect(engine.config, engine.folder, Silent()).taken == len(lines)
