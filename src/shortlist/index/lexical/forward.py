"""`Forward`: the words of every item, in order, and what a query's words are worth in them.

An inverted index says which items hold a word; this says what an item holds. Ranking reads it for
a few hundred candidates at a time: BM25 of the whole and of each field, exact and phrase matches.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.vocabulary import UNKNOWN, Vocabulary, open_array
from shortlist.index.lexical.contract import K1, B

_ABOUT = "forward.json"
SIEVE = 1_024


@dataclass(frozen=True)
class Forward:
    """The terms of n items in f fields.

    Attributes:
        fields: names of the fields.
        weights: `float32[f]`, how often a field's terms count in the whole.
        terms: term and number.
        offsets: `int64[f, n + 1]` into `tokens`.
        tokens: `int32[m]`, the numbers of the terms, in order.
        frequencies: `int32[f + 1, terms]`, items with the term in each field, and in any.
    """

    fields: tuple[str, ...]
    weights: NDArray[np.float32]
    terms: Vocabulary
    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]
    frequencies: NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.offsets.shape[1]) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """What `measure` measures, in order."""
        per_field = [f"{what}:{field}" for field in self.fields for what in ("bm25", "phrase")]
        return ("bm25", "coverage", "exact", *per_field)

    def measure(
        self, terms: Mapping[str, float], order: Sequence[str], rows: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """How rows match a query.

        Args:
            terms: the query's terms and their weights.
            order: its own terms in order, without expansions.
            rows: `int32[n]`.

        Returns:
            `float32[len(names), n]`: BM25 over all fields as an index with these weights ranks
            by; the share of the query's rarity that is found in some field; 1 where a field is
            the query, word for word; and for each field its own BM25 and the longest stretch of
            the query found in it, as a share of the query (0 for a stretch of one word, unless
            the query is one).
        """
        known = self.terms.rows(list(terms))
        weights = np.array(list(terms.values()), np.float32)[known != UNKNOWN]
        wanted = known[known != UNKNOWN]
        sequence = self.terms.rows(list(order))
        found = self.frequencies[:, wanted]
        return self.match(wanted, weights, sequence, found, self.offsets, self.tokens, rows)

    def match(
        self,
        wanted: NDArray[np.int32],
        weights: NDArray[np.float32],
        sequence: NDArray[np.int32],
        frequencies: NDArray[np.int32],
        offsets: NDArray[np.int64],
        tokens: NDArray[np.int32],
        rows: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """See `measure`; of any texts, as rare and as long as those held here make them.

        Args:
            wanted: `int32[t]`, numbers of the query's terms.
            weights: `float32[t]`, of them.
            sequence: `int32[w]`, its own terms in order; -1 for one that no text has.
            frequencies: `int32[f + 1, t]`, as in the class.
            offsets, tokens: the texts, as in the class.
            rows: which of them.
        """
        n = max(len(self), 1)
        found = np.asarray(frequencies, np.float64)
        rarity = np.log1p((n - found + 0.5) / (found + 0.5)).astype(np.float32)
        missing = float(np.log1p((n + 0.5) / 0.5)) * int((sequence == UNKNOWN).sum())
        out = np.zeros((len(self.names), len(rows)), np.float32)
        if len(wanted):
            lengths = (self.offsets[:, -1] - self.offsets[:, 0]) / n
            _measure(
                offsets,
                tokens,
                self.weights,
                np.maximum(lengths, 1e-9).astype(np.float32),
                wanted,
                weights,
                np.isin(wanted, sequence),
                rarity,
                np.float32(missing),
                sequence,
                rows,
                out,
            )
        return out

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.terms.save(folder / "terms")
        for name in ("weights", "offsets", "tokens", "frequencies"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / _ABOUT).write_text(json.dumps({"fields": list(self.fields)}))

    @classmethod
    def load(cls, folder: Path) -> Forward:
        """Open saved arrays, memory-mapped."""
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
        arrays = {
            name: open_array(folder / f"{name}.npy")
            for name in ("weights", "offsets", "tokens", "frequencies")
        }
        return cls(tuple(about["fields"]), terms=Vocabulary.load(folder / "terms"), **arrays)


class ForwardWriter:
    """Collects items, in the order of their rows, into a `Forward`."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._numbers: dict[str, int] = {}
        self._tokens: list[list[NDArray[np.int32]]] = [[] for _ in weights]
        self._lengths: list[list[int]] = [[] for _ in weights]

    def add(self, fields: Mapping[str, Sequence[str]]) -> None:
        """The next item: field → its terms in order."""
        numbers = self._numbers
        for f, field in enumerate(self._weights):
            terms = fields.get(field, ())
            coded = [numbers.setdefault(term, len(numbers)) for term in terms]
            self._tokens[f].append(np.array(coded, np.int32))
            self._lengths[f].append(len(coded))

    def finish(self) -> Forward:
        """All that was added."""
        n = len(self._lengths[0]) if self._lengths else 0
        offsets = np.zeros((len(self._weights), n + 1), np.int64)
        base = 0
        for f, lengths in enumerate(self._lengths):
            np.cumsum(lengths, out=offsets[f, 1:])
            offsets[f] += base
            base = int(offsets[f, -1])
        arrays = [part for field in self._tokens for part in field]
        tokens = np.concatenate([*arrays, np.empty(0, np.int32)]).astype(np.int32)
        frequencies = np.zeros((len(self._weights) + 1, len(self._numbers)), np.int32)
        _count(offsets, tokens, frequencies)
        return Forward(
            tuple(self._weights),
            np.array(list(self._weights.values()), np.float32),
            Vocabulary.of(list(self._numbers)),
            offsets,
            tokens,
            frequencies,
        )


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


