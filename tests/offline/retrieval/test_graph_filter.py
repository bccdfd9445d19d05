import numpy as np

from shortlist.config.schema import GraphFilterRetriever
from shortlist.core.progress import Silent
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import ItemToItem
from shortlist.testing.retrieval import ring, two_tastes


def fit(data: TrainingData, config: GraphFilterRetriever) -> np.ndarray:
    near = fit_retriever(config, data, 0, Silent())["item_to_item"]
    assert isinstance(near, ItemToItem)
    n = len(near.neighbours)
    matrix = np.zeros((n, n))
    for row in range(n):
        there = near.neighbours[row] >= 0
        matrix[row, near.neighbours[row][there]] = near.scores[row][there]
    return matrix


def test_scores_are_the_linear_and_the_ideal_filter_of_the_paper() -> None:
    data = two_tastes()
    x = np.zeros((data.users, 20))
    x[data.user, data.item] = 1
    users, items = x.sum(axis=1), x.sum(axis=0)
    normal = x / np.sqrt(users)[:, None] / np.sqrt(items)
    _, _, basis = np.linalg.svd(normal)
    basis = basis[:2].T  # one direction for each taste; the third has no gap to the rest
    ideal = np.diag(items**-0.5) @ basis @ basis.T @ np.diag(items**0.5)
    expected = normal.T @ normal + 0.5 * ideal
    np.fill_diagonal(expected, 0)
    found = fit(data, GraphFilterRetriever(frequencies=2, ideal=0.5))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_more_frequencies_than_there_is_rank_are_not_used() -> None:
    said = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    fit_retriever(GraphFilterRetriever(frequencies=500), ring(), 0, Notes())
    data = ring()
    x = np.zeros((data.users, data.items))
    x[data.user, data.item] = 1
    rank = np.linalg.matrix_rank(x)
    assert said[0].startswith(f"graph filter: {rank} frequencies")


def test_neighbours_share_the_taste_of_the_item() -> None:
    best = fit(two_tastes(), GraphFilterRetriever()).argmax(axis=1)
    assert (best % 2 == np.arange(20) % 2).all()
