"""`linear`: a ridge regression of what comes next on what came before, item by item.

With `decay` 1 histories are sets and this is EASE (Steck, "Embarrassingly shallow autoencoders
for sparse data", WWW 2019, section 3.1, equation 8). Below 1 the regression is from decayed
histories to the next item, the closed form of Choi et al., "Session-aware linear item-item models
for session-based recommendation" (WWW 2021, section 3.2). Catalogues whose matrix does not fit get
a small regression for each item, on the items that it is met with most, as SLIM with feature
selection (Ning and Karypis, ICDM 2011, section 4.3) with a ridge penalty.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from shortlist.config.schema import LinearRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.histories import histories
from shortlist.offline.retrieval.linear_kernels import (
    count_pairs,
    mirror,
    pair_lists,
    solve_each,
)
from shortlist.offline.retrieval.lists import list_length, packed, top_of_block
from shortlist.release.artefacts import Artefact

CLOSED_UP_TO = 20_000
"""Items that the closed form is for: its time grows with their cube."""
MEMORY_SHARE = 4
"""The matrix may take one part in so many of the machine's memory."""
SELF_COST = 1.0
"""Below decay 1 an item's own weight costs this times its events besides."""
SETS_COST, DECAYED_COST = 1.0, 0.3
"""The rule of `regularisation`, in events of an average item."""
FAINT = 0.01
"""Steps whose decay is below this are left out of the counts."""
_BLOCK = 256


