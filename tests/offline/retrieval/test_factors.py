import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import FactorsRetriever
from shortlist.core.progress import Silent
from shortlist.core.ridge import fold_in
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import ItemFactors, ItemVectors
from shortlist.testing.retrieval import two_tastes

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
    _, vectors = fit(data, config)
    x = np.zeros((data.users, data.items))
    x[data.user, data.item] = 1
    v, n = vectors.vectors.astype(np.float64), data.items
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


def test_items_of_one_taste_are_near_each_other() -> None:
    _, vectors = fit(two_tastes())
    scores = vectors.vectors @ vectors.vectors.T
    np.fill_diagonal(scores, -1)
    assert (scores.argmax(axis=1) % 2 == np.arange(20) % 2).all()


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
