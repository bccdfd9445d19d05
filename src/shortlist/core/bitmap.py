"""Bitmaps over catalogue rows: `uint8[(n + 7) // 8]`, row `i` is bit `i % 8` of byte `i // 8`.

The layout is the one that faiss' `IDSelectorBitmap` reads, so a filter goes into an index as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

Bitmap = NDArray[np.uint8]


def pack(flags: NDArray[np.bool_]) -> Bitmap:
    """A bitmap of `bool[n]`."""
    return np.packbits(flags, bitorder="little")


def unpack(bitmap: Bitmap, n: int) -> NDArray[np.bool_]:
    """The `bool[n]` that a bitmap stands for."""
    return np.unpackbits(bitmap, count=n, bitorder="little").view(np.bool_)


def full(n: int) -> Bitmap:
    """A bitmap of n set rows."""
    return pack(np.ones(n, np.bool_))


def rows_of(bitmap: Bitmap, n: int) -> NDArray[np.int32]:
    """The set rows, ascending, `int32[count]`."""
    return np.flatnonzero(unpack(bitmap, n)).astype(np.int32)


@kernel
def holds(bitmap: Bitmap, row: int) -> bool:
    """Whether a row is set; rows past the bitmap are not."""
    return row >> 3 < len(bitmap) and (bitmap[row >> 3] >> (row & 7)) & 1 == 1


@kernel
def held(bitmap: Bitmap, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of some rows are set, `bool[n]`; rows past the bitmap are not."""
    out = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        out[i] = holds(bitmap, rows[i])
    return out


@kernel
def count(bitmap: Bitmap) -> int:
    """How many rows are set."""
    total = 0
    for byte in bitmap:
        b = int(byte)
        b = b - ((b >> 1) & 0x55)
        b = (b & 0x33) + ((b >> 2) & 0x33)
        total += (b + (b >> 4)) & 0x0F
    return total


@kernel
def clear_rows(bitmap: Bitmap, rows: NDArray[np.int32]) -> None:
    """Unset rows in place; negative rows and those past the end are passed over."""
    for row in rows:
        if 0 <= row < 8 * len(bitmap):
            bitmap[row >> 3] &= np.uint8(~(1 << (row & 7)) & 0xFF)


@kernel
def set_rows(bitmap: Bitmap, rows: NDArray[np.int32]) -> None:
    """Set rows in place; negative rows and those past the end are passed over."""
    for row in rows:
        if 0 <= row < 8 * len(bitmap):
            bitmap[row >> 3] |= np.uint8(1 << (row & 7))
