"""Conditional logit: weights under which what was taken stands out among what was offered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 30
RIDGE = 1e-3


def conditional_logit(
    x: NDArray[np.float32], label: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights of a conditional logit (McFadden 1974), by Newton's method with a ridge penalty.

    The loss of a request is minus the mean, over its positives, of the log of their softmax among
    the request's rows. Requests without a positive say nothing. Columns are standardised inside,
    so the penalty does not depend on their units.

    Args:
        x: `float32[rows, f]`, finite.
        label: `bool[rows]`.
        offsets: `int64[requests + 1]` into the rows.

    Returns:
        `float64[f]`: scores are `x @ weights`, up to a constant of each request.
    """
    spread = x.std(axis=0, dtype=np.float64)
    spread[spread < 1e-9] = np.inf  # a constant column weighs nothing
    z = (x / spread).astype(np.float32)
    weights = np.zeros(x.shape[1])
    loss, gradient, hessian = _loss(z, label, offsets, weights)
    for _ in range(STEPS):
        curved = hessian + 2 * RIDGE * np.eye(len(weights))
        slope = gradient + 2 * RIDGE * weights
        step = np.linalg.solve(curved, slope)
        if slope @ step < 1e-9:
            break
        penalised, size = loss + RIDGE * weights @ weights, 1.0
        while size > 1e-4:
            tried = weights - size * step
            found = _loss(z, label, offsets, tried)
            if found[0] + RIDGE * tried @ tried < penalised:
                break
            size /= 2
        else:
            break
        weights, (loss, gradient, hessian) = tried, found
    return np.asarray(weights / spread)


def _loss(
    z: NDArray[np.float32],
    label: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss over the requests that have a positive, its gradient and its Hessian."""
    f = z.shape[1]
    total, requests = 0.0, 0
    gradient, hessian = np.zeros(f), np.zeros((f, f))
    for q in range(len(offsets) - 1):
        start, stop = offsets[q], offsets[q + 1]
        positives = label[start:stop].sum()
        if positives == 0:
            continue
        requests += 1
        part = z[start:stop].astype(np.float64)
        score = part @ weights
        score -= score.max()
        share = np.exp(score)
        mass = share.sum()
        share /= mass
        part -= share @ part
        hessian += part.T @ (part * share.reshape(-1, 1))
        for i in range(start, stop):
            if label[i]:
                total -= (score[i - start] - np.log(mass)) / positives
                gradient -= part[i - start] / positives
    scale = max(requests, 1)
    return total / scale, gradient / scale, hessian / scale
