"""`Vocabulary`: item ids (strings of any kind) bound early to catalogue rows (int32).

Rows are stable: a vocabulary only ever grows, so a known id keeps its row in every later release.
Lookups go through a 64-bit key (XXH3 of the UTF-8 bytes), sorted and memory-mapped, so that
worker processes share one copy and no Python dictionary of millions of ids exists. Stores that
outlive a release (user histories) keep keys, not rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from shortlist.core.errors import DataError
from shortlist.core.jit import kernel

UNKNOWN = -1


def item_key(id: str) -> int:
    """The 64-bit key of an id."""
    return xxh3_64_intdigest(id.encode("utf-8", "surrogatepass"))


def item_keys(ids: Iterable[str]) -> NDArray[np.uint64]:
    """The 64-bit keys of ids, `uint64[n]`."""
    return np.fromiter((item_key(id) for id in ids), np.uint64)


class Vocabulary:
    """Ids and their rows. Build with `of` or `extend`; open a saved one with `load`."""

    def __init__(
        self,
        blob: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        keys: NDArray[np.uint64],
        rows: NDArray[np.int32],
    ) -> None:
        self._blob, self._offsets, self._keys, self._rows = blob, offsets, keys, rows
        self._buffer = memoryview(blob.data) if len(blob) else memoryview(b"")

    @classmethod
    def of(cls, ids: Sequence[str]) -> Vocabulary:
        """A vocabulary in which `ids[i]` has row `i`.

        Raises:
            DataError: an id occurs twice, or two ids share a 64-bit key (about one chance in
                16 million for a catalogue of 1.5 million items).
        """
        encoded = [id.encode("utf-8", "surrogatepass") for id in ids]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(b) for b in encoded], out=offsets[1:])
        blob = np.frombuffer(b"".join(encoded), np.uint8)
        keys = np.fromiter((xxh3_64_intdigest(b) for b in encoded), np.uint64, len(encoded))
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            one, other = ids[order[twice[0]]], ids[order[twice[0] + 1]]
            problem = (
                f"the item id {one!r} occurs twice"
                if one == other
                else (f"the item ids {one!r} and {other!r} share a 64-bit key")
            )
            raise DataError(problem + ".", remedy="Give each item one id of its own.")
        return cls(blob, offsets, ordered, order.astype(np.int32))

    def extend(self, ids: Iterable[str]) -> Vocabulary:
        """A vocabulary with the known ids at their rows and the new ones after them, in order."""
        known = self.ids()
        seen = set(known)
        fresh = [id for id in dict.fromkeys(ids) if id not in seen]
        return Vocabulary.of(known + fresh) if fresh else self

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def rows(self, ids: Sequence[str]) -> NDArray[np.int32]:
        """Rows of ids, `int32[n]`; `UNKNOWN` (-1) for ids that are not in it."""
        return self.rows_of_keys(item_keys(ids))

    def rows_of_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of 64-bit keys, `int32[n]`; `UNKNOWN` (-1) for keys that are not in it."""
        out = np.empty(len(keys), np.int32)
        _lookup(self._keys, self._rows, keys, out)
        return out

    def keys(self) -> NDArray[np.uint64]:
        """The key of every row, `uint64[len]`."""
        out = np.empty(len(self), np.uint64)
        out[self._rows] = self._keys
        return out

    def id(self, row: int) -> str:
        """The id at a row."""
        start, stop = self._offsets[row], self._offsets[row + 1]
        return str(self._buffer[start:stop], "utf-8", "surrogatepass")

    def ids(self, rows: NDArray[np.int32] | None = None) -> list[str]:
        """The ids at rows, in the order of the rows; all of them without `rows`."""
        if rows is None:
            starts, stops = self._offsets[:-1].tolist(), self._offsets[1:].tolist()
        else:
            starts, stops = self._offsets[rows].tolist(), self._offsets[rows + 1].tolist()
        buffer = self._buffer
        return [
            str(buffer[a:b], "utf-8", "surrogatepass") for a, b in zip(starts, stops, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write the vocabulary's four arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "blob.npy", self._blob)
        np.save(folder / "offsets.npy", self._offsets)
        np.save(folder / "keys.npy", self._keys)
        np.save(folder / "rows.npy", self._rows)

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Open a saved vocabulary, memory-mapped."""
        blob, offsets, keys, rows = (
            open_array(folder / f"{name}.npy") for name in ("blob", "offsets", "keys", "rows")
        )
        return cls(blob, offsets, keys, rows)


def open_array(path: Path) -> NDArray[Any]:
    """A saved array, memory-mapped read-only where it has any bytes."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:  # an empty file cannot be mapped
        return np.asarray(np.load(path, allow_pickle=False))


@kernel
def _lookup(
    keys: NDArray[np.uint64],
    rows: NDArray[np.int32],
    wanted: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> None:
    """Interpolation-free binary search of each wanted key."""
    n = len(keys)
    for i in range(len(wanted)):
        low, high = 0, n
        key = wanted[i]
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        out[i] = rows[low] if low < n and keys[low] == key else -1