@dataclass(frozen=True)
class Problem:
    """The least squares problem, before any matrix is made.

    Attributes:
        offsets, items: sequences in CSR.
        gram: `float32[reach]`, what a pair of one history that is d + 1 events apart adds to the
            Gram matrix.
        next: `float32[reach]`, what it adds to what is to be predicted.
        diagonal: `float32[items]`, the Gram matrix' diagonal, penalties in it.
        sets: whether pairs have no order, and a history holds an item once.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    gram: NDArray[np.float32]
    next: NDArray[np.float32]
    diagonal: NDArray[np.float32]
    sets: bool


def fit(
    data: TrainingData, config: LinearRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """An item-to-item map of regression weights, the largest of each item.

    Args:
        data: the interactions.
        config: settings.
        seed: unused; nothing here is random.
        progress: a step for the solve and one for the lists; notes the solver and what cutting
            the lists left out.

    Returns:
        `item_to_item`: an `ItemToItem`; weights may be negative.
    """
    data = data.frequent()
    n = data.items
    problem = _problem(data, config)
    length = list_length(n, config.neighbours)
    neighbours = np.full((n, length), -1, np.int32)
    scores = np.zeros((n, length), np.float32)
    closed, why = _solver(config, n)
    progress.note(f"linear: {'closed form' if closed else 'sparse'}, {why}.")
    if len(problem.items):
        if closed:
            lost = _closed(problem, n, neighbours, scores, progress)
        else:
            lost = _sparse(problem, n, config.support, neighbours, scores, progress)
        progress.note(f"linear: lists of {length} leave out {lost:.2%} of the squared weights.")
    return {"item_to_item": packed(neighbours, scores, config.decay, config.history)}


def _solver(config: LinearRetriever, items: int) -> tuple[bool, str]:
    needed = 4 * items * items
    if config.solver != "auto":
        return config.solver == "closed", "as the configuration says"
    if items > CLOSED_UP_TO:
        return False, f"since {items:,} items are more than {CLOSED_UP_TO:,}"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed * MEMORY_SHARE > memory:
        return False, f"since {needed >> 20:,} MB are more than a quarter of the memory"
    return True, f"a matrix of {items:,} items takes {needed >> 20:,} MB"


def _problem(data: TrainingData, config: LinearRetriever) -> Problem:
    """Counts, decays and penalties.

    A history x with weights decay^k has autocorrelation decay^d / (1 - decay²) at distance d, and
    what follows it d events later is predicted from it with weight decay^(d - 1): summed over all
    the prefixes of a sequence, that is the Gram matrix and the right side.
    """
    runs = histories(data)
    popularity = np.bincount(data.item, minlength=data.items).astype(np.float32)
    sets = config.decay >= 1
    if sets:
        pairs = np.sort(data.user.astype(np.int64) * data.items + data.item)
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
        user, item = pairs // max(1, data.items), (pairs % max(1, data.items)).astype(np.int32)
        cuts = np.flatnonzero(np.diff(user)) + 1
        offsets = np.concatenate([[0], cuts, [len(item)]]).astype(np.int64)
        diagonal = np.bincount(item, minlength=data.items).astype(np.float32)
        kernel = np.ones(int(np.diff(offsets).max(initial=1)), np.float32)
        gram = next = kernel
        cost, own = config.regularisation or SETS_COST, 0.0
    else:
        offsets, item = runs.offsets, data.item
        reach = min(config.history, int(np.log(FAINT) / np.log(config.decay)) + 1)
        step = np.arange(reach)
        energy = 1 / (1 - config.decay**2)
        next = (config.decay**step).astype(np.float32)
        gram = (config.decay ** (step + 1) * energy).astype(np.float32)
        diagonal = popularity * np.float32(energy)
        cost, own = config.regularisation or DECAYED_COST, SELF_COST
    average = diagonal[diagonal > 0].mean() if (diagonal > 0).any() else 1.0
    diagonal = diagonal * np.float32(1 + own) + np.float32(cost * average)
    return Problem(offsets, item, gram, next, diagonal, sets)


def _closed(
    problem: Problem,
    n: int,
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
    progress: Progress,
) -> float:
    """Invert the Gram matrix in place, and fill the lists block by block of its rows."""
    progress.step("linear: inverse")
    inverse = np.zeros((n, n), np.float32)
    count_pairs(problem.offsets, problem.items, problem.gram, problem.sets, inverse)
    inverse[np.diag_indices(n)] = problem.diagonal
    # The transpose of a C array is the Fortran array that LAPACK works in without a copy.
    factor, _ = scipy.linalg.lapack.spotrf(inverse.T, lower=1, overwrite_a=1)
    done, _ = scipy.linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    inverse = done.T
    mirror(inverse)
    progress.step("linear: lists", n)
    follows = None if problem.sets else _follows(problem, n)
    lost = total = 0.0
    own = inverse.diagonal().copy()
    for first in range(0, n, _BLOCK):
        rows = inverse[first : first + _BLOCK]
        if follows is None:
            block = -rows / own
        elif scipy.sparse.issparse(follows):
            block = np.ascontiguousarray((follows @ rows.T).T)
        else:
            block = rows @ follows
        here = np.arange(len(rows))
        block[here, first + here] = 0
        lost += top_of_block(block, first, neighbours, scores)
        total += float(np.square(block, dtype=np.float64).sum())
        progress.advance(len(rows))
    return lost / max(total, 1e-30)


def _follows(problem: Problem, n: int) -> NDArray[np.float32] | scipy.sparse.csr_matrix:
    """What is to be predicted: dense if full enough for BLAS, else its transpose, sparse."""
    offsets, targets, weights = pair_lists(problem.offsets, problem.items, problem.next, True, n, n)
    backward = scipy.sparse.csr_matrix((weights, targets, offsets), shape=(n, n))
    if backward.nnz * 10 > n * n:
        return np.ascontiguousarray(backward.T.toarray())
    return backward


def _sparse(
    problem: Problem,
    n: int,
    support: int,
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
    progress: Progress,
) -> float:
    """A regression for each item on those it follows most, and the map from its columns."""
    progress.step("linear: counts")
    support = min(support, n)
    gram = pair_lists(problem.offsets, problem.items, problem.gram, False, n, 4 * support)
    before = pair_lists(problem.offsets, problem.items, problem.next, not problem.sets, n, support)
    progress.step("linear: regressions", n)
    weights = np.empty(len(before[2]), np.float32)
    for first in range(0, n, _BLOCK):
        stop = min(n, first + _BLOCK)
        solve_each(first, stop, support, *gram, problem.diagonal, *before, weights)
        progress.advance(stop - first)
    columns = scipy.sparse.csr_matrix((weights, before[1], before[0]), shape=(n, n))
    rows = columns.T.tocsr()
    lost = total = 0.0
    for first in range(0, n, _BLOCK):
        block = rows[first : first + _BLOCK].toarray()
        lost += top_of_block(block, first, neighbours, scores)
        total += float(np.square(block, dtype=np.float64).sum())
    return lost / max(total, 1e-30)
