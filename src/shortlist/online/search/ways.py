"""The ways from a query to items: by its words, by its meaning, by what the graph knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, clear_rows, count, held
from shortlist.index.contract import Index
from shortlist.online.live import Live
from shortlist.online.live.vectors import LiveVectors
from shortlist.online.retrieval.contract import NOTHING, Found
from shortlist.online.snapshot import Snapshot
from shortlist.text.encoding.contract import TextEncoder
from shortlist.text.encoding.saved import SavedOnnx, SavedStatic, open_encoder


class VectorWay:
    """The items whose vectors are nearest to the query's: encoder and index in one process.

    Args:
        name: the retriever whose vectors they are.
        encoder: from query texts into their space.
        index: the items' vectors.
        live: those of items written since the release.
    """

    def __init__(
        self, name: str, encoder: TextEncoder, index: Index, live: LiveVectors | None = None
    ) -> None:
        self.name, self._encoder, self._index = name, encoder, index
        self._live = live

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector of each text, `float32[n, dim]`."""
        return self._encoder.encode(texts)

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        allow: Bitmap,
        banned: NDArray[np.int32],
        *,
        filtered: bool,
    ) -> Found:
        """At most k rows that are allowed and not banned, best first."""
        if not vector.any() or not len(self._index):
            return NOTHING
        if self._live is None or not len(self._live):
            return self._search(vector, k, allow, banned, filtered=filtered)
        replaced = self._live.replaced
        without = np.concatenate([banned, replaced]) if len(replaced) else banned
        found = self._search(vector, k, allow, without, filtered=filtered)
        return self._live.join(found, vector, k, allow, banned)

    def _search(
        self,
        vector: NDArray[np.float32],
        k: int,
        allow: Bitmap,
        banned: NDArray[np.int32],
        *,
        filtered: bool,
    ) -> Found:
        """What the index finds."""
        if filtered or len(banned) > k:
            allowed = allow.copy()
            clear_rows(allowed, banned)
            asked = min(k, count(allowed))
            if not asked:
                return NOTHING
            rows, scores = self._index.search(vector[None], asked, allowed)
            found = rows[0] >= 0
            return rows[0][found], scores[0][found]
        rows, scores = self._index.search(vector[None], min(k + len(banned), len(self._index)))
        found = rows[0] >= 0
        found &= held(allow, rows[0])
        if len(banned):
            found &= ~np.isin(rows[0], banned)
        return rows[0][found][:k], scores[0][found][:k]

    def similarity(
        self, vector: NDArray[np.float32], rows: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """The dot product of the query with the unquantised vectors of rows, `float32[n]`."""
        vectors = self._index.vectors_of(rows)
        if self._live is not None:
            vectors = self._live.over(rows, vectors)
        return np.asarray(vectors @ vector, np.float32)


def vector_ways(snapshot: Snapshot, live: Live | None = None) -> list[VectorWay]:
    """One for each retriever of the release that can encode a query's text."""
    ways: list[VectorWay] = []
    for entry in snapshot.manifest.artefacts:
        artefact = snapshot.artefacts.get(entry.folder)
        if entry.name in snapshot.indexes and isinstance(artefact, SavedStatic | SavedOnnx):
            encoder = open_encoder(artefact)
            written = live.vectors.get(entry.name) if live is not None else None
            ways.append(VectorWay(entry.name, encoder, snapshot.indexes[entry.name], written))
    return ways
