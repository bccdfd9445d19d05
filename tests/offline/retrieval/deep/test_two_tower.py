import numpy as np
import pytest

from shortlist.config.schema import TwoTowerRetriever
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.deep.entities import TERMS, Entities
from shortlist.release.artefacts import ItemVectors
from shortlist.testing.retrieval import RetrieverContract, training_data, two_tastes

SMALL = TwoTowerRetriever(dim=16, epochs=8, batch=128, dropout=0.1, learning_rate=0.02)


class TestTwoTowerContract(RetrieverContract):
    def config(self) -> TwoTowerRetriever:
        return TwoTowerRetriever(dim=8, epochs=3)


class TestCosineContract(RetrieverContract):
    def config(self) -> TwoTowerRetriever:
        return TwoTowerRetriever(dim=8, epochs=3, similarity="cosine", hard=0)


def coloured(users: int = 80) -> TrainingData:
    """Twenty items of two colours, each user taking one; the last four are taken by nobody."""
    rng = np.random.default_rng(0)
    events = []
    for user in range(users):
        taken = rng.permutation(np.arange(user % 2, 16, 2))[:7]
        events += [(user, int(item), DAY + n * MINUTE) for n, item in enumerate(taken)]
    columns = {
        "colour": Column.keyword([("red", "blue")[row % 2] for row in range(20)]),
        "tags": Column.keywords([["a"], []] * 10),
        "price": Column.number([None if row == 3 else row % 2 * 10.0 for row in range(20)]),
        "title": Column.text([f"Item of {('Red', 'blue')[row % 2]} make" for row in range(20)]),
    }
    return training_data(events, 20, columns)


class Notes(Silent):
    """Keeps notes."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def note(self, text: str) -> None:
        self.kept.append(text)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_items_nobody_took_get_the_vector_of_their_attributes(similarity: str) -> None:
    config = TwoTowerRetriever(**{**as_dict(SMALL), "similarity": similarity})
    vectors = fit_retriever(config, coloured(), 0, Silent())["vector"]
    assert isinstance(vectors, ItemVectors)
    assert vectors.rows.tolist() == list(range(20))
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    likeness = unit[16:] @ unit[:16].T
    same = np.arange(16, 20)[:, None] % 2 == np.arange(16) % 2
    assert likeness[same].mean() > likeness[~same].mean() + 0.2


def test_without_attributes_only_items_that_occur_have_vectors() -> None:
    data = training_data([(u, i, DAY + i) for u in range(20) for i in (0, 2, 5)], 7)
    vectors = fit_retriever(SMALL, data, 0, Silent())["vector"]
    assert isinstance(vectors, ItemVectors)
    assert vectors.rows.tolist() == [0, 2, 5]


def test_the_note_tells_what_looking_up_saves() -> None:
    notes = Notes()
    fit_retriever(SMALL, two_tastes(), 0, notes)
    assert any("copied into each they would take" in note for note in notes.kept)


def test_entities_hold_each_columns_features_once() -> None:
    data = coloured()
    entities = Entities.of(data.catalogue, text=False)
    assert entities.codebook == 3  # two colours and a tag
    assert entities.width == 2  # a price, and whether it is missing
    assert entities.numbers[3].tolist() == [0, 1]
    codes, weights, begin = entities.bags(np.array([1, 0]))
    assert codes.tolist() == [1, 0, 2]
    assert weights.tolist() == [1, 1, 1]
    assert begin.tolist() == [0, 1]
    with_text = Entities.of(data.catalogue, text=True)
    assert with_text.codebook == 3 + TERMS
    assert len(with_text.codes) == len(entities.codes) + 20 * 7  # four words, three pairs


def test_words_are_told_apart_without_regard_to_case() -> None:
    texts = Column.text(["Red pen", "red  PEN!", "pen red", "紅筆", ""])
    catalogue = training_data([], 5, {"title": texts}).catalogue
    assert isinstance(catalogue, Catalogue)
    entities = Entities.of(catalogue, text=True)
    bags = [
        set(entities.codes[entities.offsets[i] : entities.offsets[i + 1]].tolist())
        for i in range(5)
    ]
    assert bags[0] == bags[1]
    assert bags[0] != bags[2]  # the pair is another one
    assert len(bags[0] & bags[2]) == 2
    assert len(bags[3]) == 3
    assert bags[4] == set()


def as_dict(config: TwoTowerRetriever) -> dict[str, object]:
    return {name: getattr(config, name) for name in config.__struct_fields__}
