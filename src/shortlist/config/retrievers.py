"""The tables of the retriever families, `[retrievers.NAME]`; `config.schema` has them too."""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.section import Section


class PopularRetriever(Section, frozen=True, tag_field="kind", tag="popular"):
    """`kind = "popular"`: time-decayed popularity, overall and per segment.

    Attributes:
        half_life: an event counts half after this long.
        segment: a keyword attribute to count within; empty for the catalogue's category.
    """

    half_life: str = "14d"
    segment: str = ""


class ItemGraphRetriever(Section, frozen=True, tag_field="kind", tag="item_graph"):
    """`kind = "item_graph"`: random walks on the graph of sessions, skip-gram embeddings.

    Attributes:
        attributes: attributes that items share vectors through, so that items without interactions
            have one; `auto` for all that tell some items from others. `[]`: none.
        dim: length of the vectors.
        walks: random walks started from each item.
        walk_length: items in a walk.
        window: items on each side that count as context.
        negatives: negative samples for each positive.
        epochs: passes over the walks.
        neighbours: length of each item's list in the item-to-item map.
    """

    attributes: list[str] | Literal["auto"] = "auto"
    dim: int = 64
    walks: int = 20
    walk_length: int = 12
    window: int = 4
    negatives: int = 5
    epochs: int = 3
    neighbours: int = 100


class TransitionsRetriever(Section, frozen=True, tag_field="kind", tag="transitions"):
    """`kind = "transitions"`: which items follow which, counted with decay.

    Keys at `auto` are chosen on the last items of a sample of the training users.

    Attributes:
        reach: how many events apart two items are still a pair.
        distance: a pair that is d events apart counts d to the minus this power.
        back: what a pair counts in the other direction.
        power: scores are divided by this power of the popularity of the item that they are of.
        target_power: and by this power of the popularity of the neighbour.
        damping: the power that summed counts are raised to; below 1 the rare pair counts more.
        decay: what each step back in a user's history multiplies an item's part by.
        history: how many of the newest items of a history count.
        within: whether pairs are of one `session` or of a user's whole `history`.
        half_life: an event counts half after this long; `none` for no decay.
        neighbours: length of each item's list; 0 for a rule (from 64 to 512, by the catalogue).
    """

    reach: int | Literal["auto"] = "auto"
    distance: float | Literal["auto"] = "auto"
    back: float | Literal["auto"] = "auto"
    power: float | Literal["auto"] = "auto"
    target_power: float | Literal["auto"] = "auto"
    damping: float | Literal["auto"] = "auto"
    decay: float | Literal["auto"] = "auto"
    history: int = 20
    within: Literal["auto", "history", "session"] = "auto"
    half_life: str = "auto"
    neighbours: int = 0


class NeighboursRetriever(Section, frozen=True, tag_field="kind", tag="neighbours"):
    """`kind = "neighbours"`: past sessions like this one vote for what they went on with.

    Keys at `auto` that say how votes count are chosen on the last items of a sample of the
    training users.

    Attributes:
        within: what a past session is: a `session`, a user's whole `history`, or `auto` (sessions
            where they hold more than one and a half events on average).
        scoring: an item counts by how near it is to the `newest` match, or to all matches (its
            `context`); `auto` for what finds more.
        agreement: of `context`, the power that what an item's place in a session counts is raised
            to; above 1, matches that are near each other count more than ones apart.
        recent: how many of the most recent sessions of each item are looked through.
        nearest: how many sessions vote.
        decay: what each step back in a user's history multiplies a match by.
        history: how many of the newest items of a history are matched.
        rarity: a match on an item counts its popularity to the minus this power; `auto` for 0.25
            of `context` and 0.5 of `newest`.
        target_power: a vote for an item is divided by this power of its popularity.
        distance: an item that is d events from a match counts d to the minus this power.
        window: items further than this from a match get no vote.
        back: what an item before the match counts of one after it.
        length_power: how near a session is is divided by this power of its length.
    """

    within: Literal["auto", "history", "session"] = "auto"
    scoring: Literal["auto", "newest", "context"] = "auto"
    agreement: float | Literal["auto"] = "auto"
    recent: int = 2_000
    nearest: int = 250
    decay: float = 0.7
    history: int = 20
    rarity: float | Literal["auto"] = "auto"
    target_power: float = 0.1
    distance: float = 0.5
    window: int = 20
    back: float = 0.25
    length_power: float = 0.25


