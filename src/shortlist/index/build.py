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
from shortlist.index.approximate import ApproximateIndex
from shortlist.index.contract import Index
from shortlist.index.exact import ExactIndex
from shortlist.index.files import check_files, read_description
from shortlist.index.hnsw import HnswIndex
from shortlist.index.ivf import Codes, IvfIndex
from shortlist.index.kinds import KINDS, Kind, choose
from shortlist.index.scann import ScannIndex
from shortlist.index.tune import QUERIES, Setting, Tuned, filters_for, sample_queries, tune


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

    @property
    def queries(self) -> NDArray[np.float32] | None:
        """`float32[q, d]`, queries as they come; None where those are means of vectors."""
        ...


class IndexReport(msgspec.Struct, frozen=True):
    """What was built, for the manifest.

    Attributes:
        kind: `exact`, `ivf`, `hnsw` or `scann`.
        why: why that kind.
        n: number of vectors.
        dim: their length.
        target: the recall asked for.
        at: where it is measured.
        recall: the recall measured against `exact`; 1 for `exact`.
        knobs: what the kind searches with.
        spread: how many times more effort it makes under a filter, in percent.
        filtered: the recall under each of several filters.
        curve: every setting that was tried.
    """

    kind: str
    why: str
    n: int
    dim: int
    target: float
    at: int
    recall: float = 1.0
    knobs: dict[str, int] = {}
    spread: int = 100
    filtered: dict[str, float] = {}
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

    All kinds but `exact` need `approximate.SMALLEST` vectors; with fewer the index is `exact`, and
    a note says so.

    Raises:
        DataError: rows do not ascend, or a vector is not finite in the precision that is kept.
        ConfigError: nothing fits into the memory allowed, or a package is missing.
    """
    progress = progress or Silent()
    n, dim = vectors.vectors.shape
    choice = choose(config, n, dim)
    if choice.kind == "exact":
        if config.kind not in ("auto", "exact"):
            progress.note(f"{choice.why}; using exact.")
        kept = vectors.vectors.astype(np.float16) if choice.half else vectors.vectors
        exact = ExactIndex.build(vectors.rows, kept)
        return exact, IndexReport("exact", choice.why, n, dim, config.recall, config.at)
    built = build_kind(choice.kind, vectors, seed, progress, config.codes)
    index, tuned = tune_index(built, vectors, config, seed, progress)
    reached = tuned.recall >= config.recall
    progress.note(
        f"index: {choice.kind} ({choice.why}), {_said(tuned)}, "
        f"recall@{tuned.settings.at} {tuned.recall:.3f}"
        + ("" if reached else f", below the {config.recall} asked for; no setting reaches it")
        + _said_of_filters(tuned, config.recall)
    )
    return index, IndexReport(
        kind=choice.kind,
        why=choice.why,
        n=n,
        dim=dim,
        target=config.recall,
        at=tuned.settings.at,
        recall=tuned.recall,
        knobs=tuned.settings.knobs,
        spread=tuned.settings.spread,
        filtered=tuned.filtered,
        curve=tuned.curve,
    )


def build_kind(
    kind: Kind, vectors: Vectors, seed: int, progress: Progress, codes: Codes = "pq"
) -> ApproximateIndex:
    """An approximate index of a kind, not tuned.

    Raises:
        DataError: rows do not ascend, or a vector is not finite in half precision.
        ConfigError: a package is missing.
    """
    if kind == "hnsw":
        return HnswIndex.build(vectors.rows, vectors.vectors, seed, progress)
    if kind == "scann":
        return ScannIndex.build(vectors.rows, vectors.vectors, seed, progress)
    return IvfIndex.build(vectors.rows, vectors.vectors, seed, progress, codes)


def tune_index(
    index: ApproximateIndex,
    vectors: Vectors,
    config: IndexSection,
    seed: int,
    progress: Progress,
) -> tuple[ApproximateIndex, Tuned]:
    """The index at the cheapest setting that reaches `config.recall`; see `tune.tune`."""
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    queries = queries_for(vectors, seed)
    filters = filters_for(vectors.rows, vectors.vectors, queries[0])
    return tune(index, truth, queries, filters, config.recall, config.at, progress)


def queries_for(vectors: Vectors, seed: int) -> NDArray[np.float32]:
    """What an index is tuned on, `float32[QUERIES, d]`: its own queries, or made ones."""
    n, dim = vectors.vectors.shape
    random = np.random.default_rng([seed, n, dim])
    own = vectors.queries
    if own is None or not len(own):
        return sample_queries(vectors.vectors, QUERIES, random)
    own = own[np.sort(random.permutation(len(own))[:QUERIES])]
    made = sample_queries(vectors.vectors, QUERIES - len(own), random)
    return np.concatenate([own.astype(np.float32), made])


def _said(tuned: Tuned) -> str:
    return ", ".join(f"{name} {value}" for name, value in tuned.settings.knobs.items())


def _said_of_filters(tuned: Tuned, target: float) -> str:
    worst = min(tuned.filtered, key=tuned.filtered.__getitem__)
    if tuned.filtered[worst] >= min(target, tuned.recall):
        return ""
    return f"; {tuned.filtered[worst]:.3f} where a filter allows {worst}, the best it can"


def load_index(folder: Path, threads: int = 1, *, check: bool = True) -> Index:
    """Open a saved index, memory-mapped.

    Args:
        folder: what `save` wrote.
        threads: how many threads one search may use.
        check: whether every file is held against its checksum, which reads all of it once.

    Raises:
        ReleaseError: the folder is incomplete, damaged, or of another version; names the file.
        ConfigError: its kind needs a package that is not installed.
    """
    description = read_description(folder)
    index: Index
    if description.kind not in KINDS:
        raise ReleaseError(
            f"the index is of the unknown kind {description.kind!r}.",
            remedy="Upgrade shortlist, or train again with this version.",
            where=str(folder / "index.json"),
        )
    if check:
        check_files(folder, description)
    if description.kind == "exact":
        index = ExactIndex.load(folder, threads)
    elif description.kind == "ivf":
        index = IvfIndex.load(folder, description, threads)
    elif description.kind == "hnsw":
        index = HnswIndex.load(folder, description, threads)
    else:
        index = ScannIndex.load(folder, description, threads)
    if (len(index), index.dim) != (description.n, description.dim):
        raise ReleaseError(
            f"describes {description.n} vectors of {description.dim}, and the folder holds "
            f"{len(index)} of {index.dim}.",
            remedy="Its files are of different builds; train again or roll back.",
            where=str(folder / "index.json"),
        )
    return index
