"""`Attention` and `Relational`: neural rankers as ONNX models, and what they are fed.

Both take `x` float32[n, f], `items` int64[n] catalogue rows, `history` int64[g, h] catalogue rows,
oldest first, padded on the left with -1, `request` int64[n], and give `scores` float32[n].
`Relational` takes the knowledge that links each candidate to the history too, see `Graph`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.release.ranking.batch import Batch


@dataclass(frozen=True)
class Graph:
    """What is known of items: pruned edges to entities that at least two items share.

    Attributes:
        offsets: `int64[items + 1]` into `entity` and `relation`.
        entity: `int32[e]`, numbers of entities, rarest first within an item.
        relation: `int32[e]`, the number of the relation, by direction.
        entities: how many entities there are.
        paths: at most how many links of a candidate are looked at.
    """

    offsets: NDArray[np.int64]
    entity: NDArray[np.int32]
    relation: NDArray[np.int32]
    entities: int
    paths: int


@dataclass(frozen=True)
class Attention:
    """Target attention over the user's history (DIN; Zhou et al., KDD 2018).

    Attributes:
        features: names of the input columns, in order.
        model: `uint8[size]`, the ONNX file.
        reach: h, how many of the newest items of a history it takes.
        means: `float32[f]`, what a feature is in the middle; explanations replace it by that.
    """

    features: tuple[str, ...]
    model: NDArray[np.uint8]
    reach: int
    means: NDArray[np.float32]


@dataclass(frozen=True)
class Relational:
    """Attention, and relation-aware attention over an adaptive graph (ATBRG; Feng et al., SIGIR
    2020) of what links the user's behaviours with the candidate.

    Attributes:
        features, model, reach, means: as of `Attention`.
        graph: where links are looked up.
    """

    features: tuple[str, ...]
    model: NDArray[np.uint8]
    reach: int
    means: NDArray[np.float32]
    graph: Graph


def inputs_of(
    reach: int, graph: Graph | None, batch: Batch, blank: bool = False
) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """What the model takes of a batch.

    Args:
        reach: how many items of a history.
        graph: of a relational model.
        batch: the candidates.
        blank: whether to leave histories out.
    """
    histories = [np.empty(0, np.int32)] * len(batch.histories) if blank else batch.histories
    longest = max([1, *(min(len(rows), reach) for rows in histories)])
    history = np.full((max(len(histories), 1), longest), -1, np.int64)
    for g, rows in enumerate(histories):
        newest = rows[-longest:]
        history[g, longest - len(newest) :] = newest
    made: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "x": np.ascontiguousarray(batch.x.T),
        "items": batch.rows.astype(np.int64),
        "history": history,
        "request": batch.request,
    }
    if graph is not None:
        made |= links(graph, batch.rows, batch.bounds, histories, reach)
    return made


def links(
    graph: Graph,
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    histories: Sequence[NDArray[np.int32]],
    reach: int,
) -> Mapping[str, NDArray[np.int64]]:
    """The entities that candidates share with the history of their request.

    Returns:
        `entity`, `near`, `far`, `behaviour`, each `int64[n, paths]`, -1 where a candidate has
        fewer: the shared entity, its relation to the candidate, its relation to the newest
        behaviour that has it, and the catalogue row of that; and `shared` `int64[n, paths]`, how
        many behaviours have it.
    """
    names = ("entity", "near", "far", "behaviour", "shared")
    out = np.full((5, len(rows), graph.paths), -1, np.int64)
    out[4] = 0
    newest = [history[-reach:] for history in histories]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in newest], dtype=np.int64)])
    flat = np.concatenate([*newest, np.empty(0, np.int32)]).astype(np.int32)
    _links(
        graph.offsets,
        graph.entity,
        graph.relation,
        np.full(graph.entities, -1, np.int64),
        np.zeros(graph.entities, np.int64),
        np.zeros(graph.entities, np.int64),
        rows,
        bounds,
        flat,
        starts,
        out,
    )
    return dict(zip(names, out, strict=True))


@kernel
def _links(
    offsets: NDArray[np.int64],
    entity: NDArray[np.int32],
    relation: NDArray[np.int32],
    owner: NDArray[np.int64],
    how: NDArray[np.int64],
    times: NDArray[np.int64],
    rows: NDArray[np.int32],
    bounds: NDArray[np.int64],
    behaviours: NDArray[np.int32],
    starts: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    items = len(offsets) - 1  # a row from here on came after the graph
    for g in range(len(bounds) - 1):
        for b in range(starts[g], starts[g + 1]):  # the newest comes last and stays
            row = behaviours[b]
            if row >= items:
                continue
            for j in range(offsets[row], offsets[row + 1]):
                e = entity[j]
                owner[e], how[e] = row, relation[j]
                times[e] += 1
        for i in range(bounds[g], bounds[g + 1]):
            n = 0
            if rows[i] >= items:
                continue
            for j in range(offsets[rows[i]], offsets[rows[i] + 1]):
                e = entity[j]
                if n < out.shape[2] and owner[e] >= 0 and owner[e] != rows[i]:
                    out[0, i, n], out[1, i, n], out[2, i, n] = e, relation[j], how[e]
                    out[3, i, n], out[4, i, n] = owner[e], times[e]
                    n += 1
        for b in range(starts[g], starts[g + 1]):
            row = behaviours[b]
            if row >= items:
                continue
            for j in range(offsets[row], offsets[row + 1]):
                owner[entity[j]] = -1
                times[entity[j]] = 0
