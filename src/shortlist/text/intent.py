"""`IntentClassifier`: which categories a query is after, learned from what was clicked.

Multinomial logistic regression over hashed terms and character n-grams (Joulin et al., EACL 2017,
without the hidden layer; Weinberger et al., ICML 2009 for the hashing), with a temperature that
makes its probabilities mean what they say (Guo et al., ICML 2017).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from shortlist.core.errors import DataError
from shortlist.core.jit import kernel
from shortlist.core.vocabulary import open_array

_BITS = 15
_GRAMS = (3, 4)
_MOST_FEATURES = 256
_RATE = 0.2
_MOST_CATEGORIES = 256
_MOST_PAIRS = 100_000
_HELD_OUT = 10
"""One example in so many calibrates and does not train."""


@dataclass(frozen=True)
class Intent:
    """A category that a query may be after, and how likely that is, in (0, 1]."""

    category: str
    probability: float


@dataclass(frozen=True)
class IntentClassifier:
    """Terms of a query to a distribution over categories.

    Attributes:
        categories: the categories, in the order of the columns.
        weights: `float32[2 ** 15 + 1, categories]`; the last row is what no feature says.
        temperature: what scores are divided by.
    """

    categories: tuple[str, ...]
    weights: NDArray[np.float32]
    temperature: float

    def probabilities(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """The distribution over `categories`, `float64[c]`; that of all queries for no terms."""
        return np.asarray(_softmax(_scores(self.weights, terms)[None] / self.temperature)[0])

    def classify(self, terms: Sequence[str], most: int = 3) -> list[Intent]:
        """The likeliest categories, likeliest first."""
        shares = self.probabilities(terms)
        order = np.argsort(-shares, kind="stable")[:most].tolist()
        return [Intent(self.categories[at], float(shares[at])) for at in order]

    def save(self, folder: Path) -> None:
        """Write the classifier into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "weights.npy", self.weights)
        described = {"categories": self.categories, "temperature": self.temperature}
        (folder / "intent.json").write_text(json.dumps(described), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentClassifier:
        """Open a saved classifier, memory-mapped."""
        described = json.loads((folder / "intent.json").read_text(encoding="utf-8"))
        weights = open_array(folder / "weights.npy")
        return cls(tuple(described["categories"]), weights, described["temperature"])


def features(terms: Sequence[str]) -> NDArray[np.int64]:
    """The features of a query: hashes of its terms, their pairs and their character n-grams."""
    terms = terms[:_MOST_FEATURES]
    said = [f"w {term}" for term in terms]
    said += [f"p {one} {other}" for one, other in pairwise(terms)]
    for term in terms:
        edged = f"<{term}>"
        said += [edged[at : at + n] for n in _GRAMS for at in range(len(edged) - n + 1)]
    hashes = [_hash(feature) % (1 << _BITS) for feature in said[:_MOST_FEATURES]]
    return np.array(hashes, np.int64)


def _hash(text: str) -> int:
    return int(xxhash.xxh64_intdigest(text.encode("utf-8", "surrogatepass")))


def learn_intent(
    queries: Sequence[Sequence[str]],
    categories: Sequence[str],
    weights: NDArray[np.float32] | None = None,
    *,
    epochs: int = 8,
    seed: int = 0,
) -> IntentClassifier:
    """Fit a classifier on the commonest 256 categories and the 100,000 pairs that count most.

    Args:
        queries: `Analyzer.terms` of each query.
        categories: the category of the item that was clicked after it.
        weights: `float32[n]`, how much each pair counts, above 0 (clicks); 1 each without.
        epochs: how often each pair is learned from.
        seed: of the order in which.

    Raises:
        DataError: there is no pair to learn from.
    """
    if not len(queries):
        raise DataError(
            "there is no query with a click on an item that has a category.",
            remedy="Name the query log and `data.items.category`, or set search.intent = false.",
            where="search.intent",
        )
    counts = np.ones(len(queries)) if weights is None else weights.astype(np.float64)
    names, codes = np.unique(np.array(categories), return_inverse=True)
    commonest = np.argsort(-np.bincount(codes, counts), kind="stable")[:_MOST_CATEGORIES]
    kept = np.flatnonzero(np.isin(codes, commonest))
    kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:_MOST_PAIRS]])
    names, codes = np.unique(names[codes[kept]], return_inverse=True)
    queries, counts = [queries[at] for at in kept.tolist()], counts[kept]
    examples = _examples(queries, codes, counts)
    # Equal queries go to one side, else a query seen in training would tell nothing of new ones.
    held = np.array([_hash(" ".join(query)) % _HELD_OUT == 0 for query in queries])
    temperature = 1.0
    if held.any() and not held.all():
        fitted = _fit(examples, np.flatnonzero(~held), len(names), epochs, seed)
        asked = [queries[at] for at in np.flatnonzero(held).tolist()]
        scores = np.stack([_scores(fitted, query) for query in asked])
        temperature = _temperature(scores, codes[held], counts[held])
    fitted = _fit(examples, np.arange(len(queries)), len(names), epochs, seed)
    return IntentClassifier(tuple(names.tolist()), fitted, temperature)


