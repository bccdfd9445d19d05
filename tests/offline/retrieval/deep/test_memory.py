"""A model starts from what it learnt of an earlier part of the log."""

from pathlib import Path

import numpy as np
import pytest

from shortlist.config.schema import SequenceRetriever, TwoTowerRetriever
from shortlist.core.progress import Silent
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.memory import Memory
from shortlist.release.artefacts import ItemVectors
from shortlist.testing.retrieval import assert_same, ring, two_tastes

SEQUENCE = SequenceRetriever(dim=16, epochs=8, batch=256, dropout=0.1, learning_rate=0.02)
POOLED = SequenceRetriever(encoder="pooled", dim=16, epochs=8, batch=128, learning_rate=0.02)
TOWERS = TwoTowerRetriever(dim=16, epochs=8, batch=128, learning_rate=0.02)
FAMILIES = pytest.mark.parametrize(
    "config", [SEQUENCE, POOLED, TOWERS], ids=["transformer", "pooled", "two_tower"]
)


class Told:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []

    def step(self, name: str, total: float | None = None) -> None:
        self.steps.append(name)

    def advance(self, amount: float) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def earlier(data: TrainingData, items: int) -> TrainingData:
    """What a log held before the last of its items came."""
    keep = data.item < items
    fields = {"user", "item", "time", "weight", "session"}
    return TrainingData(**{k: v[keep] if k in fields else v for k, v in vars(data).items()})


@FAMILIES
def test_a_second_fit_needs_a_quarter_of_the_passes(
    config: SequenceRetriever | TwoTowerRetriever,
) -> None:
    memory, told = Memory(), Told()
    fit_retriever(config, earlier(ring(users=200), 25), 0, Silent(), memory=memory)
    fit_retriever(config, ring(users=200), 0, told, memory=memory)
    assert len(told.steps) == 2
    assert any("starts from what it knew" in note for note in told.notes)


def test_items_that_came_since_are_learnt_beside_those_that_are_known() -> None:
    data = ring(users=300)
    config = SequenceRetriever(dim=16, epochs=24, batch=256, dropout=0.0, learning_rate=0.02)
    memory = Memory()
    fit_retriever(config, earlier(data, 25), 0, Silent(), memory=memory)
    assert memory.rows.tolist() == list(range(25))
    before = memory.weights["items.weight"]
    fitted = fit_retriever(config, data, 0, Silent(), memory=memory)["vector"]
    assert isinstance(fitted, ItemVectors)
    assert fitted.rows.tolist() == list(range(30))

    def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))

    assert cosine(before, fitted.vectors[:25]).min() > 0.5  # each is still itself


@FAMILIES
def test_the_same_memory_gives_the_same_model(
    config: SequenceRetriever | TwoTowerRetriever, tmp_path: Path
) -> None:
    memory = Memory()
    fit_retriever(config, earlier(two_tastes(), 16), 0, Silent(), memory=memory)
    memories = [Memory(memory.rows, dict(memory.weights)) for _ in range(2)]
    one, other = (
        fit_retriever(config, two_tastes(), 0, Silent(), runs=tmp_path, memory=own)
        for own in memories
    )
    assert_same(one, other)


def test_a_memory_of_another_model_is_not_used() -> None:
    memory, told = Memory(), Told()
    fit_retriever(SEQUENCE, two_tastes(), 0, Silent(), memory=memory)
    wider = SequenceRetriever(dim=32, epochs=4, batch=256)
    fitted = fit_retriever(wider, two_tastes(), 0, told, memory=memory)
    assert_same(fitted, fit_retriever(wider, two_tastes(), 0, Silent()))
    assert not any("starts from" in note for note in told.notes)
