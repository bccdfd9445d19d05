"""What retrieval said about a candidate: each source's score and rank, and what they make fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.features.contract import AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class SourceScore:
    """`score:<source>`: the source's own score, 0 where it did not return the item."""

    source: str
    default: float = 0.0

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"score:{self.source}"

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Copy the source's column."""
        scores = view.scores.get(self.source)
        out[:] = self.default if scores is None else scores


@dataclass(frozen=True)
class SourceRank:
    """`rank:<source>`: 1 / (rank + 1) within the source, 0 where it did not return the item."""

    source: str
    default: float = 0.0

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"rank:{self.source}"

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Copy the source's column."""
        ranks = view.ranks.get(self.source)
        out[:] = self.default if ranks is None else ranks


@dataclass(frozen=True)
class SourceCount:
    """How many sources returned the item."""

    name: str = "sources"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Count ranks above 0."""
        out.fill(0.0)
        for ranks in view.ranks.values():
            out += ranks > 0


@dataclass(frozen=True)
class Fused:
    """`fused`: the fused score, by which candidates are in order before ranking."""

    name: str = "fused"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Copy the fused scores."""
        out[:] = view.fused


@dataclass(frozen=True)
class FusedRank:
    """`fused_rank`: 1 / (place + 1) in fused order, 0 where retrieval did not return the item."""

    name: str = "fused_rank"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Candidates are in fused order."""
        np.divide(1, np.arange(1, len(out) + 1), out=out, casting="same_kind")


@dataclass(frozen=True)
class FusedGap:
    """`fused_gap`: how far the fused score is below that of the first candidate, at most 0."""

    name: str = "fused_gap"
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) with every retrieval column."""
        return retrieval(at)

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Fused scores descend."""
        out[:] = view.fused - view.fused[:1] if len(out) else 0.0


def retrieval(at: AsOf) -> ir.Table:
    """The candidates with `sources`, the number of rank columns above 0."""
    import ibis

    table = at.candidates
    count: ir.IntegerValue = ibis.literal(0, "int64")
    for name in table.columns:
        if name.startswith("rank:"):
            count = count + (table[name] > 0).cast("int64")
    return table.mutate(sources=count)
