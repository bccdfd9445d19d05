"""Vectors of items that no walk met, from what the catalogue says of them.

After Wang et al. (KDD 2018, section 3.3 and the cold items of section 4.4): the average of the
vectors of their attributes' values. Each attribute counts what it counts on average in the items
that have it and were learnt; the attributes that an item has add up to 1, and its id has no part.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from shortlist.offline.retrieval import mixture as mixtures
from shortlist.offline.retrieval.side_information import SideInformation
from shortlist.offline.retrieval.skipgram import Embedding

PRIOR = 1.0
"""How many items of average context stand beside those that have a value."""


def average_shares(embedding: Embedding, side: SideInformation) -> NDArray[np.float64]:
    """What the id and each attribute count, `float64[attributes + 1]`: means over known items.

    The mean of an attribute is over the items that have a value of it.
    """
    known = np.flatnonzero(np.isfinite(embedding.noise)).astype(np.int32)
    share = mixtures.shares(embedding.mixture, known)
    having = np.maximum((share > 0).sum(axis=0), 1)
    return np.asarray(share.sum(axis=0, dtype=np.float64) / having)


def add_cold(
    embedding: Embedding, side: SideInformation, shown: NDArray[np.bool_]
) -> tuple[Embedding, NDArray[np.int32]]:
    """The embedding with items that were not learnt and share an attribute with some that were.

    An item's context vector is averaged in the same way, from the mean context of the known items
    with each value: skip-gram learns contexts by id only. As a negative it weighs as much as the
    median of the known items.

    Args:
        embedding: of the known items.
        side: what items share.
        shown: `bool[items]`, the items worth a vector.

    Returns:
        The embedding, and the rows that were added, ascending.
    """
    known = np.isfinite(embedding.noise)
    if not side.names or not known.any():
        return embedding, np.empty(0, np.int32)
    present = side.present()
    rows = np.flatnonzero(shown & ~known & present.any(axis=1)).astype(np.int32)
    share = np.zeros((len(rows), len(side.names) + 1), np.float32)
    share[:, 1:] = np.where(present[rows], average_shares(embedding, side)[1:], 0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    centre, context = embedding.centre.copy(), embedding.context.copy()
    noise = embedding.noise.copy()
    centre[rows] = mixtures.vectors(embedding.mixture, rows, share)
    near = embedding.mixture._replace(shared=_contexts(embedding, side, known))
    context[rows] = mixtures.vectors(near, rows, share)
    noise[rows] = np.median(noise[known])
    return replace(embedding, centre=centre, context=context, noise=noise), rows


def _contexts(
    embedding: Embedding, side: SideInformation, known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The mean context vector of the known items with each value, `float32[codes, dim]`."""
    slots = np.repeat(np.arange(len(side.offsets) - 1), np.diff(side.offsets))
    item = slots // len(side.names)
    learnt = known[item]
    where = side.codes[learnt], item[learnt]
    having = scipy.sparse.csr_array(
        (np.ones(int(learnt.sum()), np.float32), where), shape=(side.size, len(known))
    )
    total = having @ embedding.context + PRIOR * embedding.context[known].mean(axis=0)
    return np.asarray(total / (having.sum(axis=1) + PRIOR)[:, None], np.float32)
