"""`CrossFitted`: a pipeline whose fusion never learned from the user who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.request import Candidates, Pipeline, Request, Shortlist, Weighed


class CrossFitted:
    """Several pipelines, each for the users that its fusion does not know.

    Args:
        parts: user ids, and the pipeline that answers them.
        rest: answers everybody else; no fusion learned from them.
    """

    def __init__(self, parts: Sequence[tuple[frozenset[str], Pipeline]], rest: Pipeline) -> None:
        self._pipelines = [pipeline for _, pipeline in parts] + [rest]
        self._part = {user: n for n, (users, _) in enumerate(parts) for user in users}

    def fused(self, requests: Sequence[Request]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """Candidates of each request in fused order, and their fused scores."""
        found: dict[int, tuple[Candidates, NDArray[np.float32]]] = {}
        for n, pipeline in enumerate(self._pipelines):
            mine = [i for i, asked in enumerate(requests) if self._place(asked.user) == n]
            answers = pipeline.fused([requests[i] for i in mine])
            found |= dict(zip(mine, answers, strict=True))
        return [found[i] for i in range(len(requests))]

    def _place(self, user: str) -> int:
        return self._part.get(user, len(self._pipelines) - 1)

    @property
    def vectors(self) -> Mapping[str, Callable[[NDArray[np.int32]], NDArray[np.float32]]]:
        """Retrievers know nothing of fusion."""
        return self._pipelines[-1].vectors

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        """Candidates of each request, before ranking."""
        return [candidates for candidates, _ in self.fused(requests)]

    def weigh(self, requests: Sequence[Request]) -> list[Weighed]:
        """Evidence knows nothing of fusion."""
        return self._pipelines[-1].weigh(requests)

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        """The answers of the pipeline for everybody else."""
        return self._pipelines[-1].recommend(requests)
