"""`ApproximateIndex`: what every index that does not look at all vectors has in common.

A kind finds candidates by its own structure; planning, filters, threads, the exact scan that makes
up for what a structure cannot find, and the vectors themselves are the same for all.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import ReleaseError
from shortlist.index.files import Description, describe
from shortlist.index.threads import in_parts
from shortlist.index.vectors import VectorTable

SMALLEST = 1_000
"""Fewer vectors than this are not worth a structure."""

# What a search costs in nanoseconds, measured on one x86 core at 384 dimensions: enough to tell
# which of two ways is faster by more than a little.
_ROW_COST = 0.25  # per number of a vector that is fetched from memory and multiplied
_DEEPEST = 2_000  # candidates that are scored again for a short list


class Settings(msgspec.Struct, frozen=True):
    """How an index is searched.

    Attributes:
        at: the length of list that the knobs were tuned for. Shorter lists get the same effort;
            longer ones half more candidates than they hold.
        knobs: the kind's own.
        spread: how many times more effort a filtered search makes, in percent. Its neighbours
            lie further away, where a structure tells them apart less well.
    """

    at: int
    knobs: dict[str, int]
    spread: int = 200

    def to_parameters(self) -> dict[str, int]:
        """Plain numbers, for `index.json`."""
        return {"at": self.at, "spread": self.spread, **self.knobs}

    @classmethod
    def of(cls, description: Description, knobs: tuple[str, ...], where: Path) -> Settings:
        """What `to_parameters` gave.

        Raises:
            ReleaseError: one is missing or not positive.
        """
        told = description.parameters
        for name in ("at", "spread", *knobs):
            if told.get(name, 0) < 1:
                raise ReleaseError(
                    f"parameters.{name} is {told.get(name)}, and the index needs 1 or more.",
                    remedy="The file is damaged; train again or roll back.",
                    where=str(where / "index.json"),
                )
        return cls(told["at"], {name: told[name] for name in knobs}, told["spread"])


class ApproximateIndex(ABC):
    """Approximate nearest neighbours.

    Safe to search from several threads. Equal candidates are ordered by catalogue row, and a
    batch finds what its queries find alone, whatever the number of threads.

    Attributes:
        settings: how it is searched.
        threads: how many threads one call may use: the queries of a batch are shared among them.
    """

    kind: str
    exact = False
    knobs: ClassVar[tuple[str, ...]]
    """The names of the kind's knobs."""

    def __init__(self, table: VectorTable, settings: Settings, threads: int) -> None:
        self.dim = table.dim
        self.settings = settings
        self.threads = threads
        self._table = table
        self._scans: dict[int, bool] = {}  # by k: whether all vectors are scanned for it

    def __len__(self) -> int:
        return len(self._table)

    @abstractmethod
    def with_settings(self, settings: Settings) -> Self:
        """The same index, searched otherwise; nothing is copied."""

    @abstractmethod
    def curves(self, at: int) -> Iterator[list[dict[str, int]]]:
        """Knobs to try, in groups: within one, each setting costs more and finds more."""

    @abstractmethod
    def between(self, less: dict[str, int], more: dict[str, int]) -> list[dict[str, int]]:
        """Knobs between two of a group, ascending."""

    @abstractmethod
    def cost(self, k: int, allowed: int) -> float:
        """About how many nanoseconds a search takes when so many vectors are allowed."""

    @abstractmethod
    def _find(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
        threads: int,
    ) -> NDArray[np.int64]:
        """Fill `found[q, k]` and `scores[q, k]`; how many each query found, -1 if it gave up."""

    @abstractmethod
    def _save(self, folder: Path) -> None:
        """Write the structure's own files."""

    def search(
        self, queries: NDArray[np.float32], k: int, allow: Bitmap | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k nearest vectors of each query; see `Index.search`.

        When a scan of the allowed vectors is cheaper than a search for them, they are scanned; a
        query for which the structure yields too few is answered by such a scan too.

        Raises:
            RequestError: queries are not finite `[q, dim]`, or k is below 0.
        """
        table = self._table
        queries = table.check(queries, k)
        allowed = len(table)
        if allow is not None:
            allow = np.ascontiguousarray(allow)
            allowed = table.count(allow)
        if allowed < len(table):
            scanned = self._is_scanned(k, allowed)
        else:
            allow = None
            if k not in self._scans:
                self._scans[k] = self._is_scanned(k, allowed)
            scanned = self._scans[k]
        if scanned:
            return table.scan(queries, k, allow, allowed, self.threads)
        found = np.empty((len(queries), k), np.int32)
        scores = np.empty((len(queries), k), np.float32)
        if len(queries) == 1 or self.threads == 1:
            self._answer(queries, allow, allowed, found, scores, self.threads)
        else:

            def part(some: slice, threads: int) -> None:
                self._answer(queries[some], allow, allowed, found[some], scores[some], threads)

            in_parts(part, len(queries), self.threads)
        return found, scores

    def _is_scanned(self, k: int, allowed: int) -> bool:
        return min(k, allowed) == 0 or self.cost(k, allowed) > self.scan_cost(allowed)

    def _answer(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
        threads: int,
    ) -> None:
        """Find, and scan for the queries that found too few."""
        k = found.shape[1]
        counts = self._find(queries, allow, allowed, found, scores, threads)
        if len(counts) and (counts[0] if len(counts) == 1 else counts.min()) < min(k, allowed):
            for short in np.flatnonzero(counts < min(k, allowed)):
                one = slice(short, short + 1)
                found[one], scores[one] = self._table.scan(queries[one], k, allow, allowed)

    def candidates(self, k: int) -> int:
        """How many candidates a search for k looks at closely."""
        # The recall that is promised is of the first `at`; what follows them needs less care.
        wanted = max(self.settings.knobs.get("k_factor", 1) * self.settings.at, k + k // 2)
        return max(k, min(wanted, len(self._table)))

    def spread(self, allowed: int) -> float:
        """How many times more effort a filter asks for: from 1 when all is allowed, up to
        `settings.spread` at a quarter and below."""
        if allowed == len(self._table):
            return 1.0
        rarity = math.log2(len(self._table) / max(allowed, 1))
        return 1 + (self.settings.spread / 100 - 1) * min(1.0, rarity / 2)

    def depths(self, at: int) -> list[int]:
        """Values of `k_factor` to try: up to 16, further for short lists."""
        depths = [1]
        while depths[-1] < 64:
            more = 2 * depths[-1]
            if more * at > len(self) or (more > 16 and more * at > _DEEPEST):
                break
            depths.append(more)
        return depths

    def scan_cost(self, rows: int) -> float:
        """About how many nanoseconds scoring that many vectors takes."""
        return rows * self.dim * _ROW_COST

    def vectors_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of catalogue rows at half precision; zeros for rows without one."""
        return self._table.vectors_of(rows)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made.

        Raises:
            OSError: a file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._table.save(folder)
        self._save(folder)
        describe(folder, self.kind, self.dim, len(self), self.settings.to_parameters())
