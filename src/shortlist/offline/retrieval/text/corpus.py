"""Everything that a text encoder learns from: texts, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shortlist.config.schema import TextEncoderRetriever
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.text.documents import text_columns, texts_of
from shortlist.offline.retrieval.text.pairs import Pairs, session_pairs


@dataclass(frozen=True)
class Corpus:
    """Texts by number, those of items by catalogue row and queries after them, and pairs.

    Attributes:
        texts: all of them.
        items: how many of them are items'.
        columns: the catalogue columns that they are made of.
        pairs: which belong together.
    """

    texts: list[str]
    items: int
    columns: list[str]
    pairs: Pairs

    @classmethod
    def of(cls, data: TrainingData, config: TextEncoderRetriever) -> Corpus:
        """The corpus of a catalogue, its log and its query log.

        Raises:
            ConfigError: a column is not there.
        """
        columns = text_columns(data.catalogue, config.text, "retrievers.text_encoder.text")
        texts = texts_of(data.catalogue, columns)
        pairs = session_pairs(data.frequent(), config.window)
        if data.queries is not None:
            clicked = data.queries.clicked()
            pairs = pairs.joined(query_pairs(clicked, data.items, data.users))
            texts = [*texts, *clicked.texts]
        return cls(texts, data.items, columns, pairs)


def query_pairs(clicked: QueryLog, items: int, users: int) -> Pairs:
    """Queries and clicked items as pairs; a query is the text after those of `items` items.

    Users of the two logs are not compared: those who clicked are numbered after `users`.
    """
    return Pairs(clicked.query + np.int32(items), clicked.item, clicked.user + np.int32(users))
