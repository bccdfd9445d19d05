"""From scored candidates to the list that is shown: order, caps per attribute value, k."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.core.order import best_first


class Arrange:
    """The business rules of `[arrange]` over one catalogue.

    Args:
        catalogue: the items.
        max_per: keyword attribute → how many items of one value a list may hold.
    """

    def __init__(self, catalogue: Catalogue, max_per: Mapping[str, int]) -> None:
        self._offsets, self._codes = np.zeros(len(catalogue) + 1, np.int64), np.empty(0, np.int32)
        limits: list[int] = []
        for name, most in max_per.items():
            column = catalogue.column(name, field="arrange.max_per")
            offsets, codes = column.lists()
            self._offsets, self._codes = _interleave(
                self._offsets, self._codes, offsets, codes + np.int32(len(limits))
            )
            limits += [most] * len(column.terms)
        self._limits = np.array(limits, np.int32)
        self._counts = np.zeros(len(limits), np.int32)

    def __call__(
        self, rows: NDArray[np.int32], scores: NDArray[np.float32], k: int
    ) -> NDArray[np.int64]:
        """Positions of the k candidates to show, best first.

        Equal scores keep the order they came in. A list is shorter than k when the caps leave
        no more.
        """
        if not len(self._limits):
            return best_first(scores, k)
        order = best_first(scores)
        kept = _cap(rows, order, k, self._offsets, self._codes, self._limits, self._counts)
        return np.asarray(kept)


@kernel
def _interleave(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    more_offsets: NDArray[np.int64],
    more_codes: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Join two lists of codes per item."""
    out_offsets = offsets + more_offsets
    out = np.empty(len(codes) + len(more_codes), np.int32)
    for row in range(len(offsets) - 1):
        at = out_offsets[row]
        for j in range(offsets[row], offsets[row + 1]):
            out[at] = codes[j]
            at += 1
        for j in range(more_offsets[row], more_offsets[row + 1]):
            out[at] = more_codes[j]
            at += 1
    return out_offsets, out


@kernel
def _cap(
    rows: NDArray[np.int32],
    order: NDArray[np.int64],
    k: int,
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    limits: NDArray[np.int32],
    counts: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Take from the top what no cap forbids; an item of several values counts for each of them."""
    kept = np.empty(k, np.int64)
    n = 0
    for position in order:
        if n == k:
            break
        row = rows[position]
        fits = True
        for j in range(offsets[row], offsets[row + 1]):
            fits = fits and counts[codes[j]] < limits[codes[j]]
        if fits:
            kept[n] = position
            n += 1
            for j in range(offsets[row], offsets[row + 1]):
                counts[codes[j]] += 1
    for i in range(n):
        row = rows[kept[i]]
        for j in range(offsets[row], offsets[row + 1]):
            counts[codes[j]] = 0
    return kept[:n]
