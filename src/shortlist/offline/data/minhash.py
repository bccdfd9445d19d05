"""Near duplicates among texts: MinHash signatures and locality-sensitive hashing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

SHINGLE = 4
"""Characters of the overlapping pieces that texts are compared by."""
BINS = 128
"""Numbers of a signature; the error of an estimated likeness is at most 1 / (2 √BINS) = 0.044."""
FOUND = 0.99
"""How likely a pair that is just alike enough is found."""
COMPARED = 32
"""Of a bucket the first so many texts are compared with every other."""


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """One MinHash signature for each text, `uint32[n, BINS]`.

    One-permutation hashing with optimal densification (Shrivastava, ICML 2017): one pass over a
    text, however long its signature. The share of equal numbers of two signatures estimates the
    Jaccard index of the texts' sets of `SHINGLE` neighbouring characters (Broder 1997).
    """
    encoded = [np.frombuffer(t.encode("utf-32-le", "surrogatepass"), np.uint32) for t in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(codes) for codes in encoded], out=offsets[1:])
    codes = np.concatenate([*encoded, np.empty(0, np.uint32)])
    return _signatures(codes, offsets, BINS)


def near_duplicates(found: NDArray[np.uint32], threshold: float) -> NDArray[np.bool_]:
    """Which texts are like an earlier one that stays, `bool[n]`.

    Of those that stay no two are found alike; each that goes is like one that stays.

    Args:
        found: `uint32[n, BINS]`, signatures in the order that decides who stays.
        threshold: the likeness from which on two are the same, in (0, 1].
    """
    rows = _rows_of_band(threshold)
    earlier, later = [], []
    for start in range(0, BINS - rows + 1, rows):
        keys = _band(found, start, rows)
        order = np.argsort(keys, kind="stable")
        one, other = _alike(found, keys[order], order, threshold, COMPARED)
        earlier.append(one)
        later.append(other)
    gone = np.zeros(len(found), np.bool_)
    if not len(found):
        return gone
    one, other = np.concatenate(earlier), np.concatenate(later)
    order = np.argsort(other, kind="stable")
    _sweep(one[order], other[order], gone)
    return gone


def _rows_of_band(threshold: float) -> int:
    """The most numbers of a band with which a pair at the threshold is found likely enough."""
    for rows in (32, 16, 8, 4, 2):
        if 1 - (1 - threshold**rows) ** (BINS // rows) >= FOUND:
            return rows
    return 1


@kernel
def _mixed(x: np.uint64) -> np.uint64:
    """The finaliser of MurmurHash3 (Appleby)."""
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    x ^= x >> np.uint64(33)
    return x


@kernel
def _signatures(
    codes: NDArray[np.uint32], offsets: NDArray[np.int64], bins: int
) -> NDArray[np.uint32]:
    empty = np.uint32(0xFFFFFFFF)
    out = np.full((len(offsets) - 1, bins), empty, np.uint32)
    for i in range(len(offsets) - 1):
        first, stop = offsets[i], offsets[i + 1]
        if first == stop:
            out[i] = np.uint32(0)
            continue
        row = out[i]
        for p in range(first, max(first + 1, stop - SHINGLE + 1)):
            key = np.uint64(0)
            for q in range(p, min(stop, p + SHINGLE)):
                key = _mixed(key * np.uint64(31) + np.uint64(codes[q]) + np.uint64(1))
            place = np.int64(key >> np.uint64(32)) % bins
            value = np.uint32(key & np.uint64(0xFFFFFFFE))
            row[place] = min(row[place], value)
        filled = row != empty
        for bin in range(bins):
            step = np.uint64(0)
            at = np.int64(bin)
            while not filled[at]:  # the same bins are tried for every text
                step += np.uint64(1)
                tried = _mixed((np.uint64(bin) << np.uint64(32)) + step)
                at = np.int64(np.int64(tried >> np.uint64(32)) % bins)
            if at != bin:
                row[bin] = row[at]
    return out


@kernel
def _band(found: NDArray[np.uint32], start: int, rows: int) -> NDArray[np.uint64]:
    keys = np.empty(len(found), np.uint64)
    for i in range(len(found)):
        key = np.uint64(start)
        for r in range(rows):
            key = _mixed(key * np.uint64(31) + np.uint64(found[i, start + r]))
        keys[i] = key
    return keys


@kernel
def _alike(
    found: NDArray[np.uint32],
    keys: NDArray[np.uint64],
    order: NDArray[np.int64],
    threshold: float,
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    one, other = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    n = 0
    start = 0
    bins = found.shape[1]
    while start < len(order):
        stop = start + 1
        while stop < len(order) and keys[stop] == keys[start]:
            stop += 1
        for b in range(start + 1, stop):
            for a in range(start, min(b, start + most)):
                same = 0
                for p in range(bins):
                    same += found[order[a], p] == found[order[b], p]
                if same >= threshold * bins:
                    if n == len(one):
                        one = np.append(one, np.empty(n, np.int64))
                        other = np.append(other, np.empty(n, np.int64))
                    one[n], other[n] = order[a], order[b]
                    n += 1
        start = stop
    return one[:n].copy(), other[:n].copy()


@kernel
def _sweep(one: NDArray[np.int64], other: NDArray[np.int64], gone: NDArray[np.bool_]) -> None:
    """In the order of the later text: it goes when the earlier one stays."""
    for p in range(len(one)):
        if not gone[one[p]]:
            gone[other[p]] = True
