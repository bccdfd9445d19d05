from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from shortlist.config import schema
from shortlist.config.reference import describe, reference
from shortlist.config.schema import Config, DataSection, Section

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "shortlist-toml.md"
TABLES = [
    value
    for value in vars(schema).values()
    if isinstance(value, type)
    and issubclass(value, Section)
    and value not in (Section, Config, DataSection)
]


def test_the_page_is_what_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m shortlist.config.reference > docs/reference/shortlist-toml.md"
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_is_described(table: type[Section]) -> None:
    keys = [field.name for field in msgspec.structs.fields(table)]

    assert list(describe(table)) == keys


def test_every_retriever_has_a_table() -> None:
    for retriever in get_args(schema.Retriever):
        assert f"## `[retrievers.{retriever.__struct_config__.tag}]`" in reference()
