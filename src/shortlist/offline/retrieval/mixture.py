"""An item's vector as the attention-weighted average of its own and its attributes' vectors.

Wang et al., "Billion-scale commodity embedding for e-commerce recommendation in Alibaba" (KDD
2018), section 3.3: `H_v = Σ_j exp(a_v^j) W_v^j / Σ_j exp(a_v^j)` (equation 6), with j = 0 the item
itself. An attribute with several values is the mean of their vectors; one that an item lacks has
no part in its sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.retrieval.side_information import SideInformation


class Mixture(NamedTuple):
    """What the vectors of items are averages of; learnt in place.

    Attributes:
        attributes: how many there are; with none an item's vector is its own.
        offsets, codes: of `SideInformation`.
        own: `float32[items, dim]`, the vectors of ids.
        shared: `float32[codes, dim]`, the vectors of attributes' values.
        attention: `float32[items, attributes + 1]`, the `a_v`; the first is the id's.
    """

    attributes: int
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    own: NDArray[np.float32]
    shared: NDArray[np.float32]
    attention: NDArray[np.float32]


def start(side: SideInformation, own: NDArray[np.float32], rng: np.random.Generator) -> Mixture:
    """A mixture before learning: all that an item has counts alike."""
    dim = own.shape[1]
    size = (side.size, dim)
    shared = (rng.random(size, np.float32) - 0.5) / np.float32(dim) if side.size else np.zeros(size)
    attention = np.zeros((len(own), len(side.names) + 1), np.float32)
    return Mixture(
        len(side.names), side.offsets, side.codes, own, shared.astype(np.float32), attention
    )


def vectors(
    mixture: Mixture, rows: NDArray[np.int32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The vectors of some items, `float32[n, dim]`, by what each part counts (see `shares`)."""
    out = np.zeros((len(rows), mixture.own.shape[1]), np.float32)
    _vectors(mixture, rows, share, out)
    return out


def shares(mixture: Mixture, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """What each part counts in some items, `float32[n, attributes + 1]`; rows sum to 1."""
    out = np.zeros((len(rows), mixture.attributes + 1), np.float32)
    _shares(mixture, rows, out)
    return out


@kernel
def weigh(mixture: Mixture, item: int, share: NDArray[np.float32]) -> None:
    """What each part counts in an item's vector, into `share`; 0 for what it lacks."""
    most = mixture.attention[item, 0]
    for a in range(mixture.attributes):
        slot = item * mixture.attributes + a
        if mixture.offsets[slot + 1] > mixture.offsets[slot]:
            most = max(most, mixture.attention[item, a + 1])
    total = np.float32(0)
    for a in range(mixture.attributes + 1):
        slot = item * mixture.attributes + a - 1
        share[a] = 0
        if a == 0 or mixture.offsets[slot + 1] > mixture.offsets[slot]:
            share[a] = np.exp(mixture.attention[item, a] - most)
            total += share[a]
    for a in range(mixture.attributes + 1):
        share[a] /= total


@kernel
def mix(
    mixture: Mixture,
    item: int,
    share: NDArray[np.float32],
    parts: NDArray[np.float32],
    vector: NDArray[np.float32],
) -> None:
    """An item's vector into `vector`, by `share`; its parts `float32[attributes + 1, d]` too."""
    dim = len(vector)
    for d in range(dim):
        parts[0, d] = mixture.own[item, d]
        vector[d] = share[0] * parts[0, d]
    for a in range(mixture.attributes):
        slot = item * mixture.attributes + a
        first, stop = mixture.offsets[slot], mixture.offsets[slot + 1]
        if first == stop:
            continue
        for d in range(dim):
            parts[a + 1, d] = 0
        one = np.float32(1) / np.float32(stop - first)
        for p in range(first, stop):
            code = mixture.codes[p]
            for d in range(dim):
                parts[a + 1, d] += one * mixture.shared[code, d]
        for d in range(dim):
            vector[d] += share[a + 1] * parts[a + 1, d]


@kernel
def learn(
    mixture: Mixture,
    item: int,
    share: NDArray[np.float32],
    parts: NDArray[np.float32],
    vector: NDArray[np.float32],
    change: NDArray[np.float32],
    attention_rate: float,
) -> None:
    """Move an item's vector by `change`, through its parts and what each counts.

    Each part moves in proportion to its share, so far that together they move the vector by
    `change` and not by the sum of the squares of the shares times it: an item with many attributes
    is learnt as fast as one with none. The `a_v` take the gradient as it is (equations 8 to 10).
    """
    dim = len(vector)
    squares = np.float32(0)
    along = np.float32(0)
    for a in range(mixture.attributes + 1):
        squares += share[a] * share[a]
    for d in range(dim):
        along += vector[d] * change[d]
    for a in range(mixture.attributes + 1):
        if share[a] == 0:
            continue
        step = share[a] / squares
        dot = np.float32(0)
        for d in range(dim):
            dot += parts[a, d] * change[d]
        mixture.attention[item, a] += np.float32(attention_rate) * share[a] * (dot - along)
        if a == 0:
            for d in range(dim):
                mixture.own[item, d] += step * change[d]
            continue
        slot = item * mixture.attributes + a - 1
        for p in range(mixture.offsets[slot], mixture.offsets[slot + 1]):
            code = mixture.codes[p]
            for d in range(dim):
                mixture.shared[code, d] += step * change[d]


@kernel
def _vectors(
    mixture: Mixture,
    rows: NDArray[np.int32],
    share: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    parts = np.empty((mixture.attributes + 1, out.shape[1]), np.float32)
    for i in range(len(rows)):
        mix(mixture, rows[i], share[i], parts, out[i])


@kernel
def _shares(mixture: Mixture, rows: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    for i in range(len(rows)):
        weigh(mixture, rows[i], out[i])
