import numpy as np
import pytest

from shortlist.config.schema import LinearRetriever
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever, linear
from shortlist.release.artefacts import ItemToItem
from shortlist.testing.retrieval import ring, training_data, two_tastes


def fit(data: TrainingData, config: LinearRetriever) -> np.ndarray:
    near = fit_retriever(config, data, 0, Silent())["item_to_item"]
    assert isinstance(near, ItemToItem)
    n = len(near.neighbours)
    matrix = np.zeros((n, n))
    for row in range(n):
        there = near.neighbours[row] >= 0
        matrix[row, near.neighbours[row][there]] = near.scores[row][there]
    return matrix


def wandering(items: int = 12) -> TrainingData:
    random = np.random.default_rng(4)
    events = []
    for user in range(80):
        place = int(random.integers(items))
        for n in range(int(random.integers(2, 9))):
            place = (place + int(random.integers(1, 4))) % items
            events.append((user, place, DAY + n * MINUTE))
    return training_data(events, items)


def test_without_decay_it_is_ease() -> None:
    data = wandering()
    x = np.zeros((data.users, 12))
    x[data.user, data.item] = 1
    gram = x.T @ x
    inverse = np.linalg.inv(gram + 2.0 * gram.diagonal().mean() * np.eye(12))
    expected = -inverse / inverse.diagonal()
    np.fill_diagonal(expected, 0)
    found = fit(data, LinearRetriever(decay=1.0, regularisation=2.0))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def problem(data: TrainingData, decay: float, cost: float) -> tuple[np.ndarray, np.ndarray]:
    """The Gram matrix and right side of decayed histories, pair by pair."""
    gram, right = np.zeros((12, 12)), np.zeros((12, 12))
    reach = int(np.log(linear.FAINT) / np.log(decay)) + 1
    energy = 1 / (1 - decay**2)
    for a in range(len(data)):
        for b in range(a + 1, min(len(data), a + reach + 1)):
            i, j = data.item[a], data.item[b]
            if data.user[a] == data.user[b] and i != j:
                gram[i, j] += decay ** (b - a) * energy
                gram[j, i] += decay ** (b - a) * energy
                right[i, j] += decay ** (b - a - 1)
    diagonal = np.bincount(data.item, minlength=12) * energy
    gram[np.diag_indices(12)] = diagonal * (1 + linear.SELF_COST) + cost * diagonal.mean()
    return gram, right


@pytest.mark.parametrize("solver", ["closed", "sparse"])
def test_with_decay_it_is_the_ridge_regression_of_what_comes_next(solver: str) -> None:
    data = wandering()
    gram, right = problem(data, 0.5, 0.3)
    expected = np.linalg.solve(gram, right)
    if solver == "sparse":  # an item is predicted from those before it only, not from itself
        expected = np.zeros((12, 12))
        for j in range(12):
            before = np.flatnonzero(right[:, j])
            expected[before, j] = np.linalg.solve(gram[np.ix_(before, before)], right[before, j])
    np.fill_diagonal(expected, 0)
    config = LinearRetriever(decay=0.5, solver=solver, support=12)  # type: ignore[arg-type]
    np.testing.assert_allclose(fit(data, config), expected, atol=1e-4)


def test_both_solvers_know_what_follows_on_a_ring() -> None:
    for solver in ("closed", "sparse"):
        config = LinearRetriever(decay=0.5, solver=solver)  # type: ignore[arg-type]
        assert (fit(ring(), config).argmax(axis=1) == (np.arange(30) + 1) % 30).all()


def test_neighbours_share_the_taste_of_the_item() -> None:
    best = fit(two_tastes(), LinearRetriever(decay=1.0)).argmax(axis=1)
    assert (best % 2 == np.arange(20) % 2).all()


def test_the_solver_is_said_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    class Notes(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    fit_retriever(LinearRetriever(), ring(), 0, Notes())
    monkeypatch.setattr(linear, "CLOSED_UP_TO", 10)
    fit_retriever(LinearRetriever(), ring(), 0, Notes())
    assert said[0].startswith("linear: closed form, a matrix of 30 items")
    assert "leave out 0.00% of the squared weights" in said[1]
    assert said[2] == "linear: sparse, since 30 items are more than 10."


def test_cut_lists_keep_the_largest_weights_and_say_what_is_lost() -> None:
    whole, said = fit(wandering(), LinearRetriever()), []

    class Notes(Silent):
        def note(self, text: str) -> None:
            said.append(text)

    near = fit_retriever(LinearRetriever(neighbours=3), wandering(), 0, Notes())["item_to_item"]
    assert isinstance(near, ItemToItem)
    for row in range(12):
        largest = np.argsort(-np.abs(whole[row]))[:3]
        assert set(near.neighbours[row].tolist()) == set(largest.tolist())
    kept = np.square(near.scores, dtype=np.float64).sum() / np.square(whole).sum()
    assert f"leave out {1 - kept:.2%}" in said[-1]
