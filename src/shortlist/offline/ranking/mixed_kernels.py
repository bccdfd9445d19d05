"""Compiled parts of `mixed`: an entity's columns, its logits, and Newton's method on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel

NEARLY = 0.05
"""How exactly traces are solved."""


@kernel
def columns_of(
    leaf: NDArray[np.int32],
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    width: int,
    columns: int,
    starts: NDArray[np.int64],
    out: NDArray[np.int32],
) -> NDArray[np.int64]:
    """The columns of each entity's rows: counted, and written where there is room."""
    seen = np.full(columns, -1, np.int64)
    counts = np.zeros(len(offsets) - 1, np.int64)
    for e in range(len(offsets) - 1):
        counts[e] = width
        for r in range(offsets[e], offsets[e + 1]):
            for t in range(leaf.shape[1]):
                c = leaf[order[r], t]
                if seen[c] != e:
                    seen[c] = e
                    if len(out):
                        out[starts[e] + counts[e]] = c
                    counts[e] += 1
        if len(out):
            for c in range(width):
                out[starts[e] + c] = c
            out[starts[e] : starts[e + 1]].sort()
    return counts


@kernel
def carry(
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
    place: NDArray[np.int64],
    old_offsets: NDArray[np.int64],
    old_columns: NDArray[np.int32],
    old_values: NDArray[np.float32],
) -> None:
    """Start from former coefficients; both lists of columns ascend."""
    for e in range(len(place)):
        if place[e] < 0:
            continue
        j, stop = old_offsets[place[e]], old_offsets[place[e] + 1]
        for i in range(starts[e], starts[e + 1]):
            while j < stop and old_columns[j] < columns[i]:
                j += 1
            if j < stop and old_columns[j] == columns[i]:
                values[i] = old_values[j]


