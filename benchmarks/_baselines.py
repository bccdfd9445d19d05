"""Peers of the rankers: logistic regression, trees on raw ids, and a factorization machine."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from shortlist.offline.ranking.rows import Rows
from shortlist.offline.ranking.sets import cut_of, ndcg
from shortlist.release.ranking.glmix import compress

Scorer = Callable[[Rows], NDArray[np.float64]]


def request_of(rows: Rows) -> NDArray[np.int64]:
    """The number of each row's request."""
    return np.repeat(np.arange(rows.requests), np.diff(rows.offsets))


def logistic_regression(rows: Rows, seed: int) -> Scorer:
    """scikit-learn's, on the same features, logarithmic and standardised."""
    from sklearn.linear_model import LogisticRegression

    plain = compress(rows.x)
    center, scale = plain.mean(axis=1), np.maximum(plain.std(axis=1), 1e-6)

    def table(part: Rows) -> NDArray[np.float32]:
        z = (compress(part.x) - center[:, None]) / scale[:, None]
        return np.clip(z, -5, 5).T

    model = LogisticRegression(max_iter=500, random_state=seed)
    model.fit(table(rows), rows.label, sample_weight=rows.weight)
    return lambda part: model.decision_function(table(part))


def trees_on_ids(rows: Rows, seed: int) -> Scorer:
    """LightGBM, lambdarank, with nothing but the numbers of the user and the item as categories."""

    def table(part: Rows) -> NDArray[np.float64]:
        return np.stack([part.user[request_of(part)], part.item], axis=1).astype(np.float64)

    cut = cut_of(rows)
    old, new = rows.part(0, cut), rows.part(cut, rows.requests)
    settings = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "learning_rate": 0.05,
        "num_leaves": 31,
        "seed": seed,
        "verbosity": -1,
        "num_threads": 1,
    }

    def dataset(part: Rows, like: lightgbm.Dataset | None) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            table(part), part.label, group=np.diff(part.offsets), reference=like,
            categorical_feature=[0, 1],
        )  # fmt: skip

    train = dataset(old, None)
    model = lightgbm.train(
        settings, train, 300, valid_sets=[dataset(new, train)],
        callbacks=[lightgbm.early_stopping(60, verbose=False)],
    )  # fmt: skip
    return lambda part: np.asarray(model.predict(table(part)))


def factorization_machine(rows: Rows, seed: int, dim: int = 16, epochs: int = 15) -> Scorer:
    """Rendle, "Factorization Machines", ICDM 2010: user, item, the newest 20 items of the
    history (averaged) and the numeric features; log loss by Adam, epochs by validation.
    """
    torch.manual_seed(seed)
    plain = compress(rows.x)
    center, scale = plain.mean(axis=1), np.maximum(plain.std(axis=1), 1e-6)
    users, items = int(rows.user.max()) + 1, int(max(rows.item.max(), rows.log.max())) + 1
    f = len(rows.features)
    sizes = (users + 1, items + 1, items + 1)
    linear = torch.nn.ModuleList([torch.nn.EmbeddingBag(n, 1, mode="mean") for n in sizes])
    factors = torch.nn.ModuleList([torch.nn.EmbeddingBag(n, dim, mode="mean") for n in sizes])
    for bag in [*linear, *factors]:
        torch.nn.init.normal_(bag.weight, std=0.01)
    dense = torch.nn.Linear(f, 1)
    wide = torch.nn.Parameter(torch.randn(f, dim) * 0.01)

    def parts(part: Rows, lines: NDArray[np.int64]) -> list[torch.Tensor]:
        z = (compress(part.x[:, lines]) - center[:, None]) / scale[:, None]
        request = request_of(part)[lines]
        user = np.where(part.user[request] < users, part.user[request] + 1, 0)
        item = np.where(part.item[lines] < items, part.item[lines] + 1, 0)
        history = np.zeros((part.requests, 20), np.int64)
        for g in np.unique(request):
            newest = part.log[slice(*part.history[g])][-20:]
            history[g, : len(newest)] = np.where(newest < items, newest + 1, 0)
            history[g, len(newest) :] = newest[-1] + 1 if len(newest) else 0
        columns = (user[:, None], item[:, None], history[request])
        dense_part = torch.from_numpy(np.clip(z, -5, 5).T.astype(np.float32))
        return [dense_part, *(torch.from_numpy(c.astype(np.int64)) for c in columns)]

    def forward(inputs: list[torch.Tensor]) -> torch.Tensor:
        z, *columns = inputs
        vectors = [bag(c) for bag, c in zip(factors, columns, strict=True)]
        total = sum(vectors) + z @ wide
        squares = sum(v * v for v in vectors) + (z * z) @ (wide * wide)
        told = dense(z) + sum(bag(c) for bag, c in zip(linear, columns, strict=True))
        return (told.sum(1) + 0.5 * (total * total - squares).sum(1)) if dim else told.sum(1)

    weights = [*linear.parameters(), *factors.parameters(), *dense.parameters(), wide]
    optimiser = torch.optim.Adam(weights, 2e-3, weight_decay=1e-6)
    cut = cut_of(rows)
    old, new = rows.part(0, cut), rows.part(cut, rows.requests)
    rng = np.random.default_rng(seed)
    best, kept = -1.0, [w.detach().clone() for w in weights]

    def score(part: Rows) -> NDArray[np.float64]:
        told = []
        with torch.no_grad():
            for start in range(0, len(part), 20_000):
                lines = np.arange(start, min(start + 20_000, len(part)))
                told.append(forward(parts(part, lines)).numpy())
        return np.concatenate(told).astype(np.float64)

    for _ in range(epochs):
        order = rng.permutation(len(old))
        for start in range(0, len(order), 4_096):
            lines = np.sort(order[start : start + 4_096])
            optimiser.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                forward(parts(old, lines)), torch.from_numpy(old.label[lines])
            )
            loss.backward()
            optimiser.step()
        measured = ndcg(score(new), new.label, new.offsets)
        if measured > best:
            best, kept = measured, [w.detach().clone() for w in weights]
    with torch.no_grad():
        for w, value in zip(weights, kept, strict=True):
            w.copy_(value)
    return score
