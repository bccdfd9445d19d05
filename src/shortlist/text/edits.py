"""Kernels of spelling: an index by deletions, and what it costs to mistype one word as another.

Two words within two edits of each other share a string that is left when at most two letters are
taken from each (SymSpell: Garbe 2012; the idea is of Mor & Fraenkel, 1982), and it is enough to
look at prefixes. The distance is optimal string alignment with the costs of a noisy channel
(Brill & Moore, ACL 2000): a slip to a neighbouring key, a letter doubled, or two exchanged are
cheap; the first letter is seldom wrong (Kukich, ACM Computing Surveys 1992, section 2.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

PREFIX = 7
"""How much of a word the index looks at."""
EDITS = 2
"""How many edits it finds."""
SHORT = 4
"""Words up to this long are looked up within one edit."""
DEAR = 2.6
"""Candidates that cost more are left out."""

_VOWELS = np.zeros(128, np.bool_)
_VOWELS[[ord(vowel) for vowel in "aeiouy"]] = True


@kernel
def _hash(word: NDArray[np.int32], size: int, skip: int, other: int) -> np.uint64:
    """FNV-1a over the first letters of a word without the two at `skip` and `other`."""
    value = np.uint64(14695981039346656037)
    for i in range(size):
        if i not in (skip, other):
            value = (value ^ np.uint64(word[i])) * np.uint64(1099511628211)
    return value ^ (value >> np.uint64(29))


@kernel
def deletions(word: NDArray[np.int32], out: NDArray[np.uint64]) -> int:
    """The hashes of a word's prefix without up to two letters; how many there are."""
    size = min(len(word), PREFIX)
    out[0] = _hash(word, size, -1, -1)
    count = 1
    if size > 1:
        for i in range(size):
            out[count] = _hash(word, size, i, -1)
            count += 1
    if size > 2 and len(word) > SHORT:
        for i in range(size):
            for j in range(i + 1, size):
                out[count] = _hash(word, size, i, j)
                count += 1
    return count


