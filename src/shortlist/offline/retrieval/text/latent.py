"""Vectors of subwords from the catalogue alone: latent semantic analysis."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.offline.retrieval.text.subwords import Bags

READ = 200_000
"""At most so many texts are decomposed."""
ROUNDS = 2
"""Power iterations of the randomised decomposition."""
MORE = 16
"""Directions that are looked for beside those that are kept."""
OWN = 0.6
"""How long the part of a subword's vector is that it shares with no other, where the space that
the decomposition found does not hold it."""


def latent_table(
    bags: Bags,
    weights: NDArray[np.float32],
    dim: int,
    seed: int,
    progress: Progress,
    name: str,
) -> NDArray[np.float32]:
    """A vector of each subword, so that texts that use like words have like vectors.

    The right singular vectors of the TF-IDF matrix of the texts (Deerwester et al. 1990), found by
    randomised subspace iteration (Halko et al. 2011, algorithm 4.4). A rare subword hardly lies in
    their span; a random direction of its own (Kanerva et al. 2000) makes up for what is missing,
    so that texts that share it are still found by it.

    Args:
        bags: the subwords of the texts.
        weights: `float32[subwords]`.
        dim: the length of the vectors.
        seed: of the sample and the random directions.
        progress: a step, in rounds.
        name: of the family, for what is shown.

    Returns:
        `float32[subwords, dim]`; zeros where the weight is 0.
    """
    rng = np.random.default_rng([seed, 0x15A0])
    matrix = _matrix(bags, weights, rng)
    rank = min(dim, *matrix.shape)
    wanted = min(rank + MORE, *matrix.shape)
    progress.step(f"{name}: latent semantics", ROUNDS + 1)
    table = np.zeros((len(weights), dim), np.float32)
    if matrix.nnz:
        transposed = matrix.T.tocsr()
        basis = np.linalg.qr(
            transposed @ (matrix @ rng.standard_normal((matrix.shape[1], wanted), np.float32))
        )[0]
        for _ in range(ROUNDS):
            basis = np.linalg.qr(transposed @ (matrix @ basis))[0]
            progress.advance(1)
        seen = matrix @ basis
        _, turn = np.linalg.eigh(seen.T @ seen)  # ascending: the last directions say most
        found = basis @ turn[:, ::-1][:, :rank]
        # Singular vectors have no sign of their own.
        found *= np.where(found[np.abs(found).argmax(axis=0), np.arange(rank)] < 0, -1, 1)
        table[:, :rank] = found
    own = rng.standard_normal((len(weights), dim), np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    missing = np.sqrt(np.maximum(0, 1 - np.square(table).sum(axis=1, keepdims=True)))
    table += OWN * missing * own
    table[weights == 0] = 0
    progress.advance(1)
    return np.ascontiguousarray(table, np.float32)


def _matrix(bags: Bags, weights: NDArray[np.float32], rng: np.random.Generator) -> sp.csr_matrix:
    """The texts' TF-IDF vectors, each of length 1, as rows; a sample, where they are many."""
    offsets, tokens, counts = bags
    texts = len(offsets) - 1
    matrix = sp.csr_matrix((counts * weights[tokens], tokens, offsets), (texts, len(weights)))
    if texts > READ:
        matrix = matrix[np.sort(rng.permutation(texts)[:READ])]
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = sp.diags_array((1 / np.maximum(norms, 1e-12)).astype(np.float32))
    return sp.csr_matrix(scale @ matrix, dtype=np.float32)
