from itertools import pairwise

import numpy as np

from shortlist.config.schema import NeighboursRetriever
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import SessionIndex
from shortlist.testing.retrieval import training_data


def fit(data: TrainingData, **settings: object) -> SessionIndex:
    config = NeighboursRetriever(**settings)  # type: ignore[arg-type]
    index = fit_retriever(config, data, 0, Silent())["sessions"]
    assert isinstance(index, SessionIndex)
    return index


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
