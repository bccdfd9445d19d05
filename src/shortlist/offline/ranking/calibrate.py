"""Fit what scores mean, on requests that the ranker did not learn from."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from shortlist.release.ranking.calibration import Calibration

STEPS = 100


def calibrate(
    method: Literal["platt", "isotonic"],
    scores: NDArray[np.float32],
    label: NDArray[np.float32],
    stands: NDArray[np.float32],
) -> Calibration:
    """The calibration of held-out rows.

    `isotonic`: the non-decreasing map with the least squared error (Zadrozny and Elkan, KDD 2002),
    with lines between the middles of its steps, so that order survives inside them. `platt`: a
    logistic curve with Platt's targets (Platt 1999; Lin, Lin and Weng 2007).

    Args:
        method: which.
        scores: `float32[n]`.
        label: `float32[n]`.
        stands: `float32[n]`, how many candidates a row stands for; drawn negatives count as many
            as they were drawn from, or probabilities would be too high.
    """
    if method == "platt":
        slope, shift = _platt(scores.astype(np.float64), label, stands.astype(np.float64))
        return Calibration(method="platt", slope=slope, shift=shift)
    values, place = np.unique(scores, return_inverse=True)
    weight = np.bincount(place, stands)
    mean = np.bincount(place, stands * label) / weight
    fitted = isotonic_regression(mean, weights=weight)
    steps = fitted.blocks
    middles = [float(np.average(values[a:b], weights=weight[a:b])) for a, b in _pairs(steps)]
    heights = [float(fitted.x[a]) for a in steps[:-1]]
    return Calibration(method="isotonic", scores=middles, probabilities=heights)


def error(
    probabilities: NDArray[np.float32],
    label: NDArray[np.float32],
    stands: NDArray[np.float32],
    bins: int = 15,
) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015), bins of equally many candidates."""
    order = np.argsort(probabilities, kind="stable")
    told, met, weight = (
        column[order].astype(np.float64) for column in (probabilities, label, stands)
    )
    place = np.minimum((np.cumsum(weight) - weight) / weight.sum() * bins, bins - 1).astype(int)
    gap = np.bincount(place, weight * (told - met), bins)
    return float(np.abs(gap).sum() / weight.sum())


def _pairs(edges: NDArray[np.integer]) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _platt(
    scores: NDArray[np.float64], label: NDArray[np.float32], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and shift, by Newton's method on standardised scores."""
    center, scale = float(scores.mean()), float(scores.std()) or 1.0
    z = np.stack([(scores - center) / scale, np.ones(len(scores))])
    many, few = float(weight[label > 0].sum()), float(weight[label == 0].sum())
    target = np.where(label > 0, (many + 1) / (many + 2), 1 / (few + 2))
    w = np.array([0.0, np.log((many + 1) / (few + 1))])

    def loss(at: NDArray[np.float64]) -> float:
        margin = at @ z
        return float(weight @ (np.logaddexp(0, margin) - target * margin))

    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(w @ z)))
        gradient = z @ (weight * (p - target))
        curve = (z * (weight * p * (1 - p))) @ z.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        length = 1.0
        while loss(w - length * step) > loss(w) and length > 1e-6:
            length /= 2
        w = w - length * step
        if np.abs(length * step).max() < 1e-9:
            break
    # A map that falls would turn the order round: then scores say nothing.
    slope = max(float(w[0]) / scale, 0.0)
    return slope, float(w[1]) - slope * center
