"""What one fit of a retriever leaves for the next fit of it, on a longer log."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Memory:
    """The weights of a fitted model.

    A training fits every retriever up to three times, each time on more of the same log: to learn
    fusion and a ranker, to evaluate, and to serve. A model that takes long starts from what it
    knew the time before and needs a few passes instead of all of them.

    Attributes:
        rows: `int32[m]`, ascending: the catalogue rows of the model's items.
        weights: by name; empty before the first fit.
    """

    rows: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fits:
    """What is kept of a training's fits of each retriever, beside the release.

    Attributes:
        runs: where retrievers that train for long keep checkpoints, a folder for each; None for
            nowhere.
        memories: what the last fit of each left for its next one.
    """

    runs: Path | None = None
    memories: dict[str, Memory] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Path | None, Memory]:
        """The folder for a retriever's runs, and its memory."""
        return self.runs / name if self.runs else None, self.memories.setdefault(name, Memory())
