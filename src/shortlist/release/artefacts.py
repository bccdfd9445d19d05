"""What retrievers leave in a release: a few plain types, one online source for each.

A retriever family is a way to *make* these; the online side knows only the types. A family may
make several (an item graph yields vectors and an item-to-item map).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

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

    A user's score of an item is the sum over the last `reach` items of the history, newest first,
    of `decay` ** rank times the neighbour's score.

    Attributes:
        neighbours: `int32[n, m]` catalogue rows, -1 where an item has fewer.
        scores: `float32[n, m]`, 0 where there is none; may be negative.
        decay: what each step back in the history multiplies a weight by, in (0, 1].
        reach: how many of the newest items of a history count.
    """

    neighbours: NDArray[np.int32]
    scores: NDArray[np.float32]
    decay: float = 0.8
    reach: int = 30


@dataclass(frozen=True)
class SessionIndex:
    """Past sessions to find neighbours among (VMIS-kNN, Kersbergen et al., SIGMOD 2022).

    The sessions of the last `reach` items of a history are scored: each item adds `decay` ** rank
    times its rarity. The `nearest` best by score / length ** `length_power` vote. With w(d) =
    d ** -`distance` at d events after a match, `back` times as much at d events before it, and 0
    further than `window`, a session votes for the item at each of its places

    - `newest`: by that score times w(distance from the newest item of the history in it);
    - `context`: by (Σ `decay` ** rank · rarity · w(distance from the item)) ** `agreement`, summed
      over all items of the history in it. Above 1 a place that several of them are near counts
      more than as many places that one of them is near.

    An item's score is the sum of its votes, times its `target_rarity`.

    Attributes:
        item_offsets: `int64[items + 1]` into `item_sessions`.
        item_sessions: `int32[p]`, of each item its most recent sessions, newest first, each once.
        item_positions: `int32[p]`, where in the session the item is last.
        session_offsets: `int64[sessions + 1]` into `session_items`.
        session_items: `int32[q]`, the items of each session, in order.
        rarity: `float32[items]`, what a match on an item counts.
        target_rarity: `float32[items]`, what a vote for an item counts.
        decay: what each step back in the history multiplies a weight by, in (0, 1].
        reach: how many of the newest items of a history count.
        nearest: how many sessions vote.
        distance: how fast votes fall with the distance from the match.
        window: how far from the match votes reach.
        back: what an item before the match counts of one after it.
        length_power: how much the length of a session costs it when the best are taken.
        scoring: `newest` or `context`.
        agreement: the power of `context`; 1 for `newest`.
    """

    item_offsets: NDArray[np.int64]
    item_sessions: NDArray[np.int32]
    item_positions: NDArray[np.int32]
    session_offsets: NDArray[np.int64]
    session_items: NDArray[np.int32]
    rarity: NDArray[np.float32]
    target_rarity: NDArray[np.float32]
    decay: float
    reach: int
    nearest: int
    distance: float
    window: int
    back: float
    length_power: float
    scoring: str
    agreement: float


@dataclass(frozen=True)
class ItemFactors:
    """Factors that a user is folded into at request time (Rendle et al., RecSys 2022).

    The user's vector solves `(diag(gram) + cost I + Σ w v vᵀ) u = Σ w v` over the last `reach`
    items of the history, w = `decay` ** rank, with cost = `regularisation` times (items of the
    history + `unseen`) ** `power`. Scores are dot products with the item vectors of the same
    retriever's index, which are rotated so that their Gram matrix is diagonal.

    Attributes:
        gram: `float32[d]`, the diagonal of the Gram matrix, with the weight of unseen pairs in it.
        regularisation: the cost of a vector.
        unseen: the weight of all unseen pairs of a user together.
        power: exponent of the cost's growth.
        decay: what each step back in the history multiplies a weight by, in (0, 1].
        reach: how many of the newest items of a history count.
    """

    gram: NDArray[np.float32]
    regularisation: float
    unseen: float
    power: float
    decay: float
    reach: int


