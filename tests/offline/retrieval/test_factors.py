import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import FactorsRetriever
from shortlist.core.progress import Silent
from shortlist.core.ridge import fold_in
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import ItemFactors, ItemVectors
from shortlist.testing.retrieval import training_data, two_tastes

SMALL = FactorsRetriever(dim=4, epochs=8)


def fit(
    data: TrainingData, config: FactorsRetriever = SMALL, seed: int = 0
) -> tuple[ItemFactors, ItemVectors]:
    artefacts = fit_retriever(config, data, seed, Silent())
    factors, vectors = artefacts["factors"], artefacts["vector"]
    assert isinstance(factors, ItemFactors)
    assert isinstance(vectors, ItemVectors)
    return factors, vectors


def loss(data: TrainingData, config: FactorsRetriever) -> float:
    """The objective, at the best users for the items that were found."""
    return objective(data, config, fit(data, config)[1].vectors.astype(np.float64))


def objective(data: TrainingData, config: FactorsRetriever, v: np.ndarray) -> float:
    x = np.zeros((data.users, data.items))
    x[data.user, data.item] = 1
    n = data.items
    total = 0.0
    for row in x:
        cost = config.regularisation * (row.sum() + config.unseen * n) ** config.power
        system = v.T @ (v * (row + config.unseen)[:, None]) + cost * np.eye(v.shape[1])
        u = np.linalg.solve(system, v.T @ row)
        total += (row * (1 - v @ u) ** 2).sum() + config.unseen * ((v @ u) ** 2).sum()
        total += cost * (u @ u)
    costs = config.regularisation * (x.sum(axis=0) + config.unseen * data.users) ** config.power
    return float(total + (costs * (v**2).sum(axis=1)).sum())


def test_every_epoch_lowers_the_objective() -> None:
    data = two_tastes()
    losses = [loss(data, FactorsRetriever(dim=4, epochs=epochs)) for epochs in (1, 2, 4, 8, 16)]
    assert (np.diff(losses) < 1e-4).all()
    assert losses[-1] < losses[0]


def test_rows_with_many_pairs_end_where_solving_them_exactly_ends() -> None:
    random = np.random.default_rng(3)
    events = [
        (user, int(item), DAY + n * MINUTE)
        for user in range(90)
        for n, item in enumerate(random.permutation(np.r_[user % 3 * 20 : user % 3 * 20 + 60])[:35])
    ]
    data = training_data(events, 100)
    config = FactorsRetriever(dim=6, epochs=40)
    x = np.zeros((data.users, data.items))
    x[data.user, data.item] = 1
    users, n = random.normal(0, 0.1, (data.users, 6)), config.unseen

    def solved(x: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        costs = config.regularisation * (x.sum(axis=1) + n * len(fixed)) ** config.power
        return np.stack(
            [
                np.linalg.solve(
                    fixed.T @ (fixed * (row + n)[:, None]) + cost * np.eye(6), fixed.T @ row
                )
                for row, cost in zip(x, costs, strict=True)
            ]
        )

    for _ in range(config.epochs):
        items = solved(x.T, users)
        users = solved(x, items)
    assert loss(data, config) == pytest.approx(objective(data, config, items), rel=0.01)


def test_items_of_one_taste_are_near_each_other() -> None:
    _, vectors = fit(two_tastes())
    scores = vectors.vectors @ vectors.vectors.T
    np.fill_diagonal(scores, -1)
    assert (scores.argmax(axis=1) % 2 == np.arange(20) % 2).all()


def test_the_queries_that_an_index_is_tuned_on_are_vectors_of_users() -> None:
    _, vectors = fit(two_tastes())
    assert vectors.queries is not None
    best = np.argsort(-(vectors.queries @ vectors.vectors.T), axis=1)[:, :5] % 2
    assert (best == best[:, :1]).all()
    assert set(best[:, 0].tolist()) == {0, 1}


def test_the_gram_matrix_is_diagonal_and_told() -> None:
    factors, vectors = fit(two_tastes())
    gram = SMALL.unseen * vectors.vectors.T @ vectors.vectors
    np.testing.assert_allclose(gram, np.diag(factors.gram), atol=1e-4 * factors.gram.max())
    assert factors.unseen == SMALL.unseen * 20


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 1_000))
def test_folding_in_solves_the_system_from_either_side(h: int, d: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(h, d)).astype(np.float32)
    weights = random.uniform(0.1, 2, h).astype(np.float32)
    diagonal = random.uniform(0.5, 3, d)
    size = max(h, d)
    found = np.empty(d, np.float32)
    fold_in(vectors, weights, diagonal, np.empty((size, size)), np.empty(size), found)
    system = np.diag(diagonal) + (vectors * weights[:, None]).T @ vectors
    expected = np.linalg.solve(system, vectors.T @ weights)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