class LinearRetriever(Section, frozen=True, tag_field="kind", tag="linear"):
    """`kind = "linear"`: a linear model of an item from all items of the history.

    Attributes:
        decay: what each step back in a history multiplies an item's part by; 1 is EASE, which
            takes histories as sets; below 1 it is the next item that is predicted.
        history: how many of the newest items of a history count.
        regularisation: what a weight costs, in events of an average item; 0 for a rule.
        solver: `closed` (one matrix over the catalogue), `sparse` (a small system for each
            item), or `auto` (closed up to 20,000 items, if a quarter of the memory holds it).
        support: from how many co-occurring items the sparse solver predicts each item.
        neighbours: length of each item's list; 0 for a rule (from 64 to 512, by the catalogue).
    """

    decay: float = 1.0
    history: int = 500
    regularisation: float = 0.0
    solver: Literal["auto", "closed", "sparse"] = "auto"
    support: int = 128
    neighbours: int = 0


class FactorsRetriever(Section, frozen=True, tag_field="kind", tag="factors"):
    """`kind = "factors"`: matrix factorisation by alternating least squares.

    Attributes:
        dim: length of the vectors, at most 128.
        epochs: how often users and items are each solved.
        unseen: what a pair without an interaction counts, of one with.
        regularisation: how much a vector's length costs.
        power: how the cost grows with the number of interactions.
        decay: what each step back in a history multiplies an item's part by when a user is
            folded in; 1 for histories as sets.
        history: how many of the newest items of a history count when a user is folded in.
    """

    dim: int = 128
    epochs: int = 10
    unseen: float = 0.1
    regularisation: float = 0.001
    power: float = 1.0
    decay: float = 0.8
    history: int = 50


class GraphFilterRetriever(Section, frozen=True, tag_field="kind", tag="graph_filter"):
    """`kind = "graph_filter"`: low-pass filtering of the normalised interaction matrix.

    Attributes:
        frequencies: how many singular vectors the ideal filter keeps; 0 for a rule (256, fewer
            for small catalogues).
        ideal: what the ideal filter counts beside the linear one.
        decay: what each step back in a history multiplies an item's part by; 1 for histories as
            sets.
        history: how many of the newest items of a history count.
        neighbours: length of each item's list; 0 for a rule (from 64 to 512, by the catalogue).
    """

    frequencies: int = 0
    ideal: float = 0.3
    decay: float = 1.0
    history: int = 500
    neighbours: int = 0


class SequenceRetriever(Section, frozen=True, tag_field="kind", tag="sequence"):
    """`kind = "sequence"`: a neural encoder of the last interactions (needs `shortlist[deep]`).

    Keys at `auto` are set by rule, from how many interactions there are and how long histories are.

    Attributes:
        encoder: `transformer` (self-attention over the last items, in their order) or `pooled` (a
            mean of the last items and the clock, through two layers).
        dim: length of the vectors.
        blocks: layers of the transformer.
        heads: attention heads of a layer; they divide `dim`.
        reach: how many of the newest items of a history count (at most 100 for `pooled`).
        dropout: the share of components dropped while training.
        epochs: at most how many passes over the log.
        patience: training stops after so many passes without a better nDCG@10 on the last
            interactions of a sample of users.
        learning_rate: of AdamW at its highest.
        batch: interactions in a batch.
        loss: a softmax over the `full` catalogue, or over `sampled` items with logQ correction.
        samples: items drawn for a batch of the sampled softmax.
    """

    encoder: Literal["transformer", "pooled"] = "transformer"
    dim: int | Literal["auto"] = "auto"
    blocks: int = 2
    heads: int | Literal["auto"] = "auto"
    reach: int | Literal["auto"] = "auto"
    dropout: float | Literal["auto"] = "auto"
    epochs: int | Literal["auto"] = "auto"
    patience: int = 5
    learning_rate: float = 0.001
    batch: int | Literal["auto"] = "auto"
    loss: Literal["auto", "full", "sampled"] = "auto"
    samples: int = 4_096


