"""`two_tower`: one network for queries, one for items; see `deep.towers`.

The item tower reads attributes and texts, so that an item that nobody took has a vector too.
"""

from __future__ import annotations

from pathlib import Path

from shortlist.config.schema import TwoTowerRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep import require_torch
from shortlist.offline.retrieval.memory import Memory
from shortlist.offline.retrieval.text.towers import fit_towers
from shortlist.release.artefacts import Artefact
from shortlist.text.analyzer import Analyzer


def fit(
    data: TrainingData,
    config: TwoTowerRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None = None,
    memory: Memory | None = None,
    analyzer: Analyzer | None = None,
) -> dict[str, Artefact]:
    """A query encoder and item vectors, of all items when the catalogue says anything of them.

    Items and users with too few interactions are not learnt from. With nothing to learn from (no
    user has two interactions) there is no encoder, and no item has a vector.

    Args:
        data: the interactions, and the catalogue with its attributes.
        config: similarity, negatives, and sizes where the rules are not wanted.
        seed: everything random; the same data, config and seed give the same arrays on one machine.
        progress: a step for each epoch; a note tells what storing entities once saves.
        runs: where checkpoints and TensorBoard events are kept; None for nowhere.
        memory: of an earlier fit on a part of this log, to start from; left for the next fit.
        analyzer: normalises texts where queries are texts; the default one if not given.

    Returns:
        `encoder`: an `Encoder` that takes times; for queries of text `text_static` instead, a
        `StaticText`. `vector`: an `ItemVectors` of the same space.

    Raises:
        ConfigError: PyTorch is not installed, and queries are histories.
    """
    if config.query == "text":
        return fit_towers(data, config, seed, progress, analyzer or Analyzer())
    require_torch("two_tower")
    from shortlist.offline.retrieval.deep.fit import fit_two_tower

    return fit_two_tower(data.frequent(), config, seed, progress, runs, memory)
