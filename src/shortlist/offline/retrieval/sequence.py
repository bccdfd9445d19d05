"""`sequence`: a user's vector from their last interactions, by a neural encoder.

Two encoders: `transformer` (SASRec with the modern recipe) and `pooled` (YouTube's, Covington et
al., RecSys 2016). Choices and their figures are in `docs/decisions/10-sequence.md`.
"""

from __future__ import annotations

from pathlib import Path

from shortlist.config.schema import SequenceRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep import require_torch
from shortlist.offline.retrieval.memory import Memory
from shortlist.release.artefacts import Artefact


def fit(
    data: TrainingData,
    config: SequenceRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None = None,
    memory: Memory | None = None,
) -> dict[str, Artefact]:
    """A query encoder and item vectors from the order in which items are taken.

    Items and users with too few interactions are left out. With nothing to learn from (no user
    has two interactions) there is no encoder, and no item has a vector.

    Args:
        data: the interactions.
        config: the encoder, and sizes where the rules are not wanted.
        seed: everything random; the same data, config and seed give the same arrays on one machine.
        progress: a step for each epoch.
        runs: where checkpoints and TensorBoard events are kept; None for nowhere.
        memory: of an earlier fit on a part of this log, to start from; left for the next fit.

    Returns:
        `encoder`: an `Encoder`. `vector`: an `ItemVectors` of the same space.

    Raises:
        ConfigError: PyTorch is not installed.
    """
    require_torch("sequence")
    from shortlist.offline.retrieval.deep.fit import fit_sequence

    return fit_sequence(data.frequent(), config, seed, progress, runs, memory)
