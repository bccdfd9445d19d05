"""How likely a string of letters is a word at all: a letter given the one before it.

What a query says and no text does is either a mistake or a word to come; a word to come looks
like a word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALPHABET = 255
"""So many letters are told apart, the commonest; the others count as one."""
_SMOOTHING = 0.5


def learn_letters(
    letters: NDArray[np.int32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Count the pairs of letters of some words, each word once, with additive smoothing.

    Args:
        letters: the words' letters, one after the other.
        offsets: `int64[words + 1]` into `letters`.

    Returns:
        The letters that are told apart, `int32[a]`, ascending, and the logarithm of the
        probability of a letter (column) after another (row), `float32[a + 2, a + 2]`, where the
        last but one stands for all other letters and the last for both ends of a word.
    """
    found, counts = np.unique(letters, return_counts=True)
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:ALPHABET]]).astype(np.int32)
    size = len(kept) + 2
    places = _places(kept, letters)
    words = len(offsets) - 1
    # Each word with an end before it and after it.
    spread = np.full(len(letters) + words + 1, size - 1, np.int64)
    spread[np.arange(len(letters)) + np.repeat(np.arange(1, words + 1), np.diff(offsets))] = places
    pairs = np.bincount(spread[:-1] * size + spread[1:], minlength=size * size)
    table = pairs.reshape(size, size) + _SMOOTHING
    return kept, np.log(table / table.sum(1, keepdims=True)).astype(np.float32)


def likelihood(
    kept: NDArray[np.int32], table: NDArray[np.float32], word: NDArray[np.int32]
) -> float:
    """The logarithm of how likely a word of these letters is among all words."""
    end = np.array([len(kept) + 1])
    path = np.concatenate([end, _places(kept, word), end])
    return float(table[path[:-1], path[1:]].sum())


def _places(kept: NDArray[np.int32], letters: NDArray[np.int32]) -> NDArray[np.int64]:
    at = np.searchsorted(kept, letters)
    known = at < len(kept)
    known[known] = kept[at[known]] == letters[known]
    return np.where(known, at, len(kept))
