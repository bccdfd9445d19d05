"""`Postings`: the rows that have each term, and how often; an index that never stops early.

Where only some rows may be found, or all that match are to be counted, a query must meet every one
of them anyway: term at a time, adding up (Turtle and Flood, 1995, section 2), in one pass over
plain arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds, set_rows
from shortlist.core.jit import kernel
from shortlist.index.lexical.contract import K1, B

ARRAYS = ("starts", "holders", "counts")


@dataclass(frozen=True)
class Postings:
    """Lists of rows by term.

    Attributes:
        starts: `int64[terms + 1]` into the others.
        holders: `int32[p]`, the rows that have each term in any field, ascending.
        counts: `uint16[p]`, how often they have it, each field's times its weight.
    """

    starts: NDArray[np.int64]
    holders: NDArray[np.int32]
    counts: NDArray[np.uint16]

    @classmethod
    def of(
        cls,
        tokens: NDArray[np.int32],
        offsets: NDArray[np.int64],
        weights: NDArray[np.float32],
        frequencies: NDArray[np.int32],
    ) -> Postings:
        """Those of texts.

        Args:
            tokens, offsets, weights: as in `Forward`.
            frequencies: `int32[terms]`, rows with each term.
        """
        return cls(*_invert(tokens, offsets, weights, frequencies))

    def holding(self, terms: NDArray[np.int32], allow: Bitmap) -> Bitmap:
        """The allowed rows that have one of some terms."""
        out = np.zeros_like(allow)
        for term in terms.tolist():
            set_rows(out, self.holders[self.starts[term] : self.starts[term + 1]])
        return np.bitwise_and(out, allow)

    def scores(
        self,
        terms: NDArray[np.int32],
        worth: NDArray[np.float32],
        lengths: NDArray[np.float32],
        allow: Bitmap,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """BM25 of every allowed row that has one of some terms.

        Args:
            terms: `int32[t]`.
            worth: `float32[t]`, the weight of each times its rarity.
            lengths: `float32[n]`, each row's length as a share of the average.
            allow: bitmap.

        Returns:
            Rows, ascending, and their scores.
        """
        return _add_up(terms, worth, self.starts, self.holders, self.counts, lengths, allow)


@kernel
def _invert(
    tokens: NDArray[np.int32],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32],
    frequencies: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint16]]:
    """`Postings.starts`, `holders` and `counts`."""
    fields, n = offsets.shape[0], offsets.shape[1] - 1
    starts = np.zeros(len(frequencies) + 1, np.int64)
    for term in range(len(frequencies)):
        starts[term + 1] = starts[term] + frequencies[term]
    holders = np.empty(starts[len(frequencies)], np.int32)
    counts = np.zeros(len(holders), np.uint16)
    at = starts[:-1].copy()
    for row in range(n):
        for f in range(fields):
            for place in range(offsets[f, row], offsets[f, row + 1]):
                term = tokens[place]
                if at[term] == starts[term] or holders[at[term] - 1] != row:
                    holders[at[term]] = row
                    at[term] += 1
                more = counts[at[term] - 1] + np.int64(weights[f])
                counts[at[term] - 1] = np.uint16(min(more, 65_535))
    return starts, holders, counts


@kernel
def _add_up(
    wanted: NDArray[np.int32],
    worth: NDArray[np.float32],
    starts: NDArray[np.int64],
    holders: NDArray[np.int32],
    counts: NDArray[np.uint16],
    lengths: NDArray[np.float32],
    allow: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """BM25 of every allowed row that has a wanted term; rows ascending."""
    total = np.zeros(len(lengths), np.float32)
    most = 0
    for term in wanted:
        most += starts[term + 1] - starts[term]
    met = np.empty(most, np.int32)
    n = 0
    for t in range(len(wanted)):
        for at in range(starts[wanted[t]], starts[wanted[t] + 1]):
            row = holders[at]
            if holds(allow, row):
                norm = np.float32(K1) * (np.float32(1 - B) + np.float32(B) * lengths[row])
                count = np.float32(counts[at])
                if total[row] == 0:
                    met[n] = row
                    n += 1
                total[row] += worth[t] * count * np.float32(K1 + 1) / (count + norm)
    rows = np.sort(met[:n])
    return rows, total[rows]
