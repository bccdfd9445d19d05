"""Retriever families, one file each: `fit(data, config, seed, progress) -> artefacts by kind`."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from shortlist.config.schema import (
    FactorsRetriever,
    GraphFilterRetriever,
    ItemGraphRetriever,
    LinearRetriever,
    NeighboursRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TextEncoderRetriever,
    TransitionsRetriever,
    TwoTowerRetriever,
)
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import (
    factors,
    graph_filter,
    item_graph,
    linear,
    popular,
    sequence,
    session_neighbours,
    text_encoder,
    transitions,
    two_tower,
)
from shortlist.offline.retrieval.memory import Memory
from shortlist.release.artefacts import Artefact
from shortlist.text.analyzer import Analyzer

__all__ = ["fit_retriever"]


def fit_retriever(
    config: Retriever,
    data: TrainingData,
    seed: int,
    progress: Progress,
    category: str = "",
    runs: Path | None = None,
    memory: Memory | None = None,
    analyzer: Analyzer | None = None,
) -> dict[str, Artefact]:
    """Fit a retriever of the family that its config says.

    Args:
        config: the retriever's table in `shortlist.toml`.
        data: the interactions it may know.
        seed: everything random starts from it.
        progress: the family's own steps.
        category: `data.items.category`, which popularity falls back on.
        runs: where a family that trains for long keeps checkpoints and TensorBoard events; None
            for nowhere.
        memory: what an earlier fit of this retriever on a part of this log left; families that
            train for long start from it, and leave theirs.
        analyzer: normalises the texts that an encoder learns from; the default one if not given.

    Returns:
        Artefacts by their kind (`release.artefacts.KINDS`).
    """
    match config:
        case PopularRetriever():
            return popular.fit(data, config, seed, progress, category)
        case ItemGraphRetriever():
            return item_graph.fit(data, config, seed, progress)
        case TransitionsRetriever():
            return transitions.fit(data, config, seed, progress)
        case NeighboursRetriever():
            return session_neighbours.fit(data, config, seed, progress)
        case LinearRetriever():
            return linear.fit(data, config, seed, progress)
        case FactorsRetriever():
            return factors.fit(data, config, seed, progress)
        case GraphFilterRetriever():
            return graph_filter.fit(data, config, seed, progress)
        case SequenceRetriever():
            return sequence.fit(data, config, seed, progress, runs, memory)
        case TwoTowerRetriever():
            return two_tower.fit(data, config, seed, progress, runs, memory, analyzer)
        case TextEncoderRetriever():
            return text_encoder.fit(data, config, seed, progress, runs, analyzer)
        case _:
            assert_never(config)