@kernel
def _measure(
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    field_weights: NDArray[np.float32],
    lengths: NDArray[np.float32],
    wanted: NDArray[np.int32],
    weights: NDArray[np.float32],
    in_query: NDArray[np.bool_],
    rarity: NDArray[np.float32],
    missing: np.float32,
    sequence: NDArray[np.int32],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    fields, words = offsets.shape[0], len(sequence)
    counts = np.zeros((fields, len(wanted)), np.float32)
    whole = np.zeros(len(wanted), np.float32)
    average = np.float32(0)
    for f in range(fields):
        average += lengths[f] * field_weights[f]
    most = missing
    for t in range(len(wanted)):
        if in_query[t]:
            most += rarity[fields, t]
    maybe = np.zeros(SIEVE, np.bool_)  # most words are none of the query's
    for term in wanted:
        maybe[term & (SIEVE - 1)] = True
    for i in range(len(rows)):
        counts[:] = 0
        length = np.float32(0)
        for f in range(fields):
            start, stop = offsets[f, rows[i]], offsets[f, rows[i] + 1]
            length += np.float32(stop - start) * field_weights[f]
            longest = _read(tokens[start:stop], wanted, maybe, sequence, counts[f])
            if longest == words and words > 0 and stop - start == words:
                out[2, i] = 1
            if longest > 1 or (words == 1 and longest == 1):
                out[4 + 2 * f, i] = np.float32(longest) / np.float32(words)
            share = np.float32(stop - start) / lengths[f]
            out[3 + 2 * f, i] = _bm25(counts[f], share, weights, rarity[f])
        whole[:] = 0
        for f in range(fields):
            for t in range(len(wanted)):
                whole[t] += counts[f, t] * field_weights[f]
        out[0, i] = _bm25(whole, length / max(average, np.float32(1e-9)), weights, rarity[fields])
        for t in range(len(wanted)):
            if whole[t] > 0 and in_query[t]:
                out[1, i] += rarity[fields, t] / max(most, np.float32(1e-9))


@kernel
def _bm25(
    counts: NDArray[np.float32],
    share: np.float32,
    weights: NDArray[np.float32],
    rarity: NDArray[np.float32],
) -> np.float32:
    """BM25 of terms that occur so often in a text of so much of the average length."""
    norm = np.float32(K1) * (np.float32(1 - B) + np.float32(B) * share)
    total = np.float32(0)
    for t in range(len(counts)):
        if counts[t] > 0:
            total += weights[t] * rarity[t] * counts[t] * np.float32(K1 + 1) / (counts[t] + norm)
    return total


@kernel
def _read(
    tokens: NDArray[np.int32],
    wanted: NDArray[np.int32],
    maybe: NDArray[np.bool_],
    sequence: NDArray[np.int32],
    counts: NDArray[np.float32],
) -> int:
    """Count the wanted terms of a field; how long a stretch of the query stands in it."""
    runs = np.zeros(len(sequence) + 1, np.int32)
    longest, running = 0, False
    for token in tokens:
        if not maybe[token & (SIEVE - 1)]:
            if running:
                runs[:] = 0
                running = False
            continue
        for t in range(len(wanted)):
            if wanted[t] == token:
                counts[t] += 1
        running = True
        for w in range(len(sequence), 0, -1):  # the longest stretch that ends here, by its end
            runs[w] = runs[w - 1] + 1 if sequence[w - 1] == token else 0
            longest = max(longest, runs[w])
    return longest
