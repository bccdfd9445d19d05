from itertools import pairwise

import numpy as np

from shortlist.config.schema import NeighboursRetriever
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import SessionIndex
from shortlist.testing.retrieval import ring, training_data


def fit(data: TrainingData, **settings: object) -> SessionIndex:
    config = NeighboursRetriever(**settings)  # type: ignore[arg-type]
    index = fit_retriever(config, data, 0, Silent())["sessions"]
    assert isinstance(index, SessionIndex)
    return index


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def noted(data: TrainingData, **settings: object) -> tuple[SessionIndex, str]:
    """The index, and what was said about it."""
    notes = Notes()
    config = NeighboursRetriever(**settings)  # type: ignore[arg-type]
    index = fit_retriever(config, data, 0, notes)["sessions"]
    assert isinstance(index, SessionIndex)
    return index, "\n".join(notes.notes)


def pairs_that_tell() -> TrainingData:
    """What comes next is told by the two items before it together, by neither of them alone.

    Users go through many such triples, so that their histories share items with all others.
    """
    random = np.random.default_rng(3)
    events = []
    for user in range(120):
        for n in range(8):
            one, two = random.integers(6, size=2)
            triple = (one, 6 + two, 12 + 6 * one + two)
            events += [(user, int(item), DAY + (3 * n + k) * HOUR) for k, item in enumerate(triple)]
    return training_data(events, 48)


def sessions(index: SessionIndex) -> list[list[int]]:
    cuts = index.session_offsets
    return [index.session_items[a:b].tolist() for a, b in pairwise(cuts)]


def test_sessions_are_in_order_of_their_end_and_of_an_item_the_newest_come_first() -> None:
    days = {0: 3, 1: 1, 2: 2}
    events = [
        (user, item, days[user] * DAY + n * MINUTE)
        for user in range(3)
        for n, item in enumerate((0, user + 1, 0))
    ]
    index = fit(training_data(events, 5), recent=2)
    assert sessions(index) == [[0, 2, 0], [0, 3, 0], [0, 1, 0]]
    assert index.item_sessions[: index.item_offsets[1]].tolist() == [2, 1]
    assert index.item_positions[: index.item_offsets[1]].tolist() == [2, 2]  # where it is last


def test_whole_histories_stand_in_where_sessions_hold_single_events() -> None:
    alone = [(user, item, DAY + item * HOUR) for user in range(2) for item in range(3)]
    assert sessions(fit(training_data(alone, 3))) == [[0, 1, 2], [0, 1, 2]]
    paired = [(0, 2 * n + k, DAY + n * HOUR + k * MINUTE) for n in range(2) for k in range(2)]
    assert sessions(fit(training_data(paired, 4))) == [[0, 1], [2, 3]]


def test_rare_items_match_more() -> None:
    events = [(user, user % 2 * user, DAY + n) for user in range(6) for n in range(2)]
    rarity = fit(training_data(events, 7), rarity=0.5).rarity
    assert rarity[0] < rarity[1]
    np.testing.assert_allclose(rarity[:2], [6**-0.5, 2**-0.5], rtol=1e-6)


def test_scoring_is_chosen_by_what_finds_the_last_items() -> None:
    index, said = noted(pairs_that_tell())
    assert index.scoring == "context"
    assert index.agreement > 1
    assert "neighbours: chose scoring context, agreement" in said
    assert "newest 0." in said
    near, said = noted(ring(users=400))
    assert (near.scoring, near.agreement) == ("newest", 1.0)
    assert "neighbours: chose scoring newest on the last items of" in said


def test_what_is_given_is_not_chosen() -> None:
    data = pairs_that_tell()
    for scoring, agreement in (("newest", "auto"), ("newest", 2.0), ("context", 1.5)):
        index, said = noted(data, scoring=scoring, agreement=agreement, within="history")
        assert index.scoring == scoring
        assert index.agreement == (1.5 if scoring == "context" else 1.0)
        assert "chose" not in said
    index, said = noted(data, scoring="context")
    assert "newest" not in said
    index, _ = noted(data, agreement=1.0)
    assert index.agreement == 1.0


def test_with_few_users_to_ask_the_newest_match_decides() -> None:
    index, said = noted(ring(users=20))
    assert (index.scoring, index.agreement) == ("newest", 1.0)
    assert "users have a last item to choose the scoring by, fewer than 50" in said


def test_rarity_goes_by_the_scoring_unless_given() -> None:
    events = [(user, user % 2 * user, DAY + n) for user in range(6) for n in range(2)]
    data = training_data(events, 7)
    for scoring, power in (("newest", 0.5), ("context", 0.25)):
        rarity = fit(data, scoring=scoring).rarity
        np.testing.assert_allclose(rarity[:2], [6**-power, 2**-power], rtol=1e-6)
