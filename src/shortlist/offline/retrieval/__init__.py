"""Retriever families, one file each: `fit(data, config, seed, progress) -> artefacts by kind`."""

from __future__ import annotations

from typing import assert_never

from shortlist.config.schema import ItemGraphRetriever, PopularRetriever, Retriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import item_graph, popular
from shortlist.release.artefacts import Artefact

__all__ = ["fit_retriever"]


def fit_retriever(
    config: Retriever,
    data: TrainingData,
    seed: int,
    progress: Progress,
    category: str = "",
) -> dict[str, Artefact]:
    """Fit a retriever of the family that its config says.

    Args:
        config: the retriever's table in `shortlist.toml`.
        data: the interactions it may know.
        seed: everything random starts from it.
        progress: the family's own steps.
        category: `data.items.category`, which popularity falls back on.

    Returns:
        Artefacts by their kind (`release.artefacts.KINDS`).
    """
    match config:
        case PopularRetriever():
            return popular.fit(data, config, seed, progress, category)
        case ItemGraphRetriever():
            return item_graph.fit(data, config, seed, progress)
        case _:
            assert_never(config)
