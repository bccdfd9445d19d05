"""Batches of single examples: a window of history, an instant, and what was taken at it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist.offline.retrieval.deep.packing import Histories
from shortlist.offline.retrieval.deep.trainer import Batch


class Windows:
    """Every interaction that has one before it, in a new order in each epoch.

    Rows are looked up by index when a batch is made; nothing is stored for an example.
    """

    def __init__(self, histories: Histories, reach: int, batch: int, seed: int) -> None:
        self._histories, self._reach, self._batch, self._seed = histories, reach, batch, seed
        self._at = histories.targets()
        self._first = _firsts(histories, self._at)
        self.examples = len(self._at)

    def epoch(self, number: int, rank: int, world: int) -> Iterator[tuple[int, Batch]]:
        """See `Batches.epoch`."""
        rng = np.random.default_rng([self._seed, 0x817D, number])
        order = rng.permutation(self.examples)
        histories = self._histories
        for start in range(0, self.examples, self._batch):
            part = order[start : start + self._batch]
            # A batch of fewer rows than processes is learnt from by all of them alike.
            alone = len(part) < world
            mine = part if alone else part[rank::world]
            at = self._at[mine]
            items, times = histories.windows(self._first[mine], at, self._reach)
            yield (
                len(part),
                {
                    "items": torch.from_numpy(items),
                    "times": torch.from_numpy(times),
                    "now": torch.from_numpy(histories.time[at]),
                    "targets": torch.from_numpy(histories.item[at].astype(np.int64)),
                    "total": torch.tensor(len(part) / (1 if alone else world)),
                },
            )


def _firsts(histories: Histories, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the history of each place begins."""
    user = np.searchsorted(histories.starts, at, "right") - 1
    return np.asarray(histories.starts[user])
