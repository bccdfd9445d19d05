"""Contests of the families that are not neural: skip-gram, ALS and EASE."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from _contest import Absent, Contest, Side, decayed, recall
from _protocols import Stage
from msgspec.structs import replace
from numpy.typing import NDArray

from shortlist.config.schema import FactorsRetriever, ItemGraphRetriever, LinearRetriever
from shortlist.core.progress import Silent
from shortlist.offline.retrieval import factors, graph, linear, skipgram
from shortlist.offline.retrieval.item_graph import POPULARITY_POWER, REACH
from shortlist.offline.retrieval.sampling import state_of
from shortlist.offline.retrieval.side_information import SideInformation
from shortlist.release.artefacts import ItemToItem


def skip_gram(stage: Stage, threads: int, seed: int) -> Contest | Absent:
    """Ours makes its walks as it learns; gensim is given walks of the same kind, made before."""
    name = "skip-gram"
    if find_spec("gensim") is None:
        return Absent(name, "gensim is not installed (pip install 'shortlist[bench]')")
    from gensim.models import Word2Vec

    config = ItemGraphRetriever(epochs=1, attributes=[])
    edges = graph.build(stage.known, REACH)
    known = np.diff(edges.offsets) > 0
    rows = np.flatnonzero(known).astype(np.int32)
    side = SideInformation.of(stage.known.catalogue, [], known)
    walks = _walks(edges, rows, config, seed)
    skipgram.train(edges, side, replace(config, walks=1), seed, Silent())  # compiled

    def quality(centre: NDArray[np.float32], context: NDArray[np.float32]) -> dict[str, float]:
        vectors = np.zeros((stage.known.items, config.dim))
        popularity = np.bincount(stage.known.item, minlength=stage.known.items)[rows]
        both = centre + context
        length = (popularity / popularity.max()) ** POPULARITY_POWER / np.linalg.norm(both, axis=1)
        vectors[rows] = both * length[:, None]
        return {"recall@20": recall(stage, lambda some: decayed(stage, some, vectors) @ vectors.T)}

    def theirs() -> Any:
        model = Word2Vec(
            vector_size=config.dim,
            window=config.window,
            negative=config.negatives,
            ns_exponent=skipgram.NOISE_POWER,
            alpha=skipgram.LEARNING_RATE,
            min_alpha=skipgram.LEARNING_RATE / 1000,
            sg=1,
            sample=0,
            min_count=1,
            workers=threads,
            seed=seed,
        )
        model.build_vocab(walks)
        return model

    def learn(model: Any) -> Any:
        model.train(walks, total_examples=len(walks), epochs=1)
        return model

    def their_quality(model: Any) -> dict[str, float]:
        order = [model.wv.key_to_index[str(row)] for row in rows.tolist()]
        return quality(model.wv.vectors[order], model.syn1neg[order])

    return Contest(
        name,
        f"{config.walks} walks of {config.walk_length} items from each of {len(rows):,}, one pass, "
        f"{config.dim} dimensions, windows up to {config.window}, {config.negatives} negatives, "
        f"learning rate {skipgram.LEARNING_RATE}. Ours walks while it learns, on one thread.",
        "words",
        float(sum(map(len, walks))),
        Side(
            "shortlist",
            lambda _: skipgram.train(edges, side, config, seed, Silent()),
            lambda found: quality(found.centre[rows], found.context[rows]),
        ),
        Side("gensim", learn, their_quality, theirs),
    )


def _walks(
    edges: graph.ItemGraph, rows: NDArray[np.int32], config: ItemGraphRetriever, seed: int
) -> list[list[str]]:
    state, path = state_of(seed, 0xBE4C), np.empty(config.walk_length, np.int32)
    out = []
    for number in range(config.walks):
        for start in np.random.default_rng([seed, number]).permutation(rows).tolist():
            n = graph.walk(edges.offsets, edges.targets, edges.cumulative, start, path, state)
            out.append([str(item) for item in path[:n].tolist()])
    return out


def als(stage: Stage, threads: int, seed: int, epochs: int) -> Contest | Absent:
    """The same factors and iterations; costs as near as the two objectives allow."""
    name = "ALS"
    if find_spec("implicit") is None:
        return Absent(name, "implicit is not installed (pip install 'shortlist[bench]')")
    from implicit.als import AlternatingLeastSquares

    config = FactorsRetriever(epochs=epochs)
    by_user, by_item, users, rows = factors.grouped(stage.known)
    start = factors.start(len(rows), config.dim, seed)
    factors.alternate(by_user, by_item, start, replace(config, epochs=1), Silent())  # compiled
    pairs = scipy.sparse.csr_matrix(by_user[::-1], shape=(len(users), len(rows)))
    # In units of what an unseen pair counts; the cost of a row is theirs for a row of mean length.
    seen = 1 + 1 / config.unseen
    mean = pairs.nnz / len(users) + config.unseen * len(rows)
    cost = config.regularisation / config.unseen * mean

    def quality(user: NDArray[np.float32], item: NDArray[np.float32]) -> dict[str, float]:
        vectors = np.zeros((stage.known.items, config.dim), np.float32)
        vectors[rows] = item
        place = np.searchsorted(users, stage.user)
        return {"recall@20": recall(stage, lambda some: user[place[some]] @ vectors.T)}

    def learn(model: Any) -> Any:
        model.fit(pairs, show_progress=False)
        return model

    return Contest(
        name,
        f"{pairs.nnz:,} pairs of {len(users):,} users and {len(rows):,} items, {config.dim} "
        f"factors, {epochs} iterations, seen pairs count {seen:g} unseen ones; implicit with its "
        "conjugate gradients and one cost for all rows, that of our average row.",
        "iterations",
        float(epochs),
        Side(
            "shortlist",
            lambda _: factors.alternate(by_user, by_item, start, config, Silent()),
            lambda found: quality(*found),
        ),
        Side(
            "implicit",
            learn,
            lambda model: quality(model.user_factors, model.item_factors),
            lambda: AlternatingLeastSquares(
                config.dim,
                regularization=cost,
                alpha=seen,
                iterations=epochs,
                num_threads=threads,
                random_state=seed,
                dtype=np.float32,
            ),
        ),
    )


def ease(stage: Stage, seed: int) -> Contest:
    """Ours counts, inverts and keeps the lists that a release needs; theirs stops at the matrix."""
    config = LinearRetriever(decay=1.0, history=1_000_000, solver="closed")
    data = stage.known
    pairs = np.unique(data.user.astype(np.int64) * data.items + data.item)
    matrix = scipy.sparse.csr_matrix(
        (np.ones(len(pairs), np.float32), (pairs // data.items, pairs % data.items)),
        shape=(data.users, data.items),
    )
    # As `linear` has it: what nobody took costs the penalty alone, which changes no other item.
    popularity = np.asarray(matrix.sum(axis=0)).ravel()
    penalty = linear.SETS_COST * float(popularity[popularity > 0].mean())
    histories = [np.unique(stage.history[q]) for q in range(len(stage))]

    def bare(_: None) -> NDArray[np.float32]:
        gram = (matrix.T @ matrix).toarray()
        gram[np.diag_indices(len(gram))] += penalty
        factor, _ = scipy.linalg.lapack.spotrf(gram.T, lower=1, overwrite_a=1)
        half, _ = scipy.linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
        inverse = np.tril(half) + np.tril(half, -1).T
        weights = inverse / -np.diag(inverse)
        weights[np.diag_indices(len(weights))] = 0
        return weights

    def dense(weights: NDArray[np.float32]) -> dict[str, float]:
        def scores(some: NDArray[np.int64]) -> NDArray[np.float32]:
            return np.stack([weights[histories[q]].sum(axis=0) for q in some.tolist()])

        return {"recall@20": recall(stage, scores)}

    def lists(found: dict[str, Any]) -> dict[str, float]:
        near = found["item_to_item"]
        assert isinstance(near, ItemToItem)
        weights = np.zeros((data.items, data.items), np.float32)
        row = np.repeat(np.arange(data.items), near.neighbours.shape[1])
        there = near.neighbours.ravel() >= 0
        weights[row[there], near.neighbours.ravel()[there]] = near.scores.ravel()[there]
        return dense(weights)

    tiny = data.before(int(np.quantile(data.time, 0.01)) + 1)
    linear.fit(tiny, replace(config, neighbours=8), seed, Silent())  # compiled
    return Contest(
        "EASE",
        f"{len(pairs):,} pairs, {data.items:,} items, Gram matrix included. Ours ends with the "
        "lists of a release; the bare solve (scipy.sparse product, Cholesky inverse in single "
        "precision) with the dense matrix.",
        "models",
        1.0,
        Side("shortlist", lambda _: linear.fit(data, config, seed, Silent()), lists),
        Side("scipy + LAPACK", bare, dense),
    )
