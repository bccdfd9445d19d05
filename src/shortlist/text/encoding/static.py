"""`StaticEncoder`: the weighted sum of the vectors of a text's subwords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shortlist.core.jit import kernel
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.contract import readable

TOGETHER = 4_096
"""Texts that are tokenised together; bounds what is held of a long list."""


class StaticEncoder:
    """Subwords, a vector and a weight of each, and nothing else: microseconds for a query.

    A text's vector is Σ c v / √Σ c² over its distinct subwords, where v is the subword's vector
    and c its weight times 1 + ln(how often it is there): the projection of a TF-IDF vector of
    length 1, whatever the text's own length.

    Args:
        tokenizer: a `tokenizer.json`.
        table: `float32[subwords, dim]`.
        weights: `float32[subwords]`, 0 for a subword that says nothing.
        length: how many subwords of a text are read.
        unit: whether vectors have length 1, which makes dot products cosines.
        analyzer: normalises texts as they were when the tokenizer was trained.
        version: see `TextEncoder`.
    """

    def __init__(
        self,
        tokenizer: bytes,
        table: NDArray[np.float32],
        weights: NDArray[np.float32],
        length: int,
        unit: bool,
        analyzer: Analyzer,
        version: str,
    ) -> None:
        self._tokens = Subwords(tokenizer, length, analyzer)
        self._table, self._weights, self._unit = table, weights, unit
        self.version = version
        self.dim = int(table.shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`."""
        out = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), TOGETHER):
            part = slice(start, start + TOGETHER)
            offsets, tokens, counts = self._tokens(texts[part])
            pool(offsets, tokens, counts, self._table, self._weights, self._unit, out[part])
        return out


class Subwords:
    """Texts to their distinct subwords and how much each counts."""

    def __init__(self, tokenizer: bytes, length: int, analyzer: Analyzer) -> None:
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._length, self._analyzer = length, analyzer

    @property
    def size(self) -> int:
        """How many subwords there are."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Bags of subwords.

        Returns:
            offsets `int64[n + 1]`, distinct subwords `int32[m]` in ascending order within a text,
            and `float32[m]`, 1 + ln(how often each is there).
        """
        length = self._length
        clean = [self._analyzer.normalise(readable(text, length)) for text in texts]
        clean = [readable(text, length) for text in clean]  # folding can make a text longer
        found = self._tokenizer.encode_batch_fast(clean, add_special_tokens=False)
        lists = [encoding.ids[:length] for encoding in found]
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        flat = np.fromiter((id for ids in lists for id in ids), np.int32, int(offsets[-1]))
        return _bags(offsets, flat)


@kernel
def _bags(
    offsets: NDArray[np.int64], flat: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    ends = np.zeros_like(offsets)
    tokens = np.empty_like(flat)
    counts = np.empty(len(flat), np.float32)
    n = 0
    for i in range(len(offsets) - 1):
        ids = np.sort(flat[offsets[i] : offsets[i + 1]])
        p = 0
        while p < len(ids):
            stop = p + 1
            while stop < len(ids) and ids[stop] == ids[p]:
                stop += 1
            tokens[n] = ids[p]
            counts[n] = np.float32(1 + np.log(stop - p))
            n += 1
            p = stop
        ends[i + 1] = n
    return ends, tokens[:n].copy(), counts[:n].copy()


@kernel
def pool(
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    counts: NDArray[np.float32],
    table: NDArray[np.float32],
    weights: NDArray[np.float32],
    unit: bool,
    out: NDArray[np.float32],
) -> None:
    """Vectors of bags of subwords into `out`, `float32[n, dim]`; see `StaticEncoder`."""
    for i in range(len(offsets) - 1):
        out[i] = 0
        squares = np.float32(0)
        for p in range(offsets[i], offsets[i + 1]):
            c = counts[p] * weights[tokens[p]]
            squares += c * c
            row = table[tokens[p]]
            for d in range(len(row)):
                out[i, d] += c * row[d]
        if unit:
            squares = np.float32(0)
            for d in range(out.shape[1]):
                squares += out[i, d] * out[i, d]
        if squares > 0:
            scale = np.float32(1) / np.sqrt(squares)
            for d in range(out.shape[1]):
                out[i, d] *= scale
