import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever, graph, neighbours, sampling
from shortlist.release.artefacts import ItemToItem, ItemVectors
from shortlist.testing.retrieval import RetrieverContract, ring, training_data, two_tastes

SMALL = ItemGraphRetriever(dim=16, walks=10, walk_length=8, epochs=2, neighbours=8)


class TestItemGraphContract(RetrieverContract):
    def config(self) -> ItemGraphRetriever:
        return SMALL


def fit(data: TrainingData, seed: int = 0) -> tuple[ItemToItem, ItemVectors]:
    artefacts = fit_retriever(SMALL, data, seed, Silent())
    near, vectors = artefacts["item_to_item"], artefacts["vector"]
    assert isinstance(near, ItemToItem)
    assert isinstance(vectors, ItemVectors)
    return near, vectors


def test_neighbours_share_the_taste_of_the_item() -> None:
    near, _ = fit(two_tastes())
    same = near.neighbours[:, :5] % 2 == np.arange(20)[:, None] % 2
    assert same.all()


def test_vectors_of_one_taste_point_the_same_way() -> None:
    _, vectors = fit(two_tastes())
    assert vectors.rows.tolist() == list(range(20))
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -1)
    assert (cosine.argmax(axis=1) % 2 == np.arange(20) % 2).all()


def test_the_nearest_on_a_ring_are_the_two_beside_it() -> None:
    near, _ = fit(ring(users=900))
    for row in range(30):
        assert set(near.neighbours[row, :2].tolist()) == {(row - 1) % 30, (row + 1) % 30}


def test_a_vector_is_longer_the_more_popular_its_item_is() -> None:
    events = [(user, item, DAY + item * MINUTE) for user in range(16) for item in (0, 1)]
    events += [(user, 2, DAY + 2 * MINUTE) for user in range(1)]
    _, vectors = fit(training_data(events, 4))
    assert vectors.rows.tolist() == [0, 1, 2]
    lengths = np.linalg.norm(vectors.vectors, axis=1)
    np.testing.assert_allclose(lengths, [1, 1, (1 / 16) ** 0.25], rtol=1e-5)


def test_items_with_too_few_events_get_neither_vector_nor_neighbours() -> None:
    events = [(user, item, DAY + item * MINUTE) for user in range(5) for item in range(3)]
    events += [(0, 3, DAY + 3 * MINUTE)]
    data = training_data(events, 4)
    everything = TrainingData(**{**vars(data), "min_item_events": 2})
    near, vectors = fit(everything)
    assert 3 not in vectors.rows
    assert 3 not in near.neighbours
    assert (near.neighbours[3] == -1).all()


def test_another_seed_gives_other_vectors_and_the_same_answer() -> None:
    one, other = fit(two_tastes(), seed=1), fit(two_tastes(), seed=2)
    assert not np.array_equal(one[1].vectors, other[1].vectors)
    assert (other[0].neighbours[:, :5] % 2 == np.arange(20)[:, None] % 2).all()


def test_a_large_catalogue_is_searched_by_lists_with_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact, _ = fit(ring())
    monkeypatch.setattr(neighbours, "_EXACT", 0)
    by_lists, _ = fit(ring())
    np.testing.assert_array_equal(by_lists.neighbours, exact.neighbours)


def test_scores_are_shares_of_what_is_met_near_the_item() -> None:
    near, _ = fit(two_tastes(users=400))
    totals = near.scores.sum(axis=1)
    assert (near.scores <= 1).all()
    np.testing.assert_allclose(totals, 1, atol=0.25)


def test_an_edge_weighs_one_over_the_gap_in_both_directions() -> None:
    data = training_data([(0, 0, DAY), (0, 1, DAY + MINUTE), (0, 2, DAY + 2 * MINUTE)], 3)
    built = graph.build(data, reach=2)
    assert built.sources.tolist() == [0, 0, 1, 1, 2, 2]
    assert built.targets.tolist() == [1, 2, 0, 2, 0, 1]
    assert built.weights.tolist() == [1, 0.5, 1, 1, 0.5, 1]


def test_sessions_users_and_repeats_join_nothing() -> None:
    events = [(0, 0, DAY), (0, 1, DAY + HOUR), (1, 2, DAY + HOUR), (1, 2, DAY + HOUR + MINUTE)]
    assert len(graph.build(training_data(events, 3), reach=5).targets) == 0


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 90)), max_size=50),
    st.integers(1, 4),
)
def test_the_graph_agrees_with_joining_by_hand(
    events: list[tuple[int, int, int]], reach: int
) -> None:
    data = training_data([(u, i, t * MINUTE) for u, i, t in events], 7)
    expected = np.zeros((7, 7))
    for a in range(len(data)):
        for b in range(a + 1, min(len(data), a + reach + 1)):
            one, other = data.item[a], data.item[b]
            if data.session[a] == data.session[b] and one != other:
                expected[one, other] += 1 / (b - a)
                expected[other, one] += 1 / (b - a)
    built = graph.build(data, reach)
    dense = np.zeros((7, 7))
    dense[built.sources, built.targets] = built.weights
    np.testing.assert_allclose(dense, expected)


def test_walks_follow_edges_in_proportion_to_their_weights() -> None:
    built = graph.ItemGraph(
        np.array([0, 2, 3, 3]),
        np.array([1, 2, 0], np.int32),
        np.array([3.0, 1.0, 1.0]),
        np.array([3.0, 4.0, 1.0]),
    )
    state, path, ends = sampling.state_of(0), np.empty(2, np.int32), np.zeros(3)
    for _ in range(4_000):
        graph.walk(built.offsets, built.targets, built.cumulative, 0, path, state)
        ends[path[1]] += 1
    assert ends[0] == 0
    assert ends[1] / 4_000 == pytest.approx(0.75, abs=0.03)
    assert graph.walk(built.offsets, built.targets, built.cumulative, 2, path, state) == 1


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8).filter(lambda w: sum(w) > 0.1))
def test_alias_tables_hold_the_distribution_they_were_made_of(weights: list[float]) -> None:
    stay, other = sampling.alias_table(np.array(weights))
    held = stay.copy()
    np.add.at(held, other, 1 - stay)
    np.testing.assert_allclose(held / len(held), np.array(weights) / sum(weights), atol=1e-9)


def test_draws_follow_the_alias_table() -> None:
    stay, other = sampling.alias_table(np.array([1.0, 0.0, 3.0]))
    state = sampling.state_of(3)
    counts = np.bincount([sampling.draw(stay, other, state) for _ in range(4_000)], minlength=3)
    assert counts[1] == 0
    assert counts[2] / 4_000 == pytest.approx(0.75, abs=0.03)
