"""What the item tower reads of each item, stored once and looked up by row.

A training example names items by row; their attributes are never copied into it (Zhang et al.,
"Towards personalized and semantic retrieval", SIGIR 2020, section 4.4, on JD's training data).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue, Column
from shortlist.core.jit import kernel

TERMS = 1 << 16
"""Keywords of a column, and words of a text, share so many vectors at most."""

WORDS = 64
"""At most so many words of a text are read."""


@dataclass(frozen=True)
class Entities:
    """Features of every catalogue row.

    Attributes:
        offsets: `int64[items + 1]` into `codes` and `weights`.
        codes: `int64[k]`, which features an item has: keywords and hashed words.
        weights: `float32[k]`; those of one column of an item sum to 1.
        numbers: `float32[items, c]`, standardised, 0 where missing, and a flag for each that is.
        codebook: how many different codes there are.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]
    numbers: NDArray[np.float32]
    codebook: int

    @classmethod
    def of(cls, catalogue: Catalogue, *, text: bool) -> Entities:
        """The features of a catalogue; `text` says whether texts are read."""
        n = len(catalogue)
        lists: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        numbers: list[NDArray[np.float32]] = []
        codebook = 0
        for column in catalogue.columns.values():
            if column.kind in ("number", "time"):
                numbers += _standardised(column)
                continue
            if column.kind == "text" and not text:
                continue
            if column.kind == "text":
                offsets, codes = words(column.arrays["offsets"], column.arrays["blob"])
                size = TERMS
            else:
                offsets, terms = column.lists()
                size = max(1, min(len(column.terms), TERMS))
                codes = terms.astype(np.int64) % size
            lists.append((offsets.astype(np.int64), codes + codebook))
            codebook += size
        offsets, codes, weights = _joined(n, lists)
        table = np.stack(numbers, 1) if numbers else np.zeros((n, 0), np.float32)
        return cls(offsets, codes, weights, table, codebook)

    @classmethod
    def none(cls, items: int) -> Entities:
        """No features of so many items."""
        nothing = np.zeros((items, 0), np.float32)
        offsets, codes, weights = _joined(items, [])
        return cls(offsets, codes, weights, nothing, 0)

    @property
    def width(self) -> int:
        """How many numbers an item has."""
        return int(self.numbers.shape[1])

    @property
    def empty(self) -> bool:
        """Whether the catalogue says nothing of its items."""
        return not len(self.codes) and not self.width

    @property
    def bytes(self) -> int:
        """The size of the tables."""
        arrays = (self.offsets, self.codes, self.weights, self.numbers)
        return sum(array.nbytes for array in arrays)

    def bytes_in(self, rows: NDArray[np.int32]) -> int:
        """The size of the features of these rows, if each carried its own."""
        lengths = np.diff(self.offsets)[rows]
        each = self.codes.itemsize + self.weights.itemsize
        return int(lengths.sum()) * each + len(rows) * self.width * self.numbers.itemsize

    def bags(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Codes and weights of some rows one after another, and where each row's begin."""
        return _bags(self.offsets, self.codes, self.weights, rows)


def words(
    offsets: NDArray[np.int64], blob: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hashed words and pairs of neighbouring words of texts, as offsets and codes below `TERMS`.

    A word is a run of ASCII letters and digits without regard to case, or one character that is
    not ASCII: pairs are then what n-grams are to scripts without spaces.
    """
    return _words(offsets.astype(np.int64), blob, WORDS, TERMS)


def _standardised(column: Column) -> list[NDArray[np.float32]]:
    """A column of numbers or times with mean 0 and deviation 1, and where it is missing."""
    values = column.arrays["values"].astype(np.float64)
    missing = column.arrays["values"] == NO_TIME if column.kind == "time" else np.isnan(values)
    there = values[~missing & np.isfinite(values)]
    mean, deviation = (float(there.mean()), float(there.std())) if len(there) else (0.0, 1.0)
    scaled = np.where(missing, 0, (values - mean) / (deviation or 1.0))
    flags = [missing.astype(np.float32)] if missing.any() else []
    return [np.clip(np.nan_to_num(scaled), -5, 5).astype(np.float32), *flags]


def _joined(
    n: int, lists: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Several columns' lists as one list for each item."""
    rows, codes, weights = [], [], []
    for offsets, column in lists:
        lengths = np.diff(offsets)
        rows.append(np.repeat(np.arange(n), lengths))
        codes.append(column)
        weights.append(np.repeat(1 / np.maximum(lengths, 1), lengths))
    if not rows:
        return np.zeros(n + 1, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    offsets = np.append(0, np.cumsum(np.bincount(row, minlength=n))).astype(np.int64)
    return (
        offsets,
        np.concatenate(codes)[order],
        np.concatenate(weights)[order].astype(np.float32),
    )


@kernel
def _bags(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int64],
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    total = 0
    for row in rows:
        total += offsets[row + 1] - offsets[row]
    some = np.empty(total, np.int64)
    weigh = np.empty(total, np.float32)
    begin = np.empty(len(rows), np.int64)
    n = 0
    for i in range(len(rows)):
        begin[i] = n
        for p in range(offsets[rows[i]], offsets[rows[i] + 1]):
            some[n] = codes[p]
            weigh[n] = weights[p]
            n += 1
    return some, weigh, begin


@kernel
def _words(
    offsets: NDArray[np.int64], blob: NDArray[np.uint8], most: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    out = np.empty(len(blob) * 2 + 1, np.int64)
    ends = np.zeros(len(offsets), np.int64)
    mask = np.uint64(0xFFFFFFFF)
    prime = np.uint64(16777619)
    n = 0
    for i in range(len(offsets) - 1):
        at, stop = offsets[i], offsets[i + 1]
        count = 0
        before = np.uint64(0)
        while at < stop and count < most:
            byte = blob[at]
            # FNV-1a (Fowler, Noll and Vo) over the bytes of the word.
            hashed = np.uint64(2166136261)
            length = 0
            if byte >= 0x80:
                while at < stop and (length == 0 or 0x80 <= blob[at] < 0xC0):
                    hashed = ((hashed ^ np.uint64(blob[at])) * prime) & mask
                    at += 1
                    length += 1
            else:
                while at < stop:
                    byte = blob[at]
                    if 65 <= byte <= 90:
                        byte += np.uint8(32)
                    if not (97 <= byte <= 122 or 48 <= byte <= 57):
                        break
                    hashed = ((hashed ^ np.uint64(byte)) * prime) & mask
                    at += 1
                    length += 1
                if length == 0:
                    at += 1
                    continue
            out[n] = np.int64(hashed % np.uint64(size))
            n += 1
            if count > 0:
                pair = (((before * prime) & mask) ^ hashed) * prime & mask
                out[n] = np.int64(pair % np.uint64(size))
                n += 1
            before = hashed
            count += 1
        ends[i + 1] = n
    return ends, out[:n].copy()
