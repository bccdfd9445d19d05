"""Fuse: give the merged candidates of a request one score, as the release's fusion says.

Reciprocal rank fusion chooses the candidates (`merge`). Where the release learned something
better, the first `HEAD` of them are scored by it and put in that order; the others stay behind
them as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.order import best_first
from shortlist.core.request import Candidates
from shortlist.online.evidence import Evidence
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import Found
from shortlist.release.fusion import Fusion
from shortlist.release.tree_scores import score
from shortlist.release.trees import Trees

HEAD = 200
"""How many of the merged candidates are looked at closely; learning looks at as many."""


class Fuse:
    """The fusion of one release.

    Args:
        fusion: what was learned.
        trees: of the method `boosted`.
        evidence: what is known of candidates.
    """

    def __init__(self, fusion: Fusion, trees: Trees | None, evidence: Evidence) -> None:
        self._learned = fusion.method != "rrf"
        self._evidence = evidence
        self._trees = trees
        names = evidence.names
        self._weights = np.array([fusion.weights.get(name, 0.0) for name in names], np.float32)

    def __call__(
        self,
        query: Query,
        lists: Sequence[Found],
        k: int,
        found: Candidates,
        consensus: NDArray[np.float32],
    ) -> tuple[Candidates, NDArray[np.float32]]:
        """Candidates in fused order, and their scores, `float32[n]`, descending.

        Without a history there is nothing to weigh sources by: consensus then decides.

        Args:
            query: the request.
            lists: what each source found.
            k: how many each was asked for.
            found: the merged candidates.
            consensus: `float32[n]`, their reciprocal rank fusion, descending.
        """
        if not self._learned or not len(query.seeds) or not len(found.rows):
            return found, consensus
        head = head_of(found)
        values = self._evidence(query, lists, k, head, consensus[: len(head.rows)])
        # One candidate's sum must not depend on how many others there are, as BLAS's may.
        scores = np.zeros(len(head.rows), np.float32)
        for weight, line in zip(self._weights, values, strict=True):
            scores += weight * line
        if self._trees is not None:
            more = np.empty(len(scores), np.float32)
            score(self._trees, values, more)
            scores += more
        order = best_first(scores)
        rest = np.arange(len(scores), len(found.rows))
        every = np.concatenate([order, rest])
        behind = scores.min() - np.float32(1) - consensus[:1] + consensus[len(scores) :]
        fused = np.concatenate([scores[order], behind.astype(np.float32)])
        return (
            Candidates(
                found.rows[every], found.scores[:, every], found.ranks[:, every], found.sources
            ),
            fused,
        )


def head_of(found: Candidates) -> Candidates:
    """The first `HEAD` candidates."""
    return Candidates(
        found.rows[:HEAD], found.scores[:, :HEAD], found.ranks[:, :HEAD], found.sources
    )
