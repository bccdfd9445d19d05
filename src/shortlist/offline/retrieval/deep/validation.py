"""nDCG@10 on held-out interactions, over the whole catalogue."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.retrieval.deep.packing import Held, Histories
from shortlist.offline.retrieval.deep.trainer import Learner

AT = 10
BATCH = 256


class HeldOut:
    """Ranks every item for the users that gave up their last interaction.

    Items of the user's history are left out, unless the held-out item is one of them; of equal
    scores the held-out item comes last.
    """

    def __init__(self, histories: Histories, held: Held, reach: int, device: torch.device) -> None:
        self._histories, self._held, self._reach, self._device = histories, held, reach, device

    def __call__(self, model: Learner) -> float:
        """nDCG@10, 0 to 1."""
        histories, held = self._histories, self._held
        vectors = model.vectors()
        gain = 0.0
        for start in range(0, len(held), BATCH):
            first, at = held.first[start : start + BATCH], held.at[start : start + BATCH]
            items, times = histories.windows(first, at, self._reach)
            used = int((items >= 0).sum(1).max())
            batch = (items[:, -used:], times[:, -used:], histories.time[at])
            tensors = [torch.from_numpy(np.ascontiguousarray(a)).to(self._device) for a in batch]
            scores = (model.encode(*tensors) @ vectors.T).float().cpu().numpy()
            ranks = target_ranks(scores, histories.item, first, at)
            gain += float(np.where(ranks < AT, 1 / np.log2(ranks + 2.0), 0.0).sum())
        return gain / len(held)


@kernel
def target_ranks(
    scores: NDArray[np.float32],
    item: NDArray[np.int32],
    first: NDArray[np.int64],
    at: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many unseen items score at least what the item at each place does, `int64[b]`."""
    out = np.empty(len(at), np.int64)
    for i in range(len(at)):
        own = scores[i, item[at[i]]]
        for p in range(first[i], at[i]):
            if item[p] != item[at[i]]:
                scores[i, item[p]] = -np.inf
        rank = -1
        for score in scores[i]:
            if score >= own:
                rank += 1
        out[i] = rank
    return out
