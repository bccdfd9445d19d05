"""Choosing settings inside the training data: the last item of some users is held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.histories import histories

USERS = 4_000
"""At most so many users are asked for their last item."""
EVENTS = 500_000
"""A longer log is searched on whole users with about so many events."""
FEWEST = 50
"""With fewer users to ask than this nothing is chosen: defaults stay."""
MARGIN = 1.005
"""A setting must be this much better to be preferred; less is noise."""
TOP = 10
Value = TypeVar("Value")


@dataclass(frozen=True)
class LastOut:
    """A log without the last events of some users, and what those events were.

    Attributes:
        data: what may be learnt from.
        offsets: `int64[users + 1]` into `items`.
        items: `int32[n]`, the histories of the users that are asked, oldest first.
        targets: `int32[users]`, the item each of them took next.
    """

    data: TrainingData
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    targets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.targets)


def leave_last_out(data: TrainingData, seed: int) -> LastOut:
    """Hold the last event of a sample of users out, of those to whom its item was new.

    Args:
        data: the training data; nothing outside it is looked at.
        seed: of the sample.
    """
    rng = np.random.default_rng([seed, 0x1A57])
    whole = histories(data)
    lengths = np.diff(whole.offsets)
    order = rng.permutation(len(whole))
    if len(data) > EVENTS:
        enough = int(np.searchsorted(np.cumsum(lengths[order]), EVENTS)) + 1
        order = order[:enough]
    last = whole.offsets[1:] - 1
    asked = order[lengths[order] >= 2]
    new = _is_new(whole.offsets, whole.items, asked)
    asked = np.sort(asked[new][:USERS])
    owner = whole.owner
    keep = np.isin(owner, order) if len(order) < len(whole) else np.ones(len(data), np.bool_)
    keep[last[asked]] = False
    known = replace(
        data,
        user=data.user[keep],
        item=data.item[keep],
        time=data.time[keep],
        weight=data.weight[keep],
        session=data.session[keep],
    )
    mine = np.zeros(len(whole), np.bool_)
    mine[asked] = True
    offsets = np.zeros(len(asked) + 1, np.int64)
    np.cumsum(lengths[asked] - 1, out=offsets[1:])
    items = data.item[keep & mine[owner]]
    return LastOut(known, offsets, items, data.item[last[asked]])


def choose(
    start: Mapping[str, Value],
    grid: Mapping[str, Sequence[Value]],
    measure: Callable[[Mapping[str, Value]], float],
    passes: int = 2,
) -> tuple[dict[str, Value], float, float]:
    """Climb along one setting at a time, for as long as it measures better by more than noise.

    Args:
        start: a value for each setting.
        grid: for each setting to choose, in order, its values, the start's among them; neighbours
            in the list are tried first.
        measure: larger is better.
        passes: times round, at most; a round that changes nothing is the last.

    Returns:
        The settings, what they measure, and what the start measured.
    """
    best = dict(start)
    first = value = measure(best)
    for _ in range(passes):
        before = dict(best)
        for name, options in grid.items():
            here = options.index(best[name])
            for step in (1, -1):
                at = here + step
                while 0 <= at < len(options):
                    tried = measure({**best, name: options[at]})
                    if tried <= value * MARGIN:
                        break
                    best[name], value = options[at], tried
                    at += step
                if best[name] != options[here]:
                    break
        if best == before:
            break
    return best, value, first


@kernel
def ndcg_of_lists(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
    decay: float,
    reach: int,
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    targets: NDArray[np.int32],
) -> float:
    """nDCG@10 of finding each target by an item-to-item map, items of the history left out.

    Item `i`'s neighbours are at `starts[i]:starts[i] + lengths[i]`. Ties count against the target.
    """
    n = len(starts)
    sums = np.zeros(n)
    state = np.zeros(n, np.int8)  # 1: touched, 2: in the history
    touched = np.empty(n, np.int32)
    total = 0.0
    for u in range(len(targets)):
        first, stop = offsets[u], offsets[u + 1]
        for p in range(first, stop):
            state[items[p]] = 2
        count = 0
        weight = 1.0
        for p in range(stop - 1, max(first, stop - reach) - 1, -1):
            item = items[p]
            for e in range(starts[item], starts[item] + lengths[item]):
                row = neighbours[e]
                if state[row] == 2:
                    continue
                if state[row] == 0:
                    state[row] = 1
                    touched[count] = row
                    count += 1
                sums[row] += weight * scores[e]
            weight *= decay
        goal = sums[targets[u]]
        if state[targets[u]] == 1:
            rank = -1
            for t in range(count):
                rank += sums[touched[t]] >= goal
            if rank < TOP:
                total += 1 / np.log2(rank + 2)
        for t in range(count):
            sums[touched[t]] = 0
            state[touched[t]] = 0
        for p in range(first, stop):
            state[items[p]] = 0
    return total / max(1, len(targets))


@kernel
def _is_new(
    offsets: NDArray[np.int64], items: NDArray[np.int32], asked: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the last item of a sequence is nowhere before in it."""
    new = np.ones(len(asked), np.bool_)
    for k in range(len(asked)):
        last = offsets[asked[k] + 1] - 1
        for p in range(offsets[asked[k]], last):
            new[k] = new[k] and items[p] != items[last]
    return new
