"""`graph_filter`: collaborative filtering as low-pass filtering of the interaction graph.

GF-CF (Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021, section
4.2): the linear filter of the normalised item graph plus an ideal low-pass filter, which keeps the
leading singular vectors. Both are linear in the history, so together they are one item-to-item
map.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from shortlist.config.schema import GraphFilterRetriever
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.lists import list_length, packed, top_of_block
from shortlist.release.artefacts import Artefact

FREQUENCIES = 256
"""Singular vectors that the ideal filter keeps (the paper's setting)."""
EXTRA, ROUNDS = 32, 8
"""More vectors than wanted, and rounds, of the search for singular vectors."""
NOTHING = 1e-6
"""Squared singular values below this are rounding; the largest is 1."""
_BLOCK = 256


def fit(
    data: TrainingData, config: GraphFilterRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """An item-to-item map: the filters' largest entries of each item.

    Args:
        data: the interactions; a pair of user and item counts once.
        config: settings.
        seed: where the search for singular vectors starts.
        progress: a step for the singular vectors and one for the lists.

    Returns:
        `item_to_item`: an `ItemToItem`; entries may be negative.
    """
    data = data.frequent()
    n = data.items
    ones = np.ones(len(data), np.float32)
    pairs = scipy.sparse.csr_matrix((ones, (data.user, data.item)), shape=(data.users, n))
    pairs.data[:] = 1
    taken = np.asarray(pairs.sum(axis=0)).ravel()
    per_user = _inverse_root(np.asarray(pairs.sum(axis=1)).ravel())
    normal = (
        scipy.sparse.diags(per_user) @ pairs @ scipy.sparse.diags(_inverse_root(taken))
    ).tocsr()
    progress.step("graph filter: singular vectors")
    basis = _basis(normal, config.frequencies or FREQUENCIES, seed)
    left = basis * (config.ideal * _inverse_root(taken))[:, None]
    right = np.ascontiguousarray(basis.T * np.sqrt(taken, dtype=np.float32))
    length = list_length(n, config.neighbours)
    neighbours = np.full((n, length), -1, np.int32)
    scores = np.zeros((n, length), np.float32)
    progress.step("graph filter: lists", n)
    # The item-item matrix is never whole: its rows are made in blocks and cut at once.
    back = normal.T.tocsr()
    lost = total = 0.0
    for first in range(0, n, _BLOCK):
        block = (back[first : first + _BLOCK] @ normal).toarray() + left[
            first : first + _BLOCK
        ] @ right
        here = np.arange(len(block))
        block[here, first + here] = 0
        lost += top_of_block(block, first, neighbours, scores)
        total += float(np.square(block, dtype=np.float64).sum())
        progress.advance(len(block))
    progress.note(
        f"graph filter: {basis.shape[1]} frequencies; lists of {length} leave out "
        f"{lost / max(total, 1e-30):.2%} of the squared entries."
    )
    return {"item_to_item": packed(neighbours, scores, config.decay, config.history)}


def _inverse_root(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """`counts ** -1/2`, 0 where there is nothing."""
    with np.errstate(divide="ignore"):
        return np.where(counts > 0, counts**-0.5, 0).astype(np.float32)


def _basis(normal: scipy.sparse.csr_matrix, most: int, seed: int) -> NDArray[np.float32]:
    """The leading right singular vectors, `float32[items, k]`; k is at most the rank.

    By subspace iteration from a random block (Halko, Martinsson and Tropp, SIAM Review 2011,
    algorithm 4.4), which works on whole matrices and needs no more than the order of the vectors.
    """
    size = min(most + EXTRA, *normal.shape)
    start = np.random.default_rng([seed, 0x6FCF]).normal(size=(normal.shape[1], size))
    back = normal.T.tocsr()
    basis, _ = np.linalg.qr(start.astype(np.float32))
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(back @ (normal @ basis))
    reduced = normal @ basis
    values, turn = np.linalg.eigh(reduced.T.astype(np.float64) @ reduced)
    # Directions of no strength are any directions: they say nothing.
    kept = np.flatnonzero(values > NOTHING)[::-1][:most]
    return np.ascontiguousarray(basis @ turn[:, kept].astype(np.float32))