class TwoTowerRetriever(Section, frozen=True, tag_field="kind", tag="two_tower"):
    """`kind = "two_tower"`: one network for queries, one for items (needs `shortlist[deep]`).

    The item tower reads attributes and texts too, so that items nobody took have vectors.

    Attributes:
        query: what the query tower reads: the `history` of a user, or the `text` of a search. The
            latter is learned from the clicks of `[data.queries]`, without PyTorch, and answers
            searches.
        dim: length of the vectors.
        similarity: `dot` (length may say how popular an item is) or `cosine`.
        temperature: cosines are divided by this in the loss.
        text: whether the item tower reads the catalogue's text columns.
        hard: negatives of each query that come from the items nearest to it after the last epoch,
            beside those of its batch.
        reach: how many of the newest items of a history count, at most 100.
        dropout: the share of components dropped while training.
        epochs: at most how many passes over the log.
        patience: training stops after so many passes without a better nDCG@10 on the last
            interactions of a sample of users.
        learning_rate: at its highest: of AdamW for histories, of Adagrad for texts.
        batch: examples in a batch.
    """

    query: Literal["history", "text"] = "history"
    dim: int | Literal["auto"] = "auto"
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = 0.07
    text: bool = True
    hard: int = 1
    reach: int | Literal["auto"] = "auto"
    dropout: float | Literal["auto"] = "auto"
    epochs: int | Literal["auto"] = "auto"
    patience: int = 3
    learning_rate: float | Literal["auto"] = "auto"
    batch: int | Literal["auto"] = "auto"


class TextEncoderRetriever(Section, frozen=True, tag_field="kind", tag="text_encoder"):
    """`kind = "text_encoder"`: items by their texts, learned from what is read in one session.

    Neighbours in a session (`prepare.session_gap`) and clicked answers of `[data.queries]` belong
    together; documents of other users' sessions do not. Keys at `auto` are set by rule.

    Attributes:
        model: `static` (vectors of subwords, learned from this catalogue and log alone), or the
            name or folder (`./model` in the project folder, or absolute) of a
            Sentence-Transformers model to fine-tune, such as
            `microsoft/Multilingual-MiniLM-L12-H384` (needs `shortlist[text]`).
        text: columns that an item's text is made of, text or keywords; empty for all columns of
            text.
        similarity: what training, its evaluation and the index measure: `dot` products, or
            `cosine` (vectors then have length 1).
        length: how many tokens of a text are read.
        window: documents up to so many events apart in a session belong together.
        temperature: similarities are divided by this in the loss.
        hard: negatives of each document that are among the nearest to it, beside those of its
            batch.
        epochs: at most how many passes over the pairs; 0 for none.
        patience: training stops after so many passes without a better nDCG@10 on held-out pairs.
        learning_rate: at its highest.
        batch: pairs in a batch.
        dim: `static` only: length of the vectors.
        vocabulary: `static` only: at most how many subwords.
        quantise: models only: whether they serve with 8-bit weights.
    """

    model: str = "static"
    text: list[str] = msgspec.field(default_factory=list)
    similarity: Literal["dot", "cosine"] = "dot"
    length: int = 128
    window: int = 1
    temperature: float | Literal["auto"] = "auto"
    hard: int = 0
    epochs: int | Literal["auto"] = "auto"
    patience: int = 3
    learning_rate: float | Literal["auto"] = "auto"
    batch: int | Literal["auto"] = "auto"
    dim: int | Literal["auto"] = "auto"
    vocabulary: int | Literal["auto"] = "auto"
    quantise: bool = False


Retriever = (
    PopularRetriever
    | ItemGraphRetriever
    | TransitionsRetriever
    | NeighboursRetriever
    | LinearRetriever
    | FactorsRetriever
    | GraphFilterRetriever
    | SequenceRetriever
    | TwoTowerRetriever
    | TextEncoderRetriever
)

ITEM_TO_ITEM = (
    PopularRetriever
    | TransitionsRetriever
    | NeighboursRetriever
    | LinearRetriever
    | GraphFilterRetriever
)
"""Those that make no vectors of items."""
