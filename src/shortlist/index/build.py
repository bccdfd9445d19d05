"""Making an index from vectors by the rules of the config, and opening a saved one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import IndexSection
from shortlist.core.errors import ReleaseError
from shortlist.core.progress import Progress, Silent
from shortlist.index.contract import Index
from shortlist.index.exact import ExactIndex
from shortlist.index.files import read_description
from shortlist.index.ivf import SMALLEST, IvfIndex
from shortlist.index.tune import QUERIES, Setting, sample_queries, tune

EXACT_UP_TO = 50_000
"""`auto` means `exact` up to this many vectors."""


class Vectors(Protocol):
    """What an index is built from: `release.artefacts.ItemVectors` is one."""

    @property
    def rows(self) -> NDArray[np.int32]:
        """`int32[m]`, ascending catalogue rows."""
        ...

    @property
    def vectors(self) -> NDArray[np.float32]:
        """`float32[m, d]`, finite."""
        ...


class IndexReport(msgspec.Struct, frozen=True):
    """What was built, for the manifest.

    Attributes:
        kind: `exact` or `ivf`.
        n: number of vectors.
        dim: their length.
        target: the recall asked for.
        at: where it is measured.
        recall: the recall measured against `exact`; 1 for `exact`.
        lists: clusters of an `ivf`.
        nprobe: its setting.
        k_factor: its setting.
        curve: every setting that was tried.
    """

    kind: str
    n: int
    dim: int
    target: float
    at: int
    recall: float = 1.0
    lists: int = 0
    nprobe: int = 0
    k_factor: int = 0
    curve: list[Setting] = []

    @property
    def reached(self) -> bool:
        """Whether the recall is what was asked for."""
        return self.recall >= self.target

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def build_index(
    vectors: Vectors, config: IndexSection, seed: int, progress: Progress | None = None
) -> tuple[Index, IndexReport]:
    """Build and tune an index.

    `ivf` needs `ivf.SMALLEST` vectors; with fewer the index is `exact`, and a note says so.

    Raises:
        DataError: rows do not ascend, or a vector is not finite in the precision that is kept.
    """
    progress = progress or Silent()
    n, dim = vectors.vectors.shape
    clustered = config.kind == "ivf" or (config.kind == "auto" and n > EXACT_UP_TO)
    if clustered and n < SMALLEST:
        progress.note(f"{n} vectors are too few for an ivf index; using exact.")
        clustered = False
    if not clustered:
        exact = ExactIndex.build(vectors.rows, vectors.vectors)
        return exact, IndexReport("exact", n, dim, config.recall, config.at)
    index = IvfIndex.build(vectors.rows, vectors.vectors, seed, progress)
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    queries = sample_queries(vectors.vectors, QUERIES, np.random.default_rng([seed, n, dim]))
    index, curve, chosen = tune(index, truth, queries, config.recall, config.at, progress)
    reached = chosen.recall >= config.recall
    progress.note(
        f"index: nprobe {chosen.nprobe}, k_factor {chosen.k_factor}, "
        f"recall@{index.at} {chosen.recall:.3f}"
        + ("" if reached else f", below the {config.recall} asked for; no setting reaches it")
    )
    return index, IndexReport(
        kind="ivf",
        n=n,
        dim=dim,
        target=config.recall,
        at=index.at,
        recall=chosen.recall,
        lists=index.lists,
        nprobe=chosen.nprobe,
        k_factor=chosen.k_factor,
        curve=curve,
    )


def load_index(folder: Path, threads: int = 1) -> Index:
    """Open a saved index, memory-mapped; `threads` is what an `ivf` may use in one search.

    Raises:
        ReleaseError: the folder is incomplete, damaged, or of a newer version.
    """
    description = read_description(folder)
    index: Index
    if description.kind == "exact":
        index = ExactIndex.load(folder)
    elif description.kind == "ivf":
        index = IvfIndex.load(folder, threads)
    else:
        raise ReleaseError(
            f"the index is of the unknown kind {description.kind!r}.",
            remedy="Upgrade shortlist, or train again with this version.",
            where=str(folder / "index.json"),
        )
    if (len(index), index.dim) != (description.n, description.dim):
        raise ReleaseError(
            f"describes {description.n} vectors of {description.dim}, and the folder holds "
            f"{len(index)} of {index.dim}.",
            remedy="Its files are of different builds; train again or roll back.",
            where=str(folder / "index.json"),
        )
    return index