@dataclass(frozen=True)
class Encoder:
    """A query encoder as an ONNX model; its vectors search the index of the same retriever.

    The model takes what the request path has and prepares nothing by hand: `items` int64[b, n]
    catalogue rows, oldest first, padded on the left with -1, and where `times` is set `times`
    int64[b, n] microseconds and `now` int64[b]. It gives float32[b, d].

    Attributes:
        model: `uint8[size]`, the ONNX file.
        reach: n, how many of the newest items of a history it takes.
        times: 1 when it takes times, else 0.
    """

    model: NDArray[np.uint8]
    reach: int
    times: int


@dataclass(frozen=True)
class ItemVectors:
    """A vector for some items; similarity is their dot product. Lives in an index when saved.

    Attributes:
        rows: `int32[m]`, ascending: the catalogue rows that have a vector.
        vectors: `float32[m, d]`, finite; `vectors[i]` belongs to `rows[i]`.
        queries: `float32[q, d]`, what the retriever makes of some histories, where that is nothing
            like a mean of item vectors; the index is tuned on them.
    """

    rows: NDArray[np.int32]
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class StaticText:
    """An encoder of texts by the vectors of their subwords; `text.encoding` opens it.

    Its vectors search the index of the same retriever, by dot product.

    Attributes:
        tokenizer: `uint8[size]`, a `tokenizer.json`.
        table: `float32[subwords, d]`.
        weights: `float32[subwords]`, at least 0.
        length: how many subwords of a text are read.
        unit: 1 when vectors have length 1, else 0.
        analyzer: `text.Analyzer.to_dict` as JSON; it normalises texts.
        version: names the content: vectors of equal versions are of one space.
    """

    tokenizer: NDArray[np.uint8]
    table: NDArray[np.float32]
    weights: NDArray[np.float32]
    length: int
    unit: int
    analyzer: str
    version: str


@dataclass(frozen=True)
class OnnxText:
    """An encoder of texts as an ONNX model with its tokenizer; `text.encoding` opens it.

    Attributes:
        tokenizer: `uint8[size]`, a `tokenizer.json`.
        model: `uint8[size]`, the ONNX file: `input_ids` and `attention_mask` int64[b, n] (and
            `token_type_ids`, where it has them) to `vectors` float32[b, d].
        length: how many tokens of a text are read.
        pad: the id that shorter texts are filled up with.
        dim: d.
        version: names the content: vectors of equal versions are of one space.
    """

    tokenizer: NDArray[np.uint8]
    model: NDArray[np.uint8]
    length: int
    pad: int
    dim: int
    version: str


Artefact = (
    PopularLists
    | ItemToItem
    | SessionIndex
    | ItemFactors
    | Encoder
    | StaticText
    | OnnxText
    | ItemVectors
)
KINDS: dict[str, type[Artefact]] = {
    "popular": PopularLists,
    "item_to_item": ItemToItem,
    "sessions": SessionIndex,
    "factors": ItemFactors,
    "encoder": Encoder,
    "text_static": StaticText,
    "text_onnx": OnnxText,
    "vector": ItemVectors,
}
_SCALARS = "values.json"


def save_artefact(artefact: Artefact, folder: Path) -> None:
    """Write an artefact's arrays and values into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    scalars = {}
    for name, value in vars(artefact).items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value)
        else:
            scalars[name] = value
    (folder / _SCALARS).write_text(json.dumps(scalars))


def load_artefact(kind: str, folder: Path) -> Artefact:
    """Open an artefact of a kind of `KINDS`, its arrays memory-mapped."""
    values: dict[str, Any] = json.loads((folder / _SCALARS).read_text())
    for field in fields(KINDS[kind]):
        if field.name not in values:
            values[field.name] = open_array(folder / f"{field.name}.npy")
    return KINDS[kind](**values)
