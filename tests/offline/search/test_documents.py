"""What the words of each field count."""

from __future__ import annotations

import numpy as np

from shortlist.config.load import parse_config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.search.documents import FIRST, search_fields

CONFIG = """
[project]
name = "books"
[data.events]
path = "events.csv"
[data.items]
path = "items.csv"
text = ["title", "text"]
[retrievers.popular]
"""


def catalogue(*fields: str) -> Catalogue:
    return Catalogue(
        Vocabulary.of(["a"]),
        {field: Column.text(["some words"]) for field in fields},
        np.ones(1, np.bool_),
        np.ones(1, np.int64),
    )


def test_the_first_of_several_texts_counts_more() -> None:
    config = parse_config(CONFIG)
    assert search_fields(config, catalogue("title", "text")) == {"title": FIRST, "text": 1}


def test_one_text_alone_counts_once() -> None:
    assert search_fields(parse_config(CONFIG), catalogue("text")) == {"text": 1}
