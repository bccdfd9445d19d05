import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config.schema import TransitionsRetriever
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.validation import choose, leave_last_out, ndcg_of_lists
from shortlist.release.artefacts import ItemToItem
from shortlist.testing.retrieval import ring, training_data

PLAIN = {
    "reach": 3,
    "distance": 1.0,
    "back": 0.5,
    "power": 0.5,
    "target_power": 0.25,
    "damping": 0.7,
    "decay": 0.4,
    "within": "session",
    "half_life": "none",
}


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def fit(data: TrainingData, **changed: object) -> ItemToItem:
    config = TransitionsRetriever(**{**PLAIN, **changed})  # type: ignore[arg-type]
    near = fit_retriever(config, data, 0, Silent())["item_to_item"]
    assert isinstance(near, ItemToItem)
    return near


def dense(near: ItemToItem) -> np.ndarray:
    n = len(near.neighbours)
    matrix = np.zeros((n, n))
    for row in range(n):
        there = near.neighbours[row] >= 0
        matrix[row, near.neighbours[row][there]] = near.scores[row][there]
    return matrix


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 90)), max_size=40),
    st.sampled_from(["none", "2m"]),
)
def test_scores_are_what_counting_by_hand_gives(
    events: list[tuple[int, int, int]], half_life: str
) -> None:
    data = training_data([(u, i, t * MINUTE) for u, i, t in events], 7)
    aged = np.ones(len(data))
    if half_life != "none":
        aged = 0.5 ** ((data.until - data.time) / (2 * MINUTE))
    counts = np.zeros((7, 7))
    for a in range(len(data)):
        for b in range(a + 1, min(len(data), a + 4)):
            i, j = data.item[a], data.item[b]
            if data.session[a] == data.session[b] and i != j:
                counts[i, j] += np.sqrt(aged[a] * aged[b]) / (b - a)
    popularity = np.bincount(data.item, aged, minlength=7)
    popularity[popularity == 0] = 1
    expected = (counts + 0.5 * counts.T) ** 0.7
    expected /= popularity[:, None] ** 0.5 * popularity**0.25
    np.testing.assert_allclose(dense(fit(data, half_life=half_life)), expected, rtol=1e-4)


def test_what_follows_stands_before_what_precedes() -> None:
    near = fit(ring(), reach=1, back=0.25)
    for row in range(30):
        assert near.neighbours[row].tolist() == [(row + 1) % 30, (row - 1) % 30]


def test_a_history_joins_what_sessions_keep_apart() -> None:
    data = training_data([(0, 0, DAY), (0, 1, DAY + HOUR)], 2)
    assert dense(fit(data, within="session")).sum() == 0
    assert dense(fit(data, within="history"))[0, 1] == pytest.approx(1)


def test_lists_keep_the_best() -> None:
    whole, cut = fit(ring()), fit(ring(), neighbours=2)
    np.testing.assert_array_equal(cut.neighbours, whole.neighbours[:, :2])
    assert cut.decay == 0.4


def drifting(users: int = 200) -> TrainingData:
    """Everybody goes round the ring forwards, and forgets: only the last item says what is next."""
    random = np.random.default_rng(0)
    events = []
    for user in range(users):
        place = 0
        for n in range(8):
            place = int(random.integers(40)) if n % 2 == 0 else (place + 1) % 40
            events.append((user, place, DAY + n * MINUTE))
    return training_data(events, 40)


def test_settings_left_at_auto_are_chosen_and_said() -> None:
    notes = Notes()
    fit_retriever(TransitionsRetriever(back=0.5), drifting(), 0, notes)
    (said,) = notes.notes
    assert said.startswith("transitions: chose decay ")
    assert "nDCG@10" in said
    assert "back" not in said  # it was given


def test_too_few_users_keep_the_defaults_and_say_so() -> None:
    notes = Notes()
    fit_retriever(TransitionsRetriever(), drifting(users=20), 0, notes)
    assert "fewer than 50" in notes.notes[0]


def test_the_last_event_of_those_asked_is_not_learnt_from() -> None:
    data = drifting()
    held = leave_last_out(data, seed=1)
    assert len(held) + len(held.data) == len(data)
    last = np.flatnonzero(np.append(data.user[1:] != data.user[:-1], True))
    new = [p for p in last if data.item[p] not in data.item[data.user == data.user[p]][:-1]]
    assert held.targets.tolist() == data.item[new].tolist()
    assert held.items.tolist() == [
        item for p in new for item in data.item[data.user == data.user[p]][:-1]
    ]


def test_ties_count_against_the_target() -> None:
    # Item 0 leads to 1 and 2 equally: whoever wants 1 finds it second.
    starts, lengths = np.array([0, 2, 2]), np.array([2, 0, 0])
    near, scores = np.array([1, 2], np.int32), np.ones(2, np.float32)
    asked = (np.array([0, 1]), np.array([0], np.int32), np.array([1], np.int32))
    value = ndcg_of_lists(starts, lengths, near, scores, 0.5, 5, *asked)
    assert value == pytest.approx(1 / np.log2(3))


def test_climbing_finds_the_top_and_keeps_what_is_as_good() -> None:
    grid = {"a": [1, 2, 3, 4, 5], "b": [1, 2, 3]}
    best, value, first = choose({"a": 2, "b": 2}, grid, lambda at: 10.0 - (at["a"] - 5) ** 2 * 0.5)
    assert (best, value, first) == ({"a": 5, "b": 2}, 10.0, 5.5)
