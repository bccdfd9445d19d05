"""How alike the candidate's vector is to those of what the user took last.

Vectors are a retriever's, and of one fit they are comparable only with each other: training rows
take those of the retriever that was fitted on what is before all of them, a release its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.features.contract import HISTORY, AsOf, VectorsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Similarity:
    """Of the candidate to the mean vector of the user's newest interactions.

    Attributes:
        name: the feature's name.
        vectors: the retriever whose item vectors are compared.
        reach: how many of the newest interactions strictly before the request count, at most
            `HISTORY`; those of items without a vector are among them and add nothing.
        cosine: whether lengths are divided out; else it is the dot product.
        default: where the candidate, or every item of the history, has no vector.
    """

    name: str
    vectors: str
    reach: int
    cosine: bool = True
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item). Histories are joined by the engine; no engine's vectors are another's,
        so products are made here."""
        import ibis
        import pyarrow as pa

        requests, seen = _histories(at, self.reach)
        asked = at.candidates.select("request", "item").order_by(["request", "item"]).to_pyarrow()
        request = asked["request"].to_numpy()
        item = asked["item"].to_numpy().astype(np.int32)
        out = np.full(len(item), self.default, np.float32)
        vectors_of = at.vectors[self.vectors]
        bounds = np.searchsorted(request, [requests, requests + 1]).T.tolist()
        for rows, (low, high) in zip(seen, bounds, strict=True):
            self._fill(vectors_of, rows, item[low:high], out[low:high])
        table = pa.table({"request": request, "item": item, self.name: out})
        return ibis.memtable(table)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """One product over the candidates."""
        out.fill(self.default)
        vectors_of = view.vectors.get(self.vectors)
        if vectors_of is not None and len(view.history_rows):
            self._fill(vectors_of, view.history_rows[-self.reach :], view.rows, out)

    def _fill(
        self,
        vectors_of: VectorsOf,
        past: NDArray[np.int32],
        rows: NDArray[np.int32],
        out: NDArray[np.float32],
    ) -> None:
        """Both sides' arithmetic: the values of rows where there are any."""
        taken = vectors_of(past)
        taken = taken[taken.any(axis=1)]
        if not len(taken):
            return
        mean = taken.mean(axis=0, dtype=np.float64).astype(np.float32)
        theirs = vectors_of(rows)
        there = theirs.any(axis=1)
        told = theirs @ mean
        if self.cosine:
            lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(mean)
            there &= lengths > 0
            told = told / np.where(there, lengths, 1)
        out[there] = told[there]


def _histories(at: AsOf, reach: int) -> tuple[NDArray[np.int64], list[NDArray[np.int32]]]:
    """The requests that have a history, ascending, and the newest items of each, oldest first."""
    import ibis

    from shortlist.features.windows import sequenced_requests, user_log

    events = user_log(at)
    events = events.select(
        "user", "item", place="sequence", block=((events.sequence - 1) / HISTORY).floor()
    )
    requests = sequenced_requests(at)
    newest = ((requests.sequence - 1) / HISTORY).floor()
    blocks = ibis.union(requests.mutate(block=newest), requests.mutate(block=newest - 1))
    pairs = blocks.select("request", "user", "block", newest="sequence").join(
        events, ["user", "block"]
    )
    pairs = pairs.filter(pairs.place <= pairs.newest, pairs.place > pairs.newest - reach)
    table = pairs.select("request", "place", "item").order_by(["request", "place"]).to_pyarrow()
    numbers, starts = np.unique(table["request"].to_numpy(), return_index=True)
    items = table["item"].to_numpy().astype(np.int32)
    return numbers, np.split(items, starts[1:]) if len(numbers) else []