@kernel
def build_index(
    letters: NDArray[np.int32], offsets: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Words by the hashes of their deletions.

    Args:
        letters: the words' letters, one after the other.
        offsets: `int64[words + 1]` into `letters`.
        bits: the index has 2 ** bits buckets.

    Returns:
        `int64[buckets + 1]` into the second, and words by bucket, `int32[m]`.
    """
    mask = np.uint64((1 << bits) - 1)
    buckets = np.zeros((1 << bits) + 1, np.int64)
    found = np.empty(1 + PREFIX + PREFIX * (PREFIX - 1) // 2, np.uint64)
    words = len(offsets) - 1
    for word in range(words):
        count = deletions(letters[offsets[word] : offsets[word + 1]], found)
        for i in range(count):
            buckets[int(found[i] & mask) + 1] += 1
    for i in range(1 << bits):
        buckets[i + 1] += buckets[i]
    filled = np.zeros(1 << bits, np.int32)
    entries = np.empty(buckets[1 << bits], np.int32)
    for word in range(words):
        count = deletions(letters[offsets[word] : offsets[word + 1]], found)
        for i in range(count):
            bucket = int(found[i] & mask)
            entries[buckets[bucket] + filled[bucket]] = word
            filled[bucket] += 1
    return buckets, entries


@kernel
def _swap(one: int, other: int, keys: NDArray[np.float32]) -> float:
    """What it costs to type a letter for another."""
    if one == other:
        return 0.0
    if one >= len(keys) or other >= len(keys):
        return 1.0
    across = keys[one, 0] - keys[other, 0]
    down = keys[one, 1] - keys[other, 1]
    apart = across * across + down * down
    if apart == 0:  # the same key, with and without Shift
        return 0.3
    if apart < 1.7:
        return 0.6
    if one < 128 and other < 128 and _VOWELS[one] and _VOWELS[other]:
        return 0.7
    return 1.0


@kernel
def cost(
    typed: NDArray[np.int32],
    meant: NDArray[np.int32],
    keys: NDArray[np.float32],
    most: float,
) -> float:
    """What it costs to have typed one word for another; more than `most` where it is too dear.

    Args:
        typed: letters of what was typed.
        meant: letters of the candidate.
        keys: `strokes.keyboard()`.
        most: the bound.
    """
    n, m = len(typed), len(meant)
    if abs(n - m) > 2 * EDITS:
        return most + 1
    older = np.empty(m + 1)
    old = np.empty(m + 1)
    new = np.empty(m + 1)
    old[0] = 0.0
    for j in range(1, m + 1):
        old[j] = old[j - 1] + _missing(meant, j - 1)
    for i in range(1, n + 1):
        new[0] = old[0] + _extra(typed, i - 1, keys)
        least = new[0]
        for j in range(1, m + 1):
            swap = _swap(typed[i - 1], meant[j - 1], keys)
            if swap > 0 and i == 1 and j == 1:
                swap += 0.3
            best = min(
                old[j - 1] + swap,
                old[j] + _extra(typed, i - 1, keys),
                new[j - 1] + _missing(meant, j - 1),
            )
            exchanged = (
                i > 1 and j > 1 and typed[i - 1] == meant[j - 2] and typed[i - 2] == meant[j - 1]
            )
            if exchanged and typed[i - 1] != typed[i - 2]:
                best = min(best, older[j - 2] + 0.6)
            new[j] = best
            least = min(least, best)
        if least > most:
            return most + 1
        older, old, new = old, new, older
    return float(old[m])


@kernel
def _missing(meant: NDArray[np.int32], at: int) -> float:
    """What it costs to leave a letter out: little when it only doubles the one before."""
    if at == 0:
        return 1.2
    return 0.5 if meant[at] == meant[at - 1] else 0.9


@kernel
def _extra(typed: NDArray[np.int32], at: int, keys: NDArray[np.float32]) -> float:
    """What it costs to type a letter too many: little when it is the one before, or its key's."""
    if at == 0:
        return 1.3 if len(typed) < 2 or _swap(typed[0], typed[1], keys) > 0.6 else 0.8
    beside = _swap(typed[at], typed[at - 1], keys)
    return 0.5 if beside == 0 else 0.8 if beside <= 0.6 else 1.0


@kernel
def candidates(
    typed: NDArray[np.int32],
    letters: NDArray[np.int32],
    offsets: NDArray[np.int64],
    buckets: NDArray[np.int64],
    entries: NDArray[np.int32],
    likelihood: NDArray[np.float32],
    keys: NDArray[np.float32],
    dearness: float,
    most: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The likeliest words to have been meant.

    Args:
        typed: letters of what was typed.
        letters, offsets: the words.
        buckets, entries: what `build_index` made of them.
        likelihood: `float32[words]`, the logarithm of each word's share.
        keys: `strokes.keyboard()`.
        dearness: what a unit of cost takes from the logarithm.
        most: how many candidates.

    Returns:
        Words, `int32[c]`, likeliest first, and costs, `float32[c]`.
    """
    hashes = np.empty(1 + PREFIX + PREFIX * (PREFIX - 1) // 2, np.uint64)
    count = deletions(typed, hashes)
    mask = np.uint64(len(buckets) - 2)
    total = 0
    for i in range(count):
        bucket = int(hashes[i] & mask)
        total += buckets[bucket + 1] - buckets[bucket]
    met = np.empty(total, np.int32)
    at = 0
    for i in range(count):
        bucket = int(hashes[i] & mask)
        for entry in range(buckets[bucket], buckets[bucket + 1]):
            met[at] = entries[entry]
            at += 1
    met.sort()
    words = np.empty(most, np.int32)
    costs = np.empty(most, np.float32)
    scores = np.full(most, -np.inf)
    bound = 1.35 if len(typed) <= SHORT else DEAR
    last = -1
    kept = 0
    for word in met:
        if word == last:
            continue
        last = int(word)
        # What it may cost at most to be among the best.
        room = (likelihood[word] - scores[most - 1]) / dearness
        if room <= 0:
            continue
        allowed = min(bound, room)
        paid = cost(typed, letters[offsets[word] : offsets[word + 1]], keys, allowed)
        if paid > allowed:
            continue
        score = likelihood[word] - dearness * paid
        place = min(kept, most - 1)
        while place > 0 and scores[place - 1] < score:
            scores[place] = scores[place - 1]
            words[place] = words[place - 1]
            costs[place] = costs[place - 1]
            place -= 1
        scores[place], words[place], costs[place] = score, word, paid
        kept = min(kept + 1, most)
    return words[:kept], costs[:kept]
