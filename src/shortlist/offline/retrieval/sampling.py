"""Random numbers and draws inside compiled kernels: SplitMix64 and alias tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

State = NDArray[np.uint64]
"""`uint64[1]`, the generator's state; kernels advance it in place."""


def state_of(seed: int, *stream: int) -> State:
    """A generator's state from a seed; different streams of one seed are independent."""
    return np.random.default_rng([seed, *stream]).integers(0, 2**63, 1, dtype=np.uint64)


@kernel
def bits(state: State) -> Any:
    """The next 64 random bits, `uint64` (SplitMix64, Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def unit(state: State) -> float:
    """A uniform number in [0, 1)."""
    return float(bits(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """An alias table: draws from `weights` in constant time (Walker 1977, Vose 1991).

    Args:
        weights: `float64[n]`, at least 0, their sum above 0.

    Returns:
        stay `float64[n]`, other `int32[n]`: draw a place uniformly, keep it with probability
        `stay[place]`, else take `other[place]`.
    """
    n = len(weights)
    stay = np.ones(n)
    other = np.arange(n).astype(np.int32)
    scaled = weights * (n / weights.sum())
    small = np.empty(n, np.int32)
    large = np.empty(n, np.int32)
    smalls = larges = 0
    for i in range(n):
        if scaled[i] < 1:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        poor, rich = small[smalls], large[larges - 1]
        stay[poor] = scaled[poor]
        other[poor] = rich
        scaled[rich] -= 1 - scaled[poor]
        if scaled[rich] < 1:
            larges -= 1
            small[smalls] = rich
            smalls += 1
    return stay, other


@kernel
def draw(stay: NDArray[np.float64], other: NDArray[np.int32], state: State) -> int:
    """A place drawn from an alias table."""
    z = bits(state)
    place = np.int64((z >> np.uint64(32)) * np.uint64(len(stay)) >> np.uint64(32))
    if float(z & np.uint64(0xFFFFFFFF)) * (1.0 / 4294967296.0) < stay[place]:
        return int(place)
    return int(other[place])
