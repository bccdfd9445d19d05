"""`Vocabulary`: item ids (strings of any kind) bound early to catalogue rows (int32).

Rows are stable: a vocabulary only ever grows, so a known id keeps its row in every later release.
Lookups go through a 64-bit key (`core.keys`), sorted and memory-mapped, so that worker processes
share one copy and no Python dictionary of millions of ids exists. Stores that outlive a release
(user histories) keep keys, not rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import DataError
from shortlist.core.jit import kernel
from shortlist.core.keys import concatenate, decode, item_keys, keys_of

UNKNOWN = -1


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
        self._separable = not bool((blob == 0).any())

    @classmethod
    def of(cls, ids: Sequence[str]) -> Vocabulary:
        """A vocabulary in which `ids[i]` has row `i`.

        Raises:
            DataError: an id occurs twice, or two ids share a 64-bit key (about one chance in
                16 million for a catalogue of 1.5 million items).
        """
        blob, offsets = concatenate(ids)
        keys = keys_of(blob, offsets)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            one, other = ids[order[twice[0]]], ids[order[twice[0] + 1]]
            problem = (
                f"the item id {one!r} occurs twice"
                if one == other
                else f"the item ids {one!r} and {other!r} share a 64-bit key"
            )
            raise DataError(problem + ".", remedy="Give each item one id of its own.")
        return cls(blob, offsets, ordered, order.astype(np.int32))

    def extend(self, ids: Iterable[str]) -> Vocabulary:
        """A vocabulary with the known ids at their rows and the new ones after them, in order."""
        wanted = list(dict.fromkeys(ids))
        rows = self.rows(wanted)
        fresh = [wanted[i] for i in np.flatnonzero(rows == UNKNOWN)]
        return Vocabulary.of(self.ids() + fresh) if fresh else self

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
        return decode(self._blob[self._offsets[row] : self._offsets[row + 1]].tobytes())

    def ids(self, rows: NDArray[np.int32] | None = None) -> list[str]:
        """The ids at rows, in the order of the rows; all of them without `rows`."""
        if rows is None:
            rows = np.arange(len(self), dtype=np.int32)
        if not len(rows):
            return []
        if self._separable:
            return decode(_gather(self._blob, self._offsets, rows).tobytes()).split("\0")
        return [self.id(row) for row in rows.tolist()]

    def beginning(self, prefix: str, most: int) -> NDArray[np.int32]:
        """The first rows, at most so many, whose ids begin so, `int32[n]`, ascending."""
        wanted, _ = concatenate([prefix])
        out = np.empty(most, np.int32)
        return out[: _beginning(self._blob, self._offsets, wanted, out)]

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
def _beginning(
    blob: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    wanted: NDArray[np.uint8],
    out: NDArray[np.int32],
) -> int:
    """Write the rows whose ids begin with the wanted bytes; how many."""
    found, size = 0, len(wanted)
    for row in range(len(offsets) - 1):
        start = offsets[row]
        if offsets[row + 1] - start < size:
            continue
        same = 0
        while same < size and blob[start + same] == wanted[same]:
            same += 1
        if same == size:
            if found == len(out):
                break
            out[found] = row
            found += 1
    return found


@kernel
def _gather(
    blob: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """The bytes of the rows' ids, separated by NULs."""
    size = len(rows) - 1
    for row in rows:
        size += offsets[row + 1] - offsets[row]
    out = np.zeros(size, np.uint8)
    at = 0
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            out[at] = blob[i]
            at += 1
        at += 1
    return out


@kernel
def _lookup(
    keys: NDArray[np.uint64],
    rows: NDArray[np.int32],
    wanted: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> None:
    """Find each wanted key: keys are uniform, so its place is guessed, bracketed and bisected."""
    n = len(keys)
    for i in range(len(wanted)):
        key = wanted[i]
        guess = int(np.int64(((key >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)))
        low, high, step = guess, guess, 8
        while low > 0 and keys[low] >= key:
            low = max(low - step, 0)
            step *= 2
        step = 8
        while high < n and keys[high] < key:
            high = min(high + step, n)
            step *= 2
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        out[i] = rows[low] if low < n and keys[low] == key else -1
