"""Caps: at most so many items of one value in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.online.arrange.lists import Lists


class Caps(NamedTuple):
    """What kernels need of caps.

    An item of several values counts for each of them; a row past the arrays has no values.

    Attributes:
        offsets: `int64[items + 1]`, or `int64[1]` without caps.
        codes: `int32[m]`, the values of each item.
        limits: `int32[values]`.
        counts: `int32[values]`, of the list that is being made; zeros between lists.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    limits: NDArray[np.int32]
    counts: NDArray[np.int32]


def caps_of(catalogue: Catalogue, max_per: Mapping[str, int]) -> Caps:
    """The caps of `arrange.max_per`.

    Raises:
        ConfigError: the release has no such attribute, or it is not one of keywords.
    """
    lists = Lists.of(catalogue, max_per, "arrange.max_per")
    limits = np.repeat(np.array([*max_per.values()], np.int32), lists.sizes)
    return Caps(lists.offsets, lists.codes, limits, np.zeros(len(limits), np.int32))


@kernel
def fits(caps: Caps, row: int) -> bool:
    """Whether the list that is being made may have another item, this one."""
    if row < len(caps.offsets) - 1:
        for j in range(caps.offsets[row], caps.offsets[row + 1]):
            if caps.counts[caps.codes[j]] >= caps.limits[caps.codes[j]]:
                return False
    return True


@kernel
def take(caps: Caps, row: int) -> None:
    """Count an item."""
    if row < len(caps.offsets) - 1:
        for j in range(caps.offsets[row], caps.offsets[row + 1]):
            caps.counts[caps.codes[j]] += 1


@kernel
def clear(caps: Caps, rows: NDArray[np.int32]) -> None:
    """Forget items that were counted."""
    for row in rows:
        if row < len(caps.offsets) - 1:
            for j in range(caps.offsets[row], caps.offsets[row + 1]):
                caps.counts[caps.codes[j]] = 0
