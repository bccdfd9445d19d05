"""Queries encoded by a neural network, and the items nearest to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shortlist.core.onnx import open_session
from shortlist.index.contract import Index
from shortlist.online.query import Query
from shortlist.online.retrieval.nearest import NearestSource
from shortlist.release.artefacts import Encoder


class EncodedSource(NearestSource):
    """Searches an index with what an ONNX model makes of each query's history.

    The items of one query are its seeds: a user's newest interactions, or the one item whose
    neighbours are wanted, which then counts as taken now.
    """

    def __init__(self, name: str, encoder: Encoder, index: Index) -> None:
        super().__init__(name, index)
        self._reach, self._times = encoder.reach, bool(encoder.times)
        self._session = session_of(encoder)
        self._items = np.empty((0, encoder.reach), np.int64)
        self._instants = np.empty((0, encoder.reach), np.int64)

    def _encode(self, queries: Sequence[Query]) -> tuple[NDArray[np.float32], list[int]]:
        if len(queries) > len(self._items):
            self._items = np.empty((len(queries), self._reach), np.int64)
            self._instants = np.empty_like(self._items)
        items, instants = self._items[: len(queries)], self._instants[: len(queries)]
        items.fill(-1)
        longest = 1
        for i, query in enumerate(queries):
            seeds = query.seeds[: self._reach]
            if self._times:
                taken = self._taken(query)[: self._reach]
                seeds = seeds[: len(taken)]
                instants[i] = 0
                instants[i, self._reach - len(taken) :] = taken[::-1]
            items[i, self._reach - len(seeds) :] = seeds[::-1]
            longest = max(longest, len(seeds))
        # Places that no query of the batch fills are not computed.
        inputs = {"items": items[:, -longest:]}
        if self._times:
            inputs["times"] = instants[:, -longest:]
            inputs["now"] = np.array([query.now for query in queries], np.int64)
        (found,) = self._session.run(None, inputs)
        vectors = np.asarray(found, np.float32)
        return vectors, np.flatnonzero(vectors.any(axis=1)).tolist()

    @staticmethod
    def _taken(query: Query) -> NDArray[np.int64]:
        """When the seeds were taken, newest first; fewer than seeds where that is not kept."""
        if query.request.item is not None:
            return np.array([query.now], np.int64)
        return query.history_times[::-1]


def session_of(encoder: Encoder) -> onnxruntime.InferenceSession:
    """The session of an encoder's model, the same one for whoever asks.

    Raises:
        ReleaseError: it cannot be opened.
    """
    return open_session(encoder.model.tobytes(), "an encoder")
