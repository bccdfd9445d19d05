"""What retrievers leave in a release: a few plain types, one online source for each.

A retriever family is a way to *make* these; the online side knows only the types. A family may
make several (an item graph yields vectors and an item-to-item map).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.vocabulary import open_array


@dataclass(frozen=True)
class PopularLists:
    """Items by popularity, over everything and within segments.

    Attributes:
        order: `int32[n]`, every catalogue row, most popular first.
        scores: `float32[n]`, the popularity of `order[i]`, descending, at least 0.
        segment: the keyword attribute that segments are terms of; empty for none.
        segment_offsets: `int64[terms + 1]` into `segment_order` and `segment_scores`.
        segment_order: `int32[m]`, the rows of each term, most popular first.
        segment_scores: `float32[m]`.
    """

    order: NDArray[np.int32]
    scores: NDArray[np.float32]
    segment: str
    segment_offsets: NDArray[np.int64]
    segment_order: NDArray[np.int32]
    segment_scores: NDArray[np.float32]


@dataclass(frozen=True)
class ItemToItem:
    """For each item its neighbours, best first.

    Attributes:
        neighbours: `int32[n, m]` catalogue rows, -1 where an item has fewer.
        scores: `float32[n, m]`, 0 where there is none.
    """

    neighbours: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class ItemVectors:
    """A vector for some items; similarity is their dot product.

    Attributes:
        rows: `int32[m]`, ascending: the catalogue rows that have a vector.
        vectors: `float32[m, d]`, finite; `vectors[i]` belongs to `rows[i]`.
    """

    rows: NDArray[np.int32]
    vectors: NDArray[np.float32]


Artefact = PopularLists | ItemToItem | ItemVectors
KINDS: dict[str, type[Artefact]] = {
    "popular": PopularLists,
    "item_to_item": ItemToItem,
    "vector": ItemVectors,
}


def save_artefact(artefact: Artefact, folder: Path) -> None:
    """Write an artefact's arrays into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in vars(artefact).items():
        if isinstance(value, str):
            (folder / f"{name}.txt").write_text(value)
        else:
            np.save(folder / f"{name}.npy", value)


def load_artefact(kind: str, folder: Path) -> Artefact:
    """Open an artefact of a kind of `KINDS`, memory-mapped."""
    values: dict[str, object] = {}
    for name, annotation in KINDS[kind].__annotations__.items():
        path = folder / f"{name}.txt"
        values[name] = (
            path.read_text() if annotation == "str" else open_array(folder / f"{name}.npy")
        )
    return KINDS[kind](**values)  # type: ignore[arg-type]
