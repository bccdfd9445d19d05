"""Caps: at most so many items of one value in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.online.arrange.lists import Lists


class Caps(NamedTuple):
    """What kernels need of caps.

    An item of several values counts for each of them; a row past the arrays has no values.

    Attributes:
        starts, ends: `int64[items]`, where an item's values are; empty without caps.
        codes: `int32[m]`, the values of each item.
        limits: `int32[values]`.
        counts: `int32[values]`, of the list that is being made; zeros between lists.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    codes: NDArray[np.int32]
    limits: NDArray[np.int32]
    counts: NDArray[np.int32]


def caps_of(lists: Lists, max_per: Mapping[str, int]) -> Caps:
    """The caps of `arrange.max_per`, over the values that items have of its attributes."""
    most = np.array([*max_per.values()], np.int32)
    limits = np.concatenate([np.repeat(most, lists.sizes), most[np.array(lists.later, np.int64)]])
    counts = np.zeros(len(limits), np.int32)
    return Caps(lists.starts, lists.ends, lists.codes, limits, counts)


@kernel
def fits(caps: Caps, row: int) -> bool:
    """Whether the list that is being made may have another item, this one."""
    if row < len(caps.starts):
        for j in range(caps.starts[row], caps.ends[row]):
            if caps.counts[caps.codes[j]] >= caps.limits[caps.codes[j]]:
                return False
    return True


@kernel
def take(caps: Caps, row: int) -> None:
    """Count an item."""
    if row < len(caps.starts):
        for j in range(caps.starts[row], caps.ends[row]):
            caps.counts[caps.codes[j]] += 1


@kernel
def clear(caps: Caps, rows: NDArray[np.int32]) -> None:
    """Forget items that were counted."""
    for row in rows:
        if row < len(caps.starts):
            for j in range(caps.starts[row], caps.ends[row]):
                caps.counts[caps.codes[j]] = 0
