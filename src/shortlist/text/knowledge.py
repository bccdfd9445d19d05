"""`KnowledgeGraph`: triples in memory, to link queries to and to walk from.

Linking finds the longest names in a query. Walking spreads weight over edges (spreading
activation: Collins & Loftus, Psychological Review 1975; Crestani, AI Review 1997) over the
symmetrically normalised adjacency (Kipf & Welling, ICLR 2017, section 2), so that what two places
share with few others counts more than what they share with all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.jit import kernel
from shortlist.core.vocabulary import Vocabulary, open_array

BACKWARD = "~"
"""Before the name of a relation that is walked from tail to head."""

_LONGEST_QUERY = 256
_ARRAYS = (
    "offsets",
    "targets",
    "relations",
    "weights",
    "item_rows",
    "name_offsets",
    "name_entities",
    "weak",
)


@dataclass(frozen=True)
class Link:
    """A name found in a query.

    Attributes:
        start: the first of its terms.
        end: the one after its last.
        entities: `int32[e]`, what is called so.
    """

    start: int
    end: int
    entities: NDArray[np.int32]


@dataclass(frozen=True)
class KnowledgeGraph:
    """Entities, relations between them, and their names.

    Attributes:
        entities: names and rows of the entities.
        kinds: the relations; relation r walked backward has the code `len(kinds) + r`.
        names: the terms of names, joined by spaces.
        longest: terms in the longest name.
        offsets: `int64[entities + 1]` into the next three.
        targets: `int32[edges]`, where each edge leads; each triple is there in both directions.
        relations: `int32[edges]`, codes, ascending within an entity.
        weights: `float32[edges]`, a triple's weight over the square root of the product of the
            sums of weights that its relation has at its two ends; in (0, 1].
        item_rows: `int32[entities]`, the catalogue row of an entity that is an item, else -1.
        name_offsets: `int64[names + 1]` into `name_entities`.
        name_entities: `int32[m]`.
        weak: `bool[names]`, made of function words alone: found only as the whole query.
    """

    entities: Vocabulary
    kinds: tuple[str, ...]
    names: Vocabulary
    longest: int
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]
    relations: NDArray[np.int32]
    weights: NDArray[np.float32]
    item_rows: NDArray[np.int32]
    name_offsets: NDArray[np.int64]
    name_entities: NDArray[np.int32]
    weak: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.entities)

    def link(self, terms: Sequence[str]) -> list[Link]:
        """The names in a query: the longest first taken, none overlapping, in their order.

        Args:
            terms: `Analyzer.terms` of the query; of a very long one, the first 256.
        """
        n = min(len(terms), _LONGEST_QUERY)
        spans = [
            (start, start + length)
            for length in range(min(self.longest, n), 0, -1)
            for start in range(n - length + 1)
        ]
        rows = self.names.rows([" ".join(terms[start:end]) for start, end in spans])
        taken = np.zeros(n, np.bool_)
        found = []
        for at in np.flatnonzero(rows >= 0).tolist():
            (start, end), row = spans[at], rows[at]
            if taken[start:end].any() or (self.weak[row] and end - start < len(terms)):
                continue
            taken[start:end] = True
            begin, stop = self.name_offsets[row : row + 2]
            found.append(Link(start, end, np.asarray(self.name_entities[begin:stop])))
        return sorted(found, key=lambda link: link.start)

    def codes(self, relations: Sequence[str]) -> NDArray[np.bool_]:
        """Which codes some relations are, `bool[2 * kinds]`; all of them for none.

        Raises:
            ConfigError: the graph has no such relation.
        """
        n = len(self.kinds)
        if not relations:
            return np.ones(2 * n, np.bool_)
        walked = np.zeros(2 * n, np.bool_)
        for relation in relations:
            name = relation.removeprefix(BACKWARD)
            if name not in self.kinds:
                raise ConfigError(
                    f"the knowledge graph has no relation {name!r}.",
                    remedy=did_you_mean(name, self.kinds),
                    where="data.knowledge.relations",
                )
            walked[self.kinds.index(name) + (n if relation.startswith(BACKWARD) else 0)] = True
        return walked

    def expand(
        self,
        entities: NDArray[np.int32],
        relations: Sequence[str] = (),
        decay: float = 0.5,
        hops: int = 2,
        *,
        weights: NDArray[np.float32] | None = None,
        limit: int = 200,
        most: int = 5_000,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What is near some entities, by how near.

        An entity's weight is the sum, over the edges that reach it from the step before, of the
        source's weight times `decay` times the edge's weight. An entity counts at the step that
        first reaches it.

        Args:
            entities: `int32[e]`, where to begin.
            relations: what is walked, `~` before one that is walked from tail to head; none for
                all, both ways.
            decay: what each step multiplies a weight by.
            hops: how many steps.
            weights: `float32[e]`, what the beginnings weigh; 1 each without.
            limit: at most so many of the heaviest entities of a step are walked on from.
            most: at most so many of the heaviest entities are returned.

        Returns:
            Entities, `int32[m]`, the beginnings among them, and weights, `float32[m]`, descending.

        Raises:
            ConfigError: the graph has no such relation.
        """
        walked = self.codes(relations)
        layer = np.unique(entities.astype(np.int32))
        weight = np.zeros(len(self), np.float32)
        given = np.ones(len(entities), np.float32) if weights is None else weights
        np.maximum.at(weight, entities, given)
        reached = np.zeros(len(self), np.bool_)
        reached[layer] = True
        found = [layer]
        for _ in range(hops):
            if len(layer) > limit:
                layer = layer[np.argsort(-weight[layer], kind="stable")[:limit]]
            layer = _step(
                self.offsets,
                self.targets,
                self.relations,
                self.weights,
                walked,
                layer,
                np.float32(decay),
                weight,
                reached,
            )
            if not len(layer):
                break
            found.append(layer)
        every = np.concatenate(found)
        if len(every) > most:
            every = np.sort(every[np.argpartition(-weight[every], most)[:most]])
        order = np.argsort(-weight[every], kind="stable")
        return every[order], weight[every[order]]

    def items_of(
        self, entities: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Those of some entities that are items: catalogue rows and weights, in their order."""
        rows = np.asarray(self.item_rows[entities])
        return rows[rows >= 0], weights[rows >= 0]

    def entities_of(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """The entities of catalogue rows, `int32[n]`; -1 for an item that the graph lacks."""
        size = max(int(self.item_rows.max(initial=-1)), int(rows.max(initial=-1))) + 1
        of_row = np.full(size, -1, np.int32)
        known = np.flatnonzero(self.item_rows >= 0)
        of_row[self.item_rows[known]] = known
        return of_row[rows]

    def save(self, folder: Path) -> None:
        """Write the graph's arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.entities.save(folder / "entities")
        self.names.save(folder / "names")
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        described = {"kinds": list(self.kinds), "longest": self.longest}
        (folder / "graph.json").write_text(json.dumps(described), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> KnowledgeGraph:
        """Open a saved graph, memory-mapped."""
        described = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        return cls(
            entities=Vocabulary.load(folder / "entities"),
            kinds=tuple(described["kinds"]),
            names=Vocabulary.load(folder / "names"),
            longest=described["longest"],
            **{name: open_array(folder / f"{name}.npy") for name in _ARRAYS},
        )


@kernel
def _step(
    offsets: NDArray[np.int64],
    targets: NDArray[np.int32],
    relations: NDArray[np.int32],
    weights: NDArray[np.float32],
    walked: NDArray[np.bool_],
    layer: NDArray[np.int32],
    decay: np.float32,
    weight: NDArray[np.float32],
    reached: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Add the weights of the next layer and say which entities it is, ascending."""
    size = 0
    for entity in layer:
        size += offsets[entity + 1] - offsets[entity]
    fresh = np.empty(size, np.int32)
    count = 0
    for entity in layer:
        share = decay * weight[entity]
        for edge in range(offsets[entity], offsets[entity + 1]):
            target = targets[edge]
            if walked[relations[edge]] and not reached[target]:
                if weight[target] == 0:
                    fresh[count] = target
                    count += 1
                weight[target] += share * weights[edge]
    found = np.sort(fresh[:count])
    for entity in found:
        reached[entity] = True
    return found
