"""From knowledge triples to the pruned graph that the relational ranker reads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.core.vocabulary import Vocabulary
from shortlist.release.ranking.neural import Graph

EDGES = 40
"""Edges that are kept of an item: those to the rarest entities."""
COMMON = 0.2
"""An entity that more than this share of the items has says nothing about one."""
PATHS = 10
"""Links of a candidate that are looked at."""
ITSELF = "itself"


def graph_of(triples: pa.Table, prefix: str, items: Vocabulary) -> Graph:
    """Items and the entities that at least two of them share.

    An edge is a triple with an item on one side; its relation knows which. An item is an entity
    too where another item has an edge to it, and then shares it with that one.

    Args:
        triples: head, relation, tail (text) and weight, as `read_knowledge` gives them.
        prefix: what the name of an entity that is an item begins with.
        items: the catalogue's vocabulary.
    """
    heads, tails = (triples[name].to_pylist() for name in ("head", "tail"))
    relations = triples["relation"].to_pylist()
    weight = triples["weight"].to_numpy()
    names = sorted({*heads, *tails})
    number = {name: n for n, name in enumerate(names)}
    row = items.rows([name.removeprefix(prefix) for name in names])
    row[[not name.startswith(prefix) for name in names]] = -1
    kinds = sorted(set(relations))
    code = {kind: n for n, kind in enumerate([ITSELF, *kinds])}
    head = np.array([number[name] for name in heads], np.int64)
    tail = np.array([number[name] for name in tails], np.int64)
    forward = np.array([code[kind] for kind in relations], np.int64)

    item = np.concatenate([row[head], row[tail]])
    entity = np.concatenate([tail, head])
    relation = np.concatenate([forward, forward + len(kinds)])
    weights = np.concatenate([weight, weight])
    pointed = np.unique(entity[(item >= 0) & (row[entity] >= 0)])  # items that items point to
    item = np.concatenate([item, row[pointed]])
    entity = np.concatenate([entity, pointed])
    relation = np.concatenate([relation, np.zeros(len(pointed), np.int64)])
    weights = np.concatenate([weights, np.ones(len(pointed))])
    keep = item >= 0
    return _pruned(item[keep], entity[keep], relation[keep], weights[keep], len(items), len(names))


def _pruned(
    item: NDArray[np.int32],
    entity: NDArray[np.int64],
    relation: NDArray[np.int64],
    weight: NDArray[np.float64],
    items: int,
    entities: int,
) -> Graph:
    # One edge of an item to an entity: its heaviest.
    order = np.lexsort((relation, -weight, entity, item))
    item, entity, relation = item[order], entity[order], relation[order]
    first = np.ones(len(item), np.bool_)
    first[1:] = (item[1:] != item[:-1]) | (entity[1:] != entity[:-1])
    item, entity, relation = item[first], entity[first], relation[first]
    degree = np.bincount(entity, minlength=entities)
    shared = (degree[entity] >= 2) & (degree[entity] <= max(2, COMMON * items))
    item, entity, relation = item[shared], entity[shared], relation[shared]
    order = np.lexsort((entity, degree[entity], item))
    item, entity, relation = item[order], entity[order], relation[order]
    place = np.arange(len(item)) - np.searchsorted(item, item)
    near = place < EDGES
    item, entity, relation = item[near], entity[near], relation[near]
    every, dense = np.unique(entity, return_inverse=True)
    return Graph(
        offsets=np.searchsorted(item, np.arange(items + 1)).astype(np.int64),
        entity=dense.astype(np.int32),
        relation=relation.astype(np.int32),
        entities=len(every),
        paths=PATHS,
    )
