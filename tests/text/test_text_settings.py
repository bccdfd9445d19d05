"""What `[text]`, `[search]` and `[data.knowledge]` refuse."""

from __future__ import annotations

import pytest

from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError

BASE = '[project]\nname = "shop"\n[data.events]\npath = "events.csv"\n'
KNOWLEDGE = BASE + '[data.knowledge]\npath = "graph.parquet"\n'


def test_without_the_tables_there_are_defaults_and_no_graph() -> None:
    config = parse_config(BASE)

    assert config.text.languages == ["en"]
    assert config.search.spelling
    assert config.data.knowledge is None
    assert parse_config(KNOWLEDGE).data.knowledge is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + '[text]\nlanguages = ["english"]\n', r'text.languages\[0\] = "english".*ISO 639-1'),
        (BASE + '[text]\ncjk = "jieba"\n', r'text.cjk = "jieba" is not one of'),
        (BASE + "[search]\nconfidence = 1.5\n", r"search.confidence = 1.5 is out of range"),
        (KNOWLEDGE + 'tail = ""\n', r'data.knowledge.tail = "" is empty'),
        (KNOWLEDGE + 'tail = "head"\n', r"data.knowledge.head and data.knowledge.tail both name"),
        (KNOWLEDGE + "decay = 0\n", r"data.knowledge.decay = 0.* is out of range"),
        (KNOWLEDGE + "hops = 11\n", r"data.knowledge.hops = 11 is out of range"),
        (BASE + "[data.knowledge]\n", r"data.knowledge.path is missing"),
    ],
)
def test_what_cannot_be_right_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(text)
