"""Scorers: a ranker opened, ready to score and to say why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.onnx import open_session
from shortlist.release.ranking.batch import Batch
from shortlist.release.ranking.cascade import FIRST, Cascade, kept, score_cascade, with_first
from shortlist.release.ranking.glmix import Glmix, explain_glmix, score_glmix
from shortlist.release.ranking.models import Model
from shortlist.release.ranking.neural import Attention, Relational, inputs_of
from shortlist.release.tree_scores import score
from shortlist.release.tree_shapley import contributions
from shortlist.release.trees import Trees


@dataclass(frozen=True)
class Explanation:
    """Why candidates have their scores.

    Attributes:
        base: `float64[n]`, what is there before anything is known.
        names: of the terms.
        terms: `float64[terms, n]`; `base` plus a candidate's terms is its score.
    """

    base: NDArray[np.float64]
    names: tuple[str, ...]
    terms: NDArray[np.float64]


class Scorer(Protocol):
    """A ranker that is open. A candidate's score does not depend on the rest of the batch, but
    for a cascade's, which depends on the candidates of the same request.
    """

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The score of every candidate, `float32[n]`."""
        ...

    def explain(self, batch: Batch, chosen: NDArray[np.int64]) -> Explanation:
        """What the scores of the chosen candidates, `int64[c]`, of one request are made of."""
        ...


def scorer_of(model: Model) -> Scorer:
    """Open a model.

    Raises:
        ReleaseError: it is an ONNX model that cannot be opened.
    """
    match model:
        case Trees():
            return BoostedScorer(model)
        case Glmix():
            return GlmixScorer(model)
        case Cascade():
            return CascadeScorer(model)
        case _:
            return NeuralScorer(model)


class BoostedScorer:
    """Sums of leaves; contributions are exact Shapley values."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The score of every candidate, `float32[n]`."""
        out = np.empty(len(batch), np.float32)
        score(self._trees, batch.x, out)
        return out

    def explain(self, batch: Batch, chosen: NDArray[np.int64]) -> Explanation:
        """Shapley values of the features, over the mean score of the training rows."""
        base, terms = contributions(self._trees, np.ascontiguousarray(batch.x[:, chosen]))
        return Explanation(np.full(len(chosen), base), self._trees.features, terms)


class GlmixScorer:
    """Logits; contributions are the terms of the sum."""

    def __init__(self, model: Glmix) -> None:
        self._model = model

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The score of every candidate, `float32[n]`."""
        return score_glmix(self._model, batch)

    def explain(self, batch: Batch, chosen: NDArray[np.int64]) -> Explanation:
        """The terms of the global, the user's and the item's part."""
        base, names, terms = explain_glmix(self._model, batch.only(chosen))
        return Explanation(np.full(len(chosen), base), tuple(names), terms)


class CascadeScorer:
    """Two stages; see `Cascade`."""

    def __init__(self, model: Cascade) -> None:
        self._model = model
        self._second = scorer_of(model.second)
        self._with_score = not isinstance(model.second, Glmix)

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The score of every candidate, `float32[n]`."""
        return score_cascade(self._model, batch, self._second, self._with_score)

    def explain(self, batch: Batch, chosen: NDArray[np.int64]) -> Explanation:
        """The second stage's terms; all of a candidate that did not reach it is `first`."""
        scores = self(batch)[chosen].astype(np.float64)
        x = with_first(self._model.first, batch.x)
        told = self._second.explain(replace(batch, x=x) if self._with_score else batch, chosen)
        reached = np.isin(chosen, kept(x[-1], batch.bounds, self._model.keep))
        terms = np.where(reached, told.terms, 0.0)
        behind = np.where(reached, 0.0, scores - told.base)
        if FIRST in told.names:
            terms[told.names.index(FIRST)] += behind
            return Explanation(told.base, told.names, terms)
        return Explanation(told.base, (*told.names, FIRST), np.vstack([terms, behind]))


class NeuralScorer:
    """An ONNX model; contributions are what the score loses without a feature or the history."""

    def __init__(self, model: Attention | Relational) -> None:
        self._model = model
        self._graph = model.graph if isinstance(model, Relational) else None
        self._session = open_session(model.model.tobytes(), "the ranker's network", "ranker")

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The score of every candidate, `float32[n]`."""
        return self._run(batch)

    def explain(self, batch: Batch, chosen: NDArray[np.int64]) -> Explanation:
        """Ablations; `rest` is what they leave, so that terms add up to the score."""
        batch = batch.only(chosen)
        scores = self._run(batch).astype(np.float64)
        terms = []
        for f, mean in enumerate(self._model.means):
            x = batch.x.copy()
            x[f] = mean
            terms.append(scores - self._run(replace(batch, x=x)))
        terms.append(scores - self._run(batch, blank=True))
        terms.append(scores - np.sum(terms, axis=0))
        names = (*self._model.features, "history", "rest")
        return Explanation(np.zeros(len(batch)), names, np.array(terms))

    def _run(self, batch: Batch, blank: bool = False) -> NDArray[np.float32]:
        if not len(batch):
            return np.empty(0, np.float32)
        fed = inputs_of(self._model.reach, self._graph, batch, blank)
        return np.asarray(self._session.run(None, fed)[0], np.float32)


def largest(explanation: Explanation, i: int, most: int) -> dict[str, float]:
    """The largest terms of one candidate by size; `base` and `others` complete its score."""
    terms = explanation.terms[:, i]
    order = np.argsort(-np.abs(terms), kind="stable")
    told = {explanation.names[t]: float(terms[t]) for t in order[:most].tolist() if terms[t] != 0}
    told["base"] = float(explanation.base[i])
    told["others"] = float(terms[order[most:]].sum())
    return told
