"""`Grove`: trees put down node by node, in the layout of `release.trees.Trees`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.release.trees import Trees


class Grove:
    """Collects trees; a tree is put down in preorder, then ended."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, float, int, int]] = []
        self._leaves: list[tuple[float, float]] = []
        self._node_offsets, self._leaf_offsets = [0], [0]

    def split(self) -> tuple[int, int]:
        """Begin a node; its left subtree is put down next, then `close` is called with this."""
        self._nodes.append((0, 0.0, 0, 0))
        return len(self._nodes) - 1, len(self._leaves) - self._leaf_offsets[-1]

    def close(self, begun: tuple[int, int], feature: int, threshold: float) -> None:
        """The left subtree is complete; a row goes there where its value is at most threshold."""
        place, first = begun
        stop = len(self._leaves) - self._leaf_offsets[-1]
        self._nodes[place] = (feature, threshold, first, stop)

    def leaf(self, value: float, cover: float) -> None:
        """Put a leaf down."""
        self._leaves.append((value, cover))

    def end(self) -> None:
        """The tree is complete."""
        self._node_offsets.append(len(self._nodes))
        self._leaf_offsets.append(len(self._leaves))

    def trees(self, features: tuple[str, ...]) -> Trees:
        """All trees.

        Thresholds of float64 are rounded down: a float32 value is at most a threshold exactly
        when it is at most the threshold rounded down to float32.
        """
        columns = list(zip(*self._nodes, strict=True)) or [(), (), (), ()]
        values, cover = list(zip(*self._leaves, strict=True)) or [(), ()]
        return Trees(
            features=features,
            node_offsets=np.array(self._node_offsets, np.int64),
            feature=np.array(columns[0], np.int32),
            threshold=_round_down(np.array(columns[1], np.float64)),
            left_start=np.array(columns[2], np.uint8),
            left_stop=np.array(columns[3], np.uint8),
            leaf_offsets=np.array(self._leaf_offsets, np.int64),
            leaf=np.array(values, np.float64),
            cover=np.maximum(np.array(cover, np.float32), np.float32(1e-6)),
        )


def weighed(parts: Sequence[tuple[float, Trees]]) -> Trees:
    """One ensemble whose score is the weighted sum of several over the same columns."""
    every = [trees for _, trees in parts]

    def offsets(name: str) -> NDArray[np.int64]:
        sizes = [np.diff(getattr(trees, name)) for trees in every]
        return np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)

    def joined(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(trees, name) for trees in every])

    return Trees(
        features=every[0].features,
        node_offsets=offsets("node_offsets"),
        feature=joined("feature").astype(np.int32),
        threshold=joined("threshold").astype(np.float32),
        left_start=joined("left_start").astype(np.uint8),
        left_stop=joined("left_stop").astype(np.uint8),
        leaf_offsets=offsets("leaf_offsets"),
        leaf=np.concatenate([weight * trees.leaf for weight, trees in parts]),
        cover=joined("cover").astype(np.float32),
    )


def _round_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each value."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > values, below, near)