def _scores(weights: NDArray[np.float32], terms: Sequence[str]) -> NDArray[np.float64]:
    found = features(terms)
    scores = weights[-1].astype(np.float64)
    if len(found):
        scores = scores + weights[found].sum(0) / np.sqrt(len(found))
    return np.asarray(scores)


class _Examples(NamedTuple):
    """Queries as features, and what was clicked."""

    features: NDArray[np.int64]
    offsets: NDArray[np.int64]
    codes: NDArray[np.int64]
    counts: NDArray[np.float64]


def _examples(
    queries: Sequence[Sequence[str]], codes: NDArray[np.int64], counts: NDArray[np.float64]
) -> _Examples:
    found = [features(query) for query in queries]
    offsets = np.cumsum([0, *map(len, found)])
    return _Examples(np.concatenate(found), offsets, codes, counts / counts.mean())


def _fit(
    examples: _Examples, chosen: NDArray[np.int64], classes: int, epochs: int, seed: int
) -> NDArray[np.float32]:
    """Weights by stochastic gradients with steps that shrink as they are used (AdaGrad)."""
    weights = np.zeros(((1 << _BITS) + 1, classes), np.float32)
    squares = np.full(weights.shape, 1e-6, np.float32)
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(chosen)
        _descend(*examples, order, weights, squares)
    return weights


@kernel
def _descend(
    features: NDArray[np.int64],
    offsets: NDArray[np.int64],
    codes: NDArray[np.int64],
    counts: NDArray[np.float64],
    order: NDArray[np.int64],
    weights: NDArray[np.float32],
    squares: NDArray[np.float32],
) -> None:
    """One step for each example, in an order (Duchi, Hazan & Singer, JMLR 2011)."""
    classes = weights.shape[1]
    bias = len(weights) - 1
    scores = np.empty(classes)
    for example in order:
        start, stop = offsets[example], offsets[example + 1]
        share = 1.0 / np.sqrt(max(stop - start, 1))
        for label in range(classes):
            score = 0.0
            for at in range(start, stop):
                score += weights[features[at], label]
            scores[label] = score * share + weights[bias, label]
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
        scores[codes[example]] -= 1.0
        for at in range(start, stop + 1):
            row = features[at] if at < stop else bias
            for label in range(classes):
                slope = counts[example] * scores[label] * (share if at < stop else 1.0)
                squares[row, label] += slope * slope
                weights[row, label] -= _RATE * slope / np.sqrt(squares[row, label])


def _temperature(
    scores: NDArray[np.float64], codes: NDArray[np.int64], counts: NDArray[np.float64]
) -> float:
    """The divisor of scores under which the held-out categories are likeliest."""
    rows = np.arange(len(codes))

    def loss(logarithm: float) -> float:
        shares = _softmax(scores / np.exp(logarithm))[rows, codes]
        return float(-(counts * np.log(np.maximum(shares, 1e-300))).sum())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
