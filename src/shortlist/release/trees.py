"""`Trees`: boosted regression trees as arrays, in the layout that the online scorer reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ReleaseError
from shortlist.core.vocabulary import open_array

FORMAT = 2
MAX_LEAVES = 64
ARRAYS = ("node_offsets", "feature", "threshold", "left_start", "left_stop")
LEAVES = ("leaf_offsets", "leaf", "cover")


@dataclass(frozen=True)
class Trees:
    """Binary decision trees; the score of a row is the sum over trees of the leaf it falls into.

    Leaves of a tree are numbered from 0, left to right. A row goes left at a node where
    `x[feature] <= threshold`. A tree is told completely by the leaves that lie left of each node,
    so there are no child pointers.

    Attributes:
        features: names of the input columns, in order.
        node_offsets: `int64[trees + 1]` into the node arrays.
        feature: `int32[nodes]`, the input column that a node compares.
        threshold: `float32[nodes]`.
        left_start, left_stop: `uint8[nodes]`, the leaves of the node's left subtree.
        leaf_offsets: `int64[trees + 1]` into `leaf`.
        leaf: `float64[leaves]`, leaf values, shrinkage included.
        cover: `float32[leaves]`, above 0: how many training rows fell into each leaf; what a
            feature contributes is measured against them.
    """

    features: tuple[str, ...]
    node_offsets: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left_start: NDArray[np.uint8]
    left_stop: NDArray[np.uint8]
    leaf_offsets: NDArray[np.int64]
    leaf: NDArray[np.float64]
    cover: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.node_offsets) - 1

    @cached_property
    def masks(self) -> NDArray[Any]:
        """`uint32[nodes]` (`uint64` for trees of more than 32 leaves): what a node rules out.

        Bit i is 0 where leaf i is in the left subtree: a row that goes right can only end in
        leaves whose bit is 1 (QuickScorer; Lucchese et al., SIGIR 2015).
        """
        bits = np.dtype(np.uint64)
        start, stop = self.left_start.astype(bits), self.left_stop.astype(bits)
        one = np.uint64(1)
        # The left subtree never holds the last leaf, so stop is at most 63 and no shift overflows.
        masks = ~(((one << stop) - one) ^ ((one << start) - one))
        small = len(self) == 0 or int(np.diff(self.leaf_offsets).max()) <= 32
        return masks.astype(np.uint32) if small else masks

    def save(self, folder: Path) -> None:
        """Write the arrays and `trees.json` into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*ARRAYS, *LEAVES):
            np.save(folder / f"{name}.npy", getattr(self, name))
        about = {"format": FORMAT, "features": list(self.features)}
        (folder / "trees.json").write_text(json.dumps(about, indent=1, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Trees:
        """Open saved trees, memory-mapped.

        Raises:
            ReleaseError: the folder was written in another format.
        """
        about = json.loads((folder / "trees.json").read_text())
        if about["format"] != FORMAT:
            raise ReleaseError(
                f"the ranker's trees have format {about['format']}, this version reads {FORMAT}.",
                remedy="Train again, or open the release with the version that wrote it.",
                where=str(folder / "trees.json"),
            )
        arrays = {name: open_array(folder / f"{name}.npy") for name in (*ARRAYS, *LEAVES)}
        return cls(tuple(about["features"]), **arrays)
