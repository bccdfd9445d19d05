"""`HnswIndex`: a small-world graph; approximate, fastest for short lists, slow to build.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", PAMI 2018. faiss builds the graph under the inner
product itself (Morozov and Babenko, "Non-metric similarity graphs for maximum inner product
search", NeurIPS 2018), so vectors need not be of one length. The walk is `graph.walk`, on the
half-precision vectors that every index keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.errors import ReleaseError
from shortlist.core.progress import Progress, stage
from shortlist.index import graph
from shortlist.index.approximate import ApproximateIndex, Settings
from shortlist.index.files import Description
from shortlist.index.vectors import VectorTable, open_file

_FAISS: Any = faiss  # its type hints leave out what is used here

WIDTH = 16
"""Neighbours of a node above the ground; on the ground it has twice as many."""
_EFFORT = 100  # nodes that a node's neighbours are chosen from
_ADD = 16_384
_LANES = 16
"""faiss multiplies so many halves at once, or else one by one: four times slower to build."""
_EVERYTHING = np.empty(0, np.uint8)
_EVERYTHING.flags.writeable = False  # as every bitmap that a walk is given
_LOOKED = 16  # nodes that are looked at for each of the beam, measured
_NODE_COST = 45.0  # nanoseconds per node that is looked at, beside half of what a scanned row takes
_FAR_NODE_COST = 300.0  # the same of a walk that goes on and on: heaps and links leave the caches
_LONGEST = 0.5  # a walk may cost so many times the scan that answers for it


class HnswIndex(ApproximateIndex):
    """Approximate nearest neighbours; see the module.

    Its knob `beam` is the number of best nodes that a walk keeps (`efSearch`).
    """

    kind = "hnsw"
    knobs = ("beam",)

    def __init__(
        self,
        table: VectorTable,
        links: graph.Links,
        starts: graph.Starts,
        entry: NDArray[np.int64],
        settings: Settings,
        threads: int,
    ) -> None:
        super().__init__(table, settings, threads)
        self._links = links
        self._starts = starts
        self._entry = entry
        self._first, self._top = int(entry[0]), int(entry[1])
        self._beams: dict[int, int] = {}  # by k, where all is allowed

    @classmethod
    def build(
        cls, rows: NDArray[np.int32], vectors: NDArray[np.floating], seed: int, progress: Progress
    ) -> Self:
        """Index `vectors[m, dim]` of ascending catalogue `rows[m]`; at least `SMALLEST` of them.

        The settings are a guess until `tune` has chosen them. Built on several threads, whose
        order differs from run to run, so the same inputs give the same recall and not the same
        bytes.

        Raises:
            DataError: see `VectorTable.of`; float16 must be able to hold the numbers.
        """
        table = VectorTable.of(rows, vectors, np.float16)
        n, dim = vectors.shape
        width = -(-dim // _LANES) * _LANES  # zeros at the end change no dot product
        built = _FAISS.IndexHNSWSQ(
            width, faiss.ScalarQuantizer.QT_fp16, WIDTH, faiss.METRIC_INNER_PRODUCT
        )
        built.hnsw.efConstruction = _EFFORT
        built.hnsw.rng = _FAISS.RandomGenerator(seed % 2**31)
        built.is_trained = built.storage.is_trained = True  # halves need no training
        with stage(progress, "link vectors", n):
            for start in range(0, n, _ADD):
                part = np.zeros((min(_ADD, n - start), width), np.float32)
                part[:, :dim] = vectors[start : start + _ADD]
                built.add(part)
                progress.advance(len(part))
        links = faiss.vector_to_array(built.hnsw.neighbors)
        starts = faiss.vector_to_array(built.hnsw.offsets).astype(np.int64)
        entry = np.array([built.hnsw.entry_point, built.hnsw.max_level], np.int64)
        for array in (links, starts, entry):  # as mapped ones are: a kernel is compiled once
            array.flags.writeable = False
        settings = Settings(100, {"beam": 200})
        return cls(table, links, starts, entry, settings, threads=1)

    @classmethod
    def load(cls, folder: Path, description: Description, threads: int = 1) -> Self:
        """Open what `save` wrote, memory-mapped.

        Raises:
            ReleaseError: the files are missing or do not fit each other.
        """
        table = VectorTable.load(folder)
        links, starts = open_file(folder / "links.npy"), open_file(folder / "starts.npy")
        entry = open_file(folder / "entry.npy")
        if (
            len(starts) != len(table) + 1
            or starts[-1] > len(links)
            or not 0 <= entry[0] < len(table)
        ):
            raise ReleaseError(
                f"links {len(starts) - 1} nodes, and there are {len(table)} vectors.",
                remedy="The files are of different builds; train again or roll back.",
                where=str(folder / "starts.npy"),
            )
        settings = Settings.of(description, cls.knobs, folder)
        return cls(table, links, starts, entry, settings, threads)

    def _save(self, folder: Path) -> None:
        np.save(folder / "links.npy", self._links)
        np.save(folder / "starts.npy", self._starts)
        np.save(folder / "entry.npy", self._entry)

    def with_settings(self, settings: Settings) -> Self:
        """The same index, searched otherwise; nothing is copied."""
        return type(self)(
            self._table, self._links, self._starts, self._entry, settings, self.threads
        )

    def curves(self, at: int) -> Iterator[list[dict[str, int]]]:
        """One curve: the beam, from the length of the list on."""
        beams = [max(at, 8)]
        while beams[-1] < min(len(self), 64 * max(at, 16)):
            beams.append(beams[-1] * 3 // 2)
        yield [{"beam": beam} for beam in beams]

    def between(self, less: dict[str, int], more: dict[str, int]) -> list[dict[str, int]]:
        """The beam between two."""
        low, high = less["beam"], more["beam"]
        return [{"beam": low + (high - low) * i // 4} for i in (1, 2, 3) if high - low >= 4]

    def _beam(self, k: int, allowed: int) -> int:
        wanted = max(self.settings.knobs["beam"], k if k <= self.settings.at else k + k // 2)
        return max(k, min(int(self.spread(allowed) * wanted), len(self)))

    def cost(self, k: int, allowed: int) -> float:
        """About how many nanoseconds a walk takes; longer the rarer the allowed nodes are."""
        nodes = self._beam(k, allowed) * _LOOKED * len(self) / max(allowed, 1)
        return nodes * (_NODE_COST + self.scan_cost(1) / 2)

    def _find(
        self,
        queries: NDArray[np.float32],
        allow: Bitmap | None,
        allowed: int,
        found: NDArray[np.int32],
        scores: NDArray[np.float32],
        threads: int,
    ) -> NDArray[np.int64]:
        table = self._table
        k = found.shape[1]
        if allow is None:
            if k not in self._beams:
                self._beams[k] = self._beam(k, allowed)
            beam = self._beams[k]
            budget, bitmap = len(table), _EVERYTHING
        else:
            beam = self._beam(k, allowed)
            scan = self.scan_cost(allowed)
            budget = int(_LONGEST * scan / (_FAR_NODE_COST + self.scan_cost(1)))
            bitmap = allow.view()
            bitmap.flags.writeable = False
        return graph.walk(
            queries,
            table.matrix,
            table.rows,
            self._links,
            self._starts,
            WIDTH,
            self._first,
            self._top,
            beam,
            budget,
            allow is not None,
            bitmap,
            found,
            scores,
        )
