"""`Ragged`: one list of rows per request, in two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths.

    Attributes:
        offsets: `int64[q + 1]`; list `i` is `values[offsets[i]:offsets[i + 1]]`.
        values: `int32[m]`.
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, lists: Sequence[NDArray[np.int32]]) -> Ragged:
        """The lists, one after another."""
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(values) for values in lists], out=offsets[1:])
        joined = np.concatenate(lists) if len(lists) else np.empty(0, np.int32)
        return cls(offsets, joined.astype(np.int32, copy=False))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[np.int32]:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The length of each list, `int64[q]`."""
        return np.diff(self.offsets)

    def keys(self, items: int) -> NDArray[np.int64]:
        """`list * items + value` of every value, ascending, `int64[m]`."""
        lists = np.repeat(np.arange(len(self)), self.lengths)
        return np.sort(lists * items + self.values)
