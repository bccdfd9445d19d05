"""Skip-gram with negative sampling over random walks on an item graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.offline.retrieval.graph import ItemGraph, walk
from shortlist.offline.retrieval.sampling import State, alias_table, bits, draw, state_of

NOISE_POWER = 0.75
"""Negatives are drawn in proportion to this power of an item's strength (Mikolov et al. 2013)."""

LEARNING_RATE = 0.05
"""At the first walk; it falls linearly to a thousandth of that at the last."""


@dataclass(frozen=True)
class Embedding:
    """Two vectors of every item; zeros for items without edges.

    Attributes:
        centre: `float32[items, dim]`, the item as the middle of a window.
        context: `float32[items, dim]`, the item as one that is near.
        noise: `float64[items]`, the log of the weight that negatives were drawn with, -inf for
            items without edges.
    """

    centre: NDArray[np.float32]
    context: NDArray[np.float32]
    noise: NDArray[np.float64]


def train(graph: ItemGraph, config: ItemGraphRetriever, seed: int, progress: Progress) -> Embedding:
    """Embed the items of a graph (Wang et al. 2018, section 3.1, equations 1 to 6).

    `config.walks` walks of `config.walk_length` items from every item that has edges, in a new
    random order each time, `config.epochs` times over; walks are made as they are learnt from and
    never stored. Each window is of a random size up to `config.window` (Mikolov et al. 2013), and
    its pairs share their negatives, which then stay in the processor's cache (Ji et al. 2016).
    One thread, so that a seed gives one result.

    Args:
        graph: the item graph.
        config: sizes.
        seed: of starts, walks, windows and negatives.
        progress: advances by walks.
    """
    rng = np.random.default_rng([seed, 0x5617])
    strength = graph.strength()
    starts = np.flatnonzero(strength > 0).astype(np.int32)
    centre = (rng.random((graph.items, config.dim), np.float32) - 0.5) / np.float32(config.dim)
    centre[strength == 0] = 0
    context = np.zeros_like(centre)
    with np.errstate(divide="ignore"):
        noise = NOISE_POWER * np.log(strength)
    rounds = config.walks * config.epochs
    progress.step("item graph: skip-gram", rounds * len(starts))
    if len(starts):
        stay, other = alias_table(strength**NOISE_POWER)
        state = state_of(seed, 0x5618)
        for number in range(rounds):
            _learn(
                graph.offsets,
                graph.targets,
                graph.cumulative,
                rng.permutation(starts),
                config.walk_length,
                config.window,
                config.negatives,
                stay,
                other,
                LEARNING_RATE * (1 - number / rounds),
                LEARNING_RATE * (1 - (number + 1) / rounds),
                LEARNING_RATE / 1000,
                centre,
                context,
                state,
            )
            progress.advance(len(starts))
    return Embedding(centre, context, noise)


@kernel
def _learn(
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    cumulative: NDArray[np.float64],
    starts: NDArray[np.int32],
    walk_length: int,
    window: int,
    negatives: int,
    stay: NDArray[np.float64],
    other: NDArray[np.int32],
    first_rate: float,
    last_rate: float,
    least_rate: float,
    centre: NDArray[np.float32],
    context: NDArray[np.float32],
    state: State,
) -> None:
    """One walk from each start, and a gradient step for each pair within a window of it."""
    dim = centre.shape[1]
    path = np.empty(walk_length, np.int32)
    change = np.empty(dim, np.float32)
    sample = np.empty(negatives + 1, np.int32)  # what is near, then the negatives
    one = np.float32(1)
    for s in range(len(starts)):
        falling = first_rate + (last_rate - first_rate) * (s / len(starts))
        rate = np.float32(max(least_rate, falling))
        length = walk(offsets, targets, cumulative, starts[s], path, state)
        for i in range(length):
            middle = path[i]
            vector = centre[middle]
            reach = 1 + int(bits(state) % np.uint64(window))
            for k in range(1, negatives + 1):
                sample[k] = draw(stay, other, state)
            for j in range(max(0, i - reach), min(length, i + reach + 1)):
                near = path[j]
                if near == middle:
                    continue
                change[:] = np.float32(0)
                sample[0] = near
                for k in range(negatives + 1):
                    target = sample[k]
                    if k > 0 and target in (near, middle):
                        continue
                    # Written out: as a kernel of its own this step takes more than twice as long.
                    toward = context[target]
                    dot = np.float32(0)
                    for d in range(dim):
                        dot += vector[d] * toward[d]
                    step = (np.float32(k == 0) - one / (one + np.exp(-dot))) * rate
                    for d in range(dim):
                        change[d] += step * toward[d]
                    for d in range(dim):
                        toward[d] += step * vector[d]
                for d in range(dim):
                    vector[d] += change[d]
