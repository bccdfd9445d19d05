"""A request, the candidates it passes through, and the answer.

Inside, candidates are columns over catalogue rows, never objects; ids appear when the answer is
written. One request or a batch goes through the same functions, and a batch equals its singles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import Context

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a shortlist.

    Attributes:
        user: the user's id; empty for somebody without one.
        item: the id of the item whose neighbours are wanted (`similar`); None for `recommend`.
        k: how many items to return, 1 to 1,000.
        where: a filter expression over item attributes; empty for none.
        exclude: ids of items that must not be returned.
        now: the instant the request is made at, microseconds; 0 for this instant. Histories and
            statistics are as of just before it.
        seen: whether items of the user's history may be returned; None for the project's setting.
        explain: whether the answer carries sources and features of each item.
        context: what the request is made in, of the names in `data.events.context`; features
            read it. A name that is left out is unknown.
    """

    user: str = ""
    item: str | None = None
    k: int = 10
    where: str = ""
    exclude: Sequence[str] = ()
    now: int = 0
    seen: bool | None = None
    explain: bool = False
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What retrieval found for one request, merged: every row once.

    Attributes:
        rows: `int32[n]` catalogue rows, best first by fused score.
        scores: `float32[sources, n]`, each source's own score, 0 where it did not return the row.
        ranks: `float32[sources, n]`, 1 / (rank + 1) with rank counted from 0 within the source,
            0 where it did not return the row.
        sources: the names of the sources, in the order of the first axis.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    ranks: NDArray[np.float32]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """The candidates of one request with all that fusion may know of them.

    Attributes:
        candidates: in the order of reciprocal rank fusion.
        names: what the lines of `values` are.
        values: `float32[names, n]`, finite; one column for each candidate.
    """

    candidates: Candidates
    names: tuple[str, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The answer to one request: parallel columns, best first.

    Attributes:
        ids: item ids.
        scores: `float32[n]`, the ranker's score, or the probability that it means where the
            release calibrates it; the fused retrieval score without a ranker.
        rows: `int32[n]` catalogue rows.
        release: the id of the release that answered.
        request: a unique id of this answer; impressions are logged under it.
        explain: per item the sources, features and largest contributions to its score, and what
            the rules of `[arrange]` did, when the request asked for it.
        propensities: `float32[n]`, the chance that each item was shown at its place, where places
            are drawn by lot; None where none are.
        variants: experiment → the variant that the user has.
        context: that of the request; impressions are logged with it.
    """

    ids: list[str]
    scores: NDArray[np.float32]
    rows: NDArray[np.int32]
    release: str
    request: str
    explain: list[dict[str, Mapping[str, float]]] = field(default_factory=list)
    propensities: NDArray[np.float32] | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    context: Context = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def to_arrow(self) -> pyarrow.Table:
        """A table with columns `item` and `score`."""
        import pyarrow as pa

        return pa.table({"item": pa.array(self.ids, pa.string()), "score": self.scores})

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas frame with columns `item` and `score` (needs `shortlist[pandas]`)."""
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> polars.DataFrame:
        """A polars frame with columns `item` and `score` (needs `shortlist[polars]`)."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame


class Pipeline(Protocol):
    """The online request path as the offline side sees it (evaluation, training rows).

    Offline code never imports the online package; the composition root hands it one of these.
    """

    @property
    def vectors(self) -> Mapping[str, Callable[[NDArray[np.int32]], NDArray[np.float32]]]:
        """Retriever → its vectors of catalogue rows, `float32[n, dim]`; zeros without one."""
        ...

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        """Candidates of each request, before ranking."""
        ...

    def fused(self, requests: Sequence[Request]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """Candidates of each request in fused order, and their fused scores, `float32[n]`."""
        ...

    def weigh(self, requests: Sequence[Request]) -> list[Weighed]:
        """The first candidates of each request, and the evidence that fusion is learned from."""
        ...

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        """The answer to each request."""
        ...
