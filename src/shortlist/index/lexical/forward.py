"""`Forward`: the words of every item, in order, and what a query's words are worth in them.

An inverted index says which items hold a word; this says what an item holds. Ranking reads it for
a few hundred candidates at a time: BM25 of the whole and of each field, exact and phrase matches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import StoreError
from shortlist.core.jit import kernel
from shortlist.core.order import best_first
from shortlist.core.vocabulary import UNKNOWN, Vocabulary, open_array
from shortlist.index.lexical.contract import K1, B
from shortlist.index.lexical.postings import ARRAYS as POSTINGS
from shortlist.index.lexical.postings import Postings

FORMAT = 2
_ABOUT = "forward.json"
_ARRAYS = ("weights", "offsets", "tokens", "frequencies")
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
        postings: the rows of each term.
    """

    fields: tuple[str, ...]
    weights: NDArray[np.float32]
    terms: Vocabulary
    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]
    frequencies: NDArray[np.int32]
    postings: Postings

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

    def holding(self, terms: Iterable[str], allow: Bitmap) -> Bitmap:
        """The allowed rows that have one of some terms, as a bitmap."""
        known = self.terms.rows(list(terms))
        return self.postings.holding(known[known != UNKNOWN], allow)

    def best(
        self, terms: Mapping[str, float], k: int, allow: Bitmap
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The allowed rows with the best BM25 over all fields, as `measure` has it.

        Every row that has one of the terms is scored, so it suits filters: what it costs does not
        grow with how many rows they leave out. An index, which stops early, suits the rest.

        Args:
            terms: as in `measure`.
            k: how many.
            allow: bitmap of the rows that may be found.

        Returns:
            Rows and scores, best first; equal scores by row.
        """
        known = self.terms.rows(list(terms))
        weights = np.array(list(terms.values()), np.float32)[known != UNKNOWN]
        wanted = known[known != UNKNOWN]
        rarity = self._rarity(self.frequencies[-1, wanted])
        rows, scores = self.postings.scores(wanted, weights * rarity, self._lengths, allow)
        chosen = best_first(scores, k)
        return rows[chosen], scores[chosen]

    @cached_property
    def _lengths(self) -> NDArray[np.float32]:
        """`float32[n]`, each row's length as a share of the average, fields weighed."""
        lengths = (self.weights[:, None] * np.diff(self.offsets, axis=1)).sum(axis=0)
        return np.asarray(lengths / max(float(lengths.mean()), 1e-9), np.float32)

    def _rarity(self, frequencies: NDArray[np.int32]) -> NDArray[np.float32]:
        """The inverse document frequency of terms that so many rows have."""
        n, found = max(len(self), 1), np.asarray(frequencies, np.float64)
        return np.log1p((n - found + 0.5) / (found + 0.5)).astype(np.float32)

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
        rarity = self._rarity(frequencies)
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
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        for name in POSTINGS:
            np.save(folder / f"{name}.npy", getattr(self.postings, name))
        (folder / _ABOUT).write_text(json.dumps({"format": FORMAT, "fields": list(self.fields)}))

    @classmethod
    def load(cls, folder: Path) -> Forward:
        """Open saved arrays, memory-mapped.

        Raises:
            StoreError: another version wrote them.
        """
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
        if about.get("format", 1) != FORMAT:
            raise StoreError(
                f"the words of the items have format {about.get('format', 1)}, this version reads "
                f"{FORMAT}.",
                remedy="Train again, or use the version that wrote them.",
                where=str(folder),
            )
        arrays = {name: open_array(folder / f"{name}.npy") for name in _ARRAYS}
        postings = Postings(**{name: open_array(folder / f"{name}.npy") for name in POSTINGS})
        terms = Vocabulary.load(folder / "terms")
        return cls(tuple(about["fields"]), terms=terms, postings=postings, **arrays)


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
