"""From a table of triples to a `KnowledgeGraph`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.core.vocabulary import Vocabulary
from shortlist.text.analyzer import Analyzer
from shortlist.text.knowledge import KnowledgeGraph
from shortlist.text.languages import function_words

_LONGEST_NAME = 12
"""Names of more terms are no names but sentences."""


def build_graph(
    triples: pa.Table,
    analyzer: Analyzer,
    catalogue: Vocabulary,
    *,
    items: str = "item:",
    names: Sequence[str] = ("name", "alias"),
    titles: Sequence[str] | None = None,
) -> KnowledgeGraph:
    """The graph of some triples.

    Args:
        triples: columns `head`, `relation`, `tail` (text, without nulls) and `weight` (numbers
            above 0). A triple that is there twice counts both times.
        analyzer: what queries are analysed by.
        catalogue: the items' ids.
        items: what the name of an entity that is an item begins with.
        names: relations whose tail is a name of the head, and no entity. An entity without any is
            called what stands after the first colon of its own name.
        titles: of each catalogue row what it is called; items are not linked by name without.
    """
    is_name = pc.is_in(triples["relation"], value_set=pa.array(list(names), pa.string()))
    said = triples.filter(is_name).select(["head", "tail"]).to_pydict()
    edges = triples.filter(pc.invert(is_name)).combine_chunks()
    ends = pa.chunked_array([*edges["head"].chunks, *edges["tail"].chunks], pa.string())
    coded = ends.combine_chunks().dictionary_encode()
    ids = list(dict.fromkeys([*coded.dictionary.to_pylist(), *said["head"]]))
    places = coded.indices.to_numpy().astype(np.int32)
    kinds = edges["relation"].combine_chunks().dictionary_encode()
    offsets, targets, relations, weights = _adjacency(
        len(ids),
        places[: len(edges)],
        places[len(edges) :],
        kinds.indices.to_numpy().astype(np.int32),
        edges["weight"].to_numpy().astype(np.float32),
        len(kinds.dictionary),
    )
    item_rows = _item_rows(ids, items, catalogue)
    called = _called(ids, said["head"], said["tail"], item_rows, titles)
    table, longest, weak, name_offsets, name_entities = _names(called, analyzer)
    return KnowledgeGraph(
        entities=Vocabulary.of(ids),
        kinds=tuple(kinds.dictionary.to_pylist()),
        names=table,
        longest=longest,
        offsets=offsets,
        targets=targets,
        relations=relations,
        weights=weights,
        item_rows=item_rows,
        name_offsets=name_offsets,
        name_entities=name_entities,
        weak=weak,
    )


def _adjacency(
    n: int,
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    relations: NDArray[np.int32],
    weights: NDArray[np.float32],
    kinds: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Each edge from both of its ends, by entity, then relation, then the other end."""
    sources = np.concatenate([heads, tails])
    targets = np.concatenate([tails, heads])
    codes = np.concatenate([relations, relations + kinds]).astype(np.int32)
    both = np.concatenate([weights, weights]).astype(np.float64)
    # The sum of weights that a relation has at an entity, from where it leaves and where it leads.
    _, group = np.unique(sources.astype(np.int64) * (2 * kinds) + codes, return_inverse=True)
    sums = np.bincount(group, both)[group] if len(both) else both
    backward = np.concatenate([sums[len(heads) :], sums[: len(heads)]])
    normalised = (both / np.sqrt(sums * backward)).astype(np.float32)
    order = np.lexsort((targets, codes, sources))
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=n), out=offsets[1:])
    return offsets, targets[order], codes[order], normalised[order]


def _item_rows(ids: list[str], items: str, catalogue: Vocabulary) -> NDArray[np.int32]:
    rows = np.full(len(ids), -1, np.int32)
    places = [place for place, name in enumerate(ids) if name.startswith(items)]
    rows[places] = catalogue.rows([ids[place].removeprefix(items) for place in places])
    return rows


def _called(
    ids: list[str],
    heads: list[str],
    tails: list[str],
    item_rows: NDArray[np.int32],
    titles: Sequence[str] | None,
) -> list[tuple[int, str]]:
    """Entities and their names, in order."""
    place_of = {name: place for place, name in enumerate(ids)}
    called = [(place_of[head], tail) for head, tail in zip(heads, tails, strict=True)]
    named = {place for place, _ in called}
    for place, (name, row) in enumerate(zip(ids, item_rows.tolist(), strict=True)):
        if row >= 0 and titles is not None:
            called.append((place, titles[row]))
        elif row < 0 and place not in named:
            _, colon, rest = name.partition(":")
            called.append((place, rest if colon and rest else name))
    return called


def _names(
    called: list[tuple[int, str]], analyzer: Analyzer
) -> tuple[Vocabulary, int, NDArray[np.bool_], NDArray[np.int64], NDArray[np.int32]]:
    entities: dict[str, list[int]] = {}
    weak: dict[str, bool] = {}
    longest = 0
    for place, name in called:
        terms = analyzer.terms(name)
        if not 0 < len(terms) <= _LONGEST_NAME:
            continue
        longest = max(longest, len(terms))
        key = " ".join(terms)
        entities.setdefault(key, []).append(place)
        if key not in weak:
            weak[key] = _weak(analyzer, name)
    lists = [sorted(set(places)) for places in entities.values()]
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(places) for places in lists], out=offsets[1:])
    flat = np.array([place for places in lists for place in places], np.int32)
    flags = np.array(list(weak.values()), np.bool_)
    return Vocabulary.of(list(entities)), longest, flags, offsets, flat


def _weak(analyzer: Analyzer, name: str) -> bool:
    language = analyzer.detect(name)
    listed = function_words(language, analyzer.settings.diacritics)
    return all(word in listed for word in analyzer.words(name))
