"""`ForwardWriter`: a `Forward` from the words of items, one after the other."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.vocabulary import Vocabulary
from shortlist.index.lexical.forward import Forward
from shortlist.index.lexical.postings import Postings


class ForwardWriter:
    """Collects items, in the order of their rows, into a `Forward`."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._numbers = _Numbers()
        self._tokens = [array("i") for _ in weights]
        self._ends = [array("q", [0]) for _ in weights]

    def add(self, fields: Mapping[str, Sequence[str]]) -> None:
        """The next item: field → its terms in order."""
        number = self._numbers.__getitem__
        for field, tokens, ends in zip(self._weights, self._tokens, self._ends, strict=True):
            tokens.extend(map(number, fields.get(field, ())))
            ends.append(len(tokens))

    def finish(self) -> Forward:
        """All that was added."""
        starts = np.cumsum([0, *map(len, self._tokens)])[:-1]
        ends = [np.frombuffer(ends, np.int64) for ends in self._ends]
        offsets = np.stack([own + start for own, start in zip(ends, starts, strict=True)])
        flat = [np.frombuffer(tokens, np.int32) for tokens in self._tokens]
        tokens = np.concatenate([*flat, np.empty(0, np.int32)])
        frequencies = np.zeros((len(self._weights) + 1, len(self._numbers)), np.int32)
        _count(offsets, tokens, frequencies)
        weights = np.array(list(self._weights.values()), np.float32)
        return Forward(
            tuple(self._weights),
            weights,
            Vocabulary.of(list(self._numbers)),
            offsets,
            tokens,
            frequencies,
            Postings.of(tokens, offsets, weights, frequencies[-1]),
        )


class _Numbers(dict[str, int]):
    """Terms and their numbers, in the order in which they are first asked for."""

    def __missing__(self, term: str) -> int:
        self[term] = number = len(self)
        return number


@kernel
def _count(
    offsets: NDArray[np.int64], tokens: NDArray[np.int32], frequencies: NDArray[np.int32]
) -> None:
    fields, n = offsets.shape[0], offsets.shape[1] - 1
    seen = np.full(frequencies.shape[1], -1, np.int64)
    anywhere = np.full(frequencies.shape[1], -1, np.int64)
    for row in range(n):
        for f in range(fields):
            for at in range(offsets[f, row], offsets[f, row + 1]):
                term = tokens[at]
                if seen[term] != row * fields + f:
                    seen[term] = row * fields + f
                    frequencies[f, term] += 1
                if anywhere[term] != row:
                    anywhere[term] = row
                    frequencies[fields, term] += 1