@kernel
def margins_of(
    dense: NDArray[np.float32],
    leaf: NDArray[np.int32],
    columns: int,
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    starts: NDArray[np.int64],
    own: NDArray[np.int32],
    values: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write what the entities' coefficients add to each row's logit."""
    full = np.zeros(columns)
    for e in range(len(offsets) - 1):
        for j in range(starts[e], starts[e + 1]):
            full[own[j]] = values[j]
        for r in range(offsets[e], offsets[e + 1]):
            row = order[r]
            total = 0.0
            for f in range(dense.shape[1]):
                total += full[f] * dense[row, f]
            for t in range(leaf.shape[1]):
                total += full[leaf[row, t]]
            out[row] = total


@kernel
def _places(
    leaf: NDArray[np.int32],
    lines: NDArray[np.int64],
    own: NDArray[np.int32],
    place: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Where the leaves of an entity's rows are among its own columns; `place` is room to work."""
    for j in range(len(own)):
        place[own[j]] = j
    at = np.empty((len(lines), leaf.shape[1]), np.int64)
    for r in range(len(lines)):
        for t in range(leaf.shape[1]):
            at[r, t] = place[leaf[lines[r], t]]
    return at


@kernel
def newton(
    dense: NDArray[np.float32],
    leaf: NDArray[np.int32],
    columns: int,
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    starts: NDArray[np.int64],
    own: NDArray[np.int32],
    values: NDArray[np.float64],
    prior: float,
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
    first: int,
    last: int,
    steps: int,
    tolerance: float,
) -> None:
    """Minimise each entity's objective over its columns, from where `values` are."""
    width = dense.shape[1]
    place = np.zeros(columns, np.int64)
    for e in range(first, last):
        w = values[starts[e] : starts[e + 1]]
        lines = order[offsets[e] : offsets[e + 1]]
        at = _places(leaf, lines, own[starts[e] : starts[e + 1]], place)
        _minimise(dense, at, lines, w, prior, sign, weight, others, steps, tolerance, width)


@kernel
def traces(
    dense: NDArray[np.float32],
    leaf: NDArray[np.int32],
    columns: int,
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    starts: NDArray[np.int64],
    own: NDArray[np.int32],
    values: NDArray[np.float64],
    prior: float,
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
    first: int,
    last: int,
    probes: int,
    out: NDArray[np.float64],
) -> None:
    """Each entity's estimate of tr (prior I + Zᵀ C Z)⁻¹ at its minimum (Hutchinson 1990).

    Probes of signs are the same for the same entity and column, whoever draws them.
    """
    width = dense.shape[1]
    place = np.zeros(columns, np.int64)
    for e in range(first, last):
        w = values[starts[e] : starts[e + 1]]
        lines = order[offsets[e] : offsets[e + 1]]
        at = _places(leaf, lines, own[starts[e] : starts[e + 1]], place)
        m = len(lines)
        margin, curve, push = np.zeros(m), np.zeros(m), np.zeros(m)
        probe, solved = np.zeros(len(w)), np.zeros(len(w))
        _forward(dense, at, lines, width, w, margin)
        _slopes(lines, sign, weight, others, margin, push, curve)
        total = 0.0
        for number in range(probes):
            for j in range(len(w)):
                probe[j] = _sign_of(e * 1_000_003 + own[starts[e] + j] * 101 + number)
            _conjugate(dense, at, lines, width, prior, curve, probe, solved, NEARLY)
            total -= (probe * solved).sum()
        out[e] = total / probes


@kernel
def _sign_of(n: int) -> float:
    """+1 or -1, as if at random (the finaliser of MurmurHash3)."""
    h = np.uint64(n)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return 1.0 if (h >> np.uint64(40)) & np.uint64(1) else -1.0


@kernel
def _minimise(
    dense: NDArray[np.float32],
    at: NDArray[np.int64],
    lines: NDArray[np.int64],
    w: NDArray[np.float64],
    prior: float,
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
    steps: int,
    tolerance: float,
    width: int,
) -> None:
    """One entity's Newton steps, in place of `w`."""
    p, m = len(w), len(lines)
    margin, curve, push, moved = np.zeros(m), np.zeros(m), np.zeros(m), np.zeros(m)
    gradient, step = np.zeros(p), np.zeros(p)
    # How large the gradient is at 0: a start from former coefficients is measured by it too.
    _slopes(lines, sign, weight, others, margin, push, curve)
    _backward(dense, at, lines, width, push, gradient)
    enough = tolerance * np.sqrt((gradient * gradient).sum()) + 1e-12
    _forward(dense, at, lines, width, w, margin)
    for _ in range(steps):
        objective = _slopes(lines, sign, weight, others, margin, push, curve)
        objective += 0.5 * prior * (w * w).sum()
        _backward(dense, at, lines, width, push, gradient)
        gradient += prior * w
        if np.sqrt((gradient * gradient).sum()) <= enough:
            break
        _conjugate(dense, at, lines, width, prior, curve, gradient, step, 0.1)
        _forward(dense, at, lines, width, step, moved)
        descent = (gradient * step).sum()
        length = 1.0
        there = objective
        for _ in range(30):  # halve the step until it descends enough (Armijo)
            there = 0.5 * prior * ((w + length * step) ** 2).sum()
            for r in range(m):
                row = lines[r]
                y = sign[row] * (margin[r] + length * moved[r] + others[row])
                there += weight[row] * _loss(y)
            if there <= objective + 1e-4 * length * descent:
                break
            length *= 0.5
        if there >= objective:
            break  # as low as float64 can tell
        w += length * step
        margin += length * moved


@kernel
def _slopes(
    lines: NDArray[np.int64],
    sign: NDArray[np.float64],
    weight: NDArray[np.float64],
    others: NDArray[np.float64],
    margin: NDArray[np.float64],
    push: NDArray[np.float64],
    curve: NDArray[np.float64],
) -> float:
    """The loss; its first derivative by each row's logit in `push`, its second in `curve`."""
    total = 0.0
    for r in range(len(lines)):
        row = lines[r]
        y = sign[row] * (margin[r] + others[row])
        slope = 1.0 / (1.0 + np.exp(min(y, 700.0)))
        push[r] = -weight[row] * sign[row] * slope
        curve[r] = weight[row] * slope * (1.0 - slope)
        total += weight[row] * _loss(y)
    return total


@kernel
def _conjugate(
    dense: NDArray[np.float32],
    at: NDArray[np.int64],
    lines: NDArray[np.int64],
    width: int,
    prior: float,
    curve: NDArray[np.float64],
    gradient: NDArray[np.float64],
    step: NDArray[np.float64],
    near: float,
) -> None:
    """Solve (prior I + Zᵀ C Z) step = -gradient by conjugate gradients, up to a share `near`.

    Preconditioned by the diagonal: how often columns occur differs by orders of magnitude.
    """
    p = len(step)
    margin, product, scale = np.zeros(len(lines)), np.zeros(p), np.full(p, prior)
    for r in range(len(lines)):
        for f in range(width):
            scale[f] += curve[r] * dense[lines[r], f] * dense[lines[r], f]
        for t in range(at.shape[1]):
            scale[at[r, t]] += curve[r]
    step[:] = 0.0
    residual = -gradient
    ahead = residual / scale
    left = (residual * ahead).sum()
    size = np.sqrt((residual * residual).sum())
    goal = min(near, np.sqrt(size)) * size
    for _ in range(min(p, 200)):
        _forward(dense, at, lines, width, ahead, margin)
        margin *= curve
        _backward(dense, at, lines, width, margin, product)
        product += prior * ahead
        alpha = left / (ahead * product).sum()
        step += alpha * ahead
        residual -= alpha * product
        if np.sqrt((residual * residual).sum()) <= goal:
            break
        scaled = residual / scale
        now = (residual * scaled).sum()
        ahead = scaled + now / left * ahead
        left = now


@kernel
def _loss(y: float) -> float:
    """log(1 + exp(-y)), safely."""
    return math.log1p(math.exp(-y)) if y > 0 else math.log1p(math.exp(y)) - y


@kernel
def _forward(
    dense: NDArray[np.float32],
    at: NDArray[np.int64],
    lines: NDArray[np.int64],
    width: int,
    w: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    for r in range(len(lines)):
        total = 0.0
        for f in range(width):
            total += w[f] * dense[lines[r], f]
        for t in range(at.shape[1]):
            total += w[at[r, t]]
        out[r] = total


@kernel
def _backward(
    dense: NDArray[np.float32],
    at: NDArray[np.int64],
    lines: NDArray[np.int64],
    width: int,
    push: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    out[:] = 0.0
    for r in range(len(lines)):
        for f in range(width):
            out[f] += push[r] * dense[lines[r], f]
        for t in range(at.shape[1]):
            out[at[r, t]] += push[r]
