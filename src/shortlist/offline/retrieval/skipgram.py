"""Skip-gram with negative sampling over random walks on an item graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import ItemGraphRetriever
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.offline.retrieval import mixture as mixtures
from shortlist.offline.retrieval.graph import ItemGraph, walk
from shortlist.offline.retrieval.mixture import Mixture, learn, mix, weigh
from shortlist.offline.retrieval.sampling import State, alias_table, bits, draw, state_of
from shortlist.offline.retrieval.side_information import SideInformation

NOISE_POWER = 0.75
"""Negatives are drawn in proportion to this power of an item's strength (Mikolov et al. 2013)."""

LEARNING_RATE = 0.05
"""At the first walk; it falls linearly to a thousandth of that at the last."""

ATTENTION_RATE = 1.0
"""How fast the weights of attributes are learnt, of the rate of vectors."""


@dataclass(frozen=True)
class Embedding:
    """Two vectors of every item; zeros for items that are not known.

    Attributes:
        centre: `float32[items, dim]`, the item as the middle of a window.
        context: `float32[items, dim]`, the item as one that is near.
        noise: `float64[items]`, the log of the weight that an item is drawn with as a negative,
            -inf for items that are not known.
        mixture: what the centre vectors are averages of.
    """

    centre: NDArray[np.float32]
    context: NDArray[np.float32]
    noise: NDArray[np.float64]
    mixture: Mixture


def train(
    graph: ItemGraph,
    side: SideInformation,
    config: ItemGraphRetriever,
    seed: int,
    progress: Progress,
) -> Embedding:
    """Embed the items of a graph (Wang et al. 2018, section 3.1, equations 1 to 6).

    `config.walks` walks of `config.walk_length` items from every item that has edges, in a new
    random order each time, `config.epochs` times over; walks are made as they are learnt from and
    never stored. Each window is of a random size up to `config.window` (Mikolov et al. 2013), and
    its pairs share their negatives (Ji et al. 2016), so that each is met once for the whole window
    with the weight of its pairs. One thread, so that a seed gives one result.

    Args:
        graph: the item graph.
        side: what items share; none is fine.
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
    mixture = mixtures.start(side, centre, np.random.default_rng([seed, 0x5619]))
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
                ATTENTION_RATE,
                mixture,
                context,
                state,
            )
            progress.advance(len(starts))
    if mixture.attributes:
        centre = np.zeros_like(centre)
        centre[starts] = mixtures.vectors(mixture, starts, mixtures.shares(mixture, starts))
    return Embedding(centre, context, noise, mixture)


@kernel
def _sample(
    path: NDArray[np.int32],
    at: int,
    window: int,
    stay: NDArray[np.float64],
    other: NDArray[np.int32],
    state: State,
    sample: NDArray[np.int32],
    pairs: NDArray[np.float32],
) -> tuple[int, int]:
    """What is near a place of a walk, then the negatives of all its pairs.

    `pairs` says how many pairs a negative is for: not for those whose near item it is, and none of
    the item itself.

    Returns:
        How many are near, and how many there are.
    """
    reach = 1 + int(bits(state) % np.uint64(window))
    near = 0
    for j in range(max(0, at - reach), min(len(path), at + reach + 1)):
        if path[j] != path[at]:
            sample[near] = path[j]
            pairs[near] = 1
            near += 1
    all = near
    for _ in range(len(sample) - 2 * window):
        target = draw(stay, other, state)
        alike = 0
        for j in range(near):
            alike += sample[j] == target
        if target != path[at] and alike < near:
            sample[all] = target
            pairs[all] = near - alike
            all += 1
    return near, all


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
    attention_rate: float,
    mixture: Mixture,
    context: NDArray[np.float32],
    state: State,
) -> None:
    """One walk from each start, and a gradient step for the pairs within each window of it."""
    dim = context.shape[1]
    mixed = mixture.attributes > 0
    path = np.empty(walk_length, np.int32)
    sample = np.empty(2 * window + negatives, np.int32)
    pairs = np.ones(2 * window + negatives, np.float32)
    change = np.empty(dim, np.float32)
    average = np.empty(dim, np.float32)
    share = np.empty(mixture.attributes + 1, np.float32)
    parts = np.empty((mixture.attributes + 1, dim), np.float32)
    one = np.float32(1)
    for s in range(len(starts)):
        falling = first_rate + (last_rate - first_rate) * (s / len(starts))
        rate = np.float32(max(least_rate, falling))
        length = walk(offsets, targets, cumulative, starts[s], path, state)
        for i in range(length):
            middle = path[i]
            near, all = _sample(path[:length], i, window, stay, other, state, sample, pairs)
            vector = mixture.own[middle]
            if mixed:
                weigh(mixture, middle, share)
                mix(mixture, middle, share, parts, average)
                vector = average
            for d in range(dim):
                change[d] = 0
            for k in range(all):
                target = sample[k]
                # Written out: as a kernel of its own this step takes more than twice as long.
                toward = context[target]
                dot = np.float32(0)
                for d in range(dim):
                    dot += vector[d] * toward[d]
                step = (np.float32(k < near) - one / (one + np.exp(-dot))) * rate * pairs[k]
                for d in range(dim):
                    change[d] += step * toward[d]
                for d in range(dim):
                    toward[d] += step * vector[d]
            if mixed:
                learn(mixture, middle, share, parts, vector, change, attention_rate)
            else:
                for d in range(dim):
                    vector[d] += change[d]
